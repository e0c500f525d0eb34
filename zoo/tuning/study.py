"""Studies: tune searches one variant, tune_all every variant of a suite on the same budget."""

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.study import StudyDirection
from sqlalchemy.exc import SQLAlchemyError

from zoo.data.dataset import Data
from zoo.errors import InputError, Unsuitable, expect
from zoo.records import checked
from zoo.registry import named
from zoo.run import executor
from zoo.run.engine import Engine
from zoo.suite import Suite, chosen_models, prepare_from
from zoo.tracking.tracking import NOWHERE, Tracking, tracking_of
from zoo.train.config import FitConfig
from zoo.tuning.crew import crew_of
from zoo.tuning.files import write_files
from zoo.tuning.plan import Plan, plan_of
from zoo.tuning.result import StudyResult, cost_of
from zoo.tuning.search import StudySettings, applicable
from zoo.tuning.storage import REQUEST, cause_of, opened_storage, storage_name
from zoo.tuning.supervisor import Supervisor, TrialEvent, wait_for
from zoo.tuning.tracked import ended_run, study_run, trial_run

Listener = Callable[[str, TrialEvent], None]  # called with the variant and the event


def tune(
    variant: str,
    data: Data,
    *,
    study_name: str | None = None,
    storage: str | None = None,
    out: Path | str | None = None,
    jobs: int | None = None,
    engine: Engine = executor,
    command: str | None = None,
    track: str | Tracking | None = None,
    on_event: Callable[[TrialEvent], None] = lambda _: None,
    stop: threading.Event | None = None,
    **settings: Any,
) -> StudyResult:
    """Search the hyperparameters of a variant on train and validation; the test part is cut off first.

    settings: trials=50, timeout, seed=0, repeats=1, sampler="tpe", pruner, objectives=("valid_loss",), params, config,
    fix and ranges, see StudySettings. study_name: by default the variant; a study of the same name in the same storage
    goes on. storage: an Optuna URL, otherwise a database in `out`, otherwise memory. out: gets best.json, trials.jsonl
    and pictures. jobs: workers, where the engine has them; None trains in this process. One job with a seed gives the
    same trials every time, also when it was interrupted; several jobs do not. command: stored in best.json. track:
    `tensorboard:DIR` or `mlflow:URI`, which gets each trial. on_event: called with every TrialEvent; stop: set it to
    end the study early.
    Raises InputError for a wrong request, before anything runs.
    """
    expect("variant", variant, str, "the name of a variant")
    expect("data", data, Data, "what zoo.prepare returns")
    expect("out", out, (str, Path, None), "a path")
    expect("storage", storage, (str, None), "text: an Optuna URL")
    expect("study_name", study_name, (str, None), "text")
    expect("jobs", jobs, (int, None), "a whole number")
    folder, name = None if out is None else Path(out), study_name or variant
    plan = plan_of(variant, data, checked(StudySettings, settings, "tune"))
    if not plan.search.ranges:
        raise InputError(f"variant '{variant}' has nothing to tune: it declares no range (zoo show {variant})")
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}")
    if jobs is not None and plan.code.kind == "program":
        raise InputError(
            f"worker processes do not import {plan.code.name}, which registers '{variant}': leave out jobs"
        )
    try:
        with quiet(), tracking_of(track, name) as tracking, opened_storage(storage, folder) as trials:
            study, stop = _opened_study(trials, name, plan), stop or threading.Event()
            group = study_run(name, storage, folder)
            tracking.begin(group)
            losses: dict[int, dict[int, float]] = {}  # by trial and epoch

            def listen(event: TrialEvent) -> None:
                if event.epoch is not None and event.valid_loss is not None:
                    losses.setdefault(event.number, {})[event.epoch] = event.valid_loss
                if event.trial is not None:
                    tracking.log(partial(trial_run, plan, event.trial, group, losses.pop(event.number, None)))
                on_event(event)

            supervisor = Supervisor(plan, name, trials, listen, stop)
            try:
                if jobs is None:
                    supervisor.run_here()
                else:
                    supervisor.run_on_workers(jobs, crew_of(engine))
            finally:
                result = _result(plan, study)
                if folder is not None:
                    notes = write_files(result, folder, storage=storage_name(storage, folder), command=command)
                    result = replace(result, notes=(*result.notes, *notes))
            for trial in study.get_trials():
                if trial.state.is_finished():
                    tracking.log(partial(trial_run, plan, trial, group))
            if not stop.is_set():
                tracking.log(partial(ended_run, result, folder, group))
            return result
    except (StorageInternalError, SQLAlchemyError, OSError) as error:
        raise InputError(
            f"the storage of study '{name}' failed ({cause_of(error)}): repeat the command to go on with the study"
        ) from error


@dataclass(frozen=True)
class Studies:
    """The studies of a suite that can run: plans and folders by variant, and notes for the user."""

    suite: str
    plans: dict[str, Plan]
    folders: dict[str, Path]
    notes: tuple[str, ...]


def studies_of(
    suite: Suite,
    names: Sequence[str],
    out: Path | None = None,
    *,
    fix: Mapping[str, Any],
    ranges: Mapping[str, Any],
) -> Studies:
    """The studies of `names` (["all"]: of the suite's models, without those that have nothing to tune).

    out: the folder of a single variant, or of one folder for each variant (default: results/tune/<variant>). fix,
    ranges: beat what the suite's [tune] sets for the same parameter. Raises InputError for a wrong request.
    """
    is_all = list(names) == ["all"]
    data = prepare_from(suite.data.model_dump(), suite.problem.model_dump())
    chosen = list(dict.fromkeys(n for text in names for n in named(text))) if not is_all else []
    chosen = chosen or chosen_models(suite.run, classifiers=bool(data.classes))
    plans, unsuitable = {}, []
    for name in chosen:
        try:
            plans[name] = plan_of(name, data, _settings(name, suite, chosen, fix, ranges))
        except Unsuitable:
            if not is_all:
                raise
            unsuitable.append(name)
    constant = [name for name, plan in plans.items() if not plan.search.ranges]
    plans = {name: plan for name, plan in plans.items() if name not in constant}
    if not plans or (constant and not is_all):
        raise InputError(
            f"nothing to tune in {', '.join(constant)}: no range is declared or given (zoo show {constant[0]})"
        )
    is_single = not is_all and len(plans) == 1
    folders = {name: out if out and is_single else (out or Path("results/tune")) / name for name in plans}
    notes = [*data.notes, *([f"nothing to tune in {', '.join(constant)}"] if constant else [])]
    notes += [f"left out, because they cannot do this task: {', '.join(unsuitable)}"] if unsuitable else []
    return Studies(suite.name, plans, folders, tuple(notes))


def tune_all(
    studies: Studies,
    *,
    on_event: Listener,
    stop: threading.Event,
    storage: str | None = None,
    study: str | None = None,
    jobs: int | None = None,
    engine: Engine = executor,
    command: str | None = None,
    tracking: Tracking = NOWHERE,
) -> dict[str, StudyResult]:
    """The results by variant, of those that began.

    study: the studies are called <study>-<variant>, by default after the suite. Several variants run side by side,
    each one trial after the other, as many as there are jobs; jobs beyond that go to workers inside a study.
    tracking: gets the trials. Ctrl-C sets `stop` and ends the studies early; the same call goes on. Raises InputError
    for a folder that contains another study when it is that variant's turn, and the others then stop too.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}")
    count = len(studies.plans)
    jobs = jobs or min(engine.default_jobs(next(iter(studies.plans.values())).device), count)
    with quiet(), ThreadPoolExecutor(min(jobs, count)) as pool:
        futures = {
            name: pool.submit(
                tune,
                name,
                plan.data,
                study_name=f"{study or studies.suite}-{name}",
                storage=storage,
                out=studies.folders[name],
                jobs=max(1, jobs // count),
                engine=engine,
                command=command,
                track=tracking,
                on_event=partial(on_event, name),
                stop=stop,
                **dict(plan.settings),
            )
            for name, plan in studies.plans.items()
        }
        with suppress(KeyboardInterrupt):
            wait_for(list(futures.values()), stop)
        for future in futures.values() if stop.is_set() else ():
            future.cancel()
    return {name: future.result() for name, future in futures.items() if not future.cancelled()}


def _settings(
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


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's log and its warnings of experimental features."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def _opened_study(storage: optuna.storages.BaseStorage, name: str, plan: Plan) -> optuna.Study:
    """The study called `name`, new or as it was left; raises InputError for one of another request."""
    objectives, request = plan.settings.objectives, plan.request()
    directions = [StudyDirection.MINIMIZE] * len(objectives)
    study = optuna.create_study(study_name=name, storage=storage, directions=directions, load_if_exists=True)
    first_request = study.user_attrs.get(REQUEST)
    if first_request is None and not study.get_trials(deepcopy=False) and study.directions == directions:
        study.set_user_attr(REQUEST, request)
        if len(objectives) > 1:
            study.set_metric_names(list(objectives))
    elif not isinstance(first_request, dict):
        raise InputError(f"study '{name}' in this storage was not made by zoo tune: choose another --study or --out")
    else:
        first_request = {"code": request["code"], **first_request}  # an earlier version did not record it
        differing = [key for key, value in request.items() if first_request.get(key) != value]
        if differing:
            raise InputError(
                f"study '{name}' in this storage differs from this request in its {', '.join(differing)}: choose "
                "another --out or --study, or repeat the first request"
            )
    if plan.settings.sampler != "grid":
        study.enqueue_trial(*plan.search.start(), skip_if_exists=True)
    return study


def _result(plan: Plan, study: optuna.Study) -> StudyResult:
    """The study's state, with notes on its budget and on whether it can be repeated."""
    result = StudyResult(plan, study, cost_of(study.get_trials(deepcopy=False)))
    notes, timeout = [], plan.settings.timeout
    if timeout is not None and result.cost.trials < plan.trials and result.cost.busy_seconds >= timeout:
        notes.append(f"the timeout of {timeout:g} s ended the study after {result.cost.trials} of {plan.trials} trials")
    if not result.is_reproducible:
        notes.append(
            "another run would give other trials: these ran side by side, depended on a clock, or one was lost"
        )
    return replace(result, notes=tuple(notes))
