"""tune_suite: the variants of a suite, each searched on the same budget."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from zoo.data.prepare import Data
from zoo.errors import InputError
from zoo.records import checked
from zoo.registry import named
from zoo.run.process import default_jobs
from zoo.suite import Suite, chosen_models, prepare_from
from zoo.train.config import FitConfig
from zoo.train.fit import resolve_device
from zoo.tuning.plan import StudySettings
from zoo.tuning.result import StudyResult
from zoo.tuning.search import applicable, search_for
from zoo.tuning.study import Place, quiet, run_study
from zoo.tuning.supervisor import TrialEvent

WAIT_SECONDS = 0.2
Listener = Callable[[str, TrialEvent], None]  # called with the variant and the event


@dataclass(frozen=True)
class Studies:
    """The studies of a suite that are about to run: settings and folders by variant, and notes for the user."""

    settings: dict[str, StudySettings]
    folders: dict[str, Path]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class SuiteResult:
    """The studies of a suite by variant; is_stopped: by Ctrl-C, before the last trial."""

    results: dict[str, StudyResult]
    studies: Studies
    is_stopped: bool


def tune_suite(
    suite: Suite,
    names: Sequence[str],
    out: Path | None = None,
    *,
    fix: Mapping[str, Any] | None = None,
    ranges: Mapping[str, Any] | None = None,
    storage: str | None = None,
    study: str | None = None,
    jobs: int | None = None,
    command: str | None = None,
    on_studies: Callable[[Studies], Listener] = lambda _: lambda *_: None,
) -> SuiteResult:
    """Tune `names` (["all"]: the suite's models), each into its own folder.

    out: the folder of a single variant, or of one folder for each variant (default: results/tune/<variant>). fix,
    ranges: beat what the suite's [tune] sets for the same parameter. study: the studies are called <study>-<variant>,
    by default after the suite. Several variants run side by side, each one trial after the other, as many as there are
    jobs; jobs beyond that go to workers inside a study. on_studies: called once before the first trial; what it returns
    is called with each event. Ctrl-C ends the studies early; the same call goes on.
    Raises InputError for a wrong request before anything runs; for a folder that contains another study when it is that
    variant's turn, and the others then stop too.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}")
    data = prepare_from(suite.data.model_dump(), suite.problem.model_dump())
    studies = _planned(suite, names, out, data, fix or {}, ranges or {})
    count = len(studies.settings)
    device = resolve_device(next(iter(studies.settings.values())).config.device).type
    jobs = jobs or min(default_jobs(device), count)
    on_event, stop = on_studies(studies), threading.Event()
    with quiet(), ThreadPoolExecutor(min(jobs, count)) as pool:
        futures = {}
        for name, settings in studies.settings.items():
            place = Place(
                study_name=f"{study or suite.name}-{name}",
                storage=storage,
                folder=studies.folders[name],
                jobs=max(1, jobs // count),
                command=command,
                on_event=partial(on_event, name),
                stop=stop,
            )
            futures[name] = pool.submit(run_study, name, data, settings, place)
        _wait(list(futures.values()), stop)
    for future in futures.values():
        if not future.cancelled() and (error := future.exception()):
            raise error
    results = {name: future.result() for name, future in futures.items() if not future.cancelled()}
    return SuiteResult(results, studies, stop.is_set())


def _wait(futures: Sequence[Future[StudyResult]], stop: threading.Event) -> None:
    """Wait for all studies; Ctrl-C, or one that fails, stops them all."""
    try:
        while not all(future.done() for future in futures):
            wait(futures, timeout=WAIT_SECONDS)
            if any(future.done() and future.exception() for future in futures):
                stop.set()
    except KeyboardInterrupt:
        stop.set()
        for future in futures:
            future.cancel()


def _planned(
    suite: Suite,
    names: Sequence[str],
    out: Path | None,
    data: Data,
    fix: Mapping[str, Any],
    ranges: Mapping[str, Any],
) -> Studies:
    """The studies of the variants that have something to tune; raises InputError where none has."""
    is_all = list(names) == ["all"]
    chosen = chosen_models(suite.run) if is_all else list(dict.fromkeys(n for text in names for n in named(text)))
    planned, constant = {}, []
    for name in chosen:
        planned[name] = _settings_of(name, suite, chosen, fix, ranges)
        one = planned[name]
        search = search_for(name, data, params=one.params, config=one.config, fix=one.fix, ranges=one.ranges)
        if not search.ranges:
            constant.append(name)
            del planned[name]
    if not planned or (constant and not is_all):
        raise InputError(
            f"nothing to tune in {', '.join(constant)}: no range is declared or given (zoo show {constant[0]})"
        )
    is_single = not is_all and len(planned) == 1
    folders = {name: out if out and is_single else (out or Path("results/tune")) / name for name in planned}
    notes = [*data.notes, *([f"nothing to tune in {', '.join(constant)}"] if constant else [])]
    return Studies(planned, folders, tuple(notes))


def _settings_of(
    name: str, suite: Suite, chosen: Sequence[str], fix: Mapping[str, Any], ranges: Mapping[str, Any]
) -> StudySettings:
    """The settings of one variant's study: those of the suite, and fix and ranges over them."""
    in_suite = list(dict.fromkeys([*chosen_models(suite.run), *chosen]))  # [tune] may name variants not tuned now
    suite_fix, suite_ranges = (applicable(given, name, in_suite) for given in (suite.tune.fix, suite.tune.range))
    own_fix, own_ranges = (applicable(given, name, chosen) for given in (fix, ranges))
    settings = {
        **suite.tune.model_dump(exclude={"fix", "range"}),
        "params": suite.models.get(name, {}),
        "config": FitConfig.of(suite.fit),
        "fix": {key: value for key, value in suite_fix.items() if key not in own_ranges} | own_fix,
        "ranges": {key: value for key, value in suite_ranges.items() if key not in own_fix} | own_ranges,
    }
    if settings["trials"] is None:
        del settings["trials"]
    return checked(StudySettings, settings, f"tune {name}")
