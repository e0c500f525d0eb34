"""tune_suite: the variants of a suite, each searched on the same budget, and what the user sees meanwhile."""

import json
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from zoo.errors import InputError
from zoo.registry import named
from zoo.run.process import default_jobs
from zoo.suite import Suite, chosen_models, prepare_from
from zoo.train.config import FitConfig
from zoo.train.fit import resolve_device
from zoo.tuning.progress import progress
from zoo.tuning.quiet import quiet
from zoo.tuning.result import StudyResult
from zoo.tuning.search import START, applicable, search_for
from zoo.tuning.study import tune

TRIALS = 50


def tune_suite(
    suite: Suite,
    names: Sequence[str],
    out: Path | None,
    changes: Mapping[str, Any],
    *,
    storage: str | None = None,
    study: str | None = None,
    jobs: int | None = None,
    device: str = "auto",
    command: str | None = None,
    as_json: bool = False,
) -> int:
    """Tune `names` (["all"]: the suite's models), each into its own folder; 1 if one found nothing, else 0.

    out: the folder of a single variant, or of one folder per variant (default: results/tune/<variant>).
    changes: settings over the suite's [tune]. Several variants run side by side, each one trial after the
    other, as many as there are jobs; jobs beyond that go to workers inside a study. Ctrl-C returns 130.
    Raises InputError for a wrong request before anything runs; for a folder that holds another study when it
    is that variant's turn, and the others then stop too.
    """
    settings = suite.tune.model_dump() | {key: value for key, value in changes.items() if value is not None}
    many = list(names) == ["all"]
    chosen = chosen_models(suite.run) if many else list(dict.fromkeys(name for text in names for name in named(text)))
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}")
    config = FitConfig.of({**suite.fit, **({"device": device} if device != "auto" else {})})
    data = prepare_from(suite.data.model_dump(), suite.problem.model_dump())
    own_fix, own_ranges = {}, {}
    in_suite = list(dict.fromkeys([*chosen_models(suite.run), *chosen]))  # it may speak of more than is tuned now
    for name in chosen:  # what is typed beats what the suite says of the same parameter
        fix, ranges = (applicable(changes.get(key) or {}, name, chosen) for key in ("fix", "range"))
        kept_fix, kept_ranges = (applicable(given, name, in_suite) for given in (suite.tune.fix, suite.tune.range))
        own_fix[name] = {key: value for key, value in kept_fix.items() if key not in ranges} | fix
        own_ranges[name] = {key: value for key, value in kept_ranges.items() if key not in fix} | ranges
    still = []
    for name in chosen:
        search = search_for(
            name,
            data,
            params=suite.models.get(name, {}),
            config=config,
            fix=own_fix[name],
            ranges=own_ranges[name],
        )
        if not search.ranges:
            still.append(name)
    if still and not many:
        raise InputError(f"nothing to tune in {', '.join(still)}: no range is declared or given (zoo show {still[0]})")
    waiting = [name for name in chosen if name not in still]
    if not waiting:
        raise InputError(f"nothing to tune in {', '.join(still)}: no range is declared or given")
    for note in data.notes:
        print(f"note: {note}", file=sys.stderr)
    if still:
        print(f"note: nothing to tune in {', '.join(still)}", file=sys.stderr)
    is_single = not many and len(waiting) == 1
    folders = {name: out if out and is_single else (out or Path("results/tune")) / name for name in waiting}
    jobs = jobs or min(default_jobs(resolve_device(config.device).type), len(waiting))
    stop = threading.Event()
    trials = TRIALS if settings["trials"] is None else settings["trials"]

    with (
        quiet(),
        progress(dict.fromkeys(waiting, trials), settings["timeout"]) as on_event,
        ThreadPoolExecutor(min(jobs, len(waiting))) as pool,
    ):
        futures = {
            name: pool.submit(
                tune,
                name,
                data,
                trials=trials,
                timeout=settings["timeout"],
                seed=settings["seed"],
                repeats=settings["repeats"],
                sampler=settings["sampler"],
                pruner=settings["pruner"],
                objectives=settings["objectives"],
                params=suite.models.get(name, {}),
                config=config,
                fix=own_fix[name],
                ranges=own_ranges[name],
                storage=storage,
                out=folders[name],
                study_name=f"{study or suite.name}-{name}",
                jobs=max(1, jobs // len(waiting)),
                on_event=partial(on_event, name),
                stop=stop,
                command=command,
            )
            for name in waiting
        }
        try:
            while not all(future.done() for future in futures.values()):
                wait(futures.values(), timeout=0.2)
                if any(future.done() and future.exception() for future in futures.values()):
                    stop.set()
        except KeyboardInterrupt:
            stop.set()
            for future in futures.values():
                future.cancel()
    if error := next((future.exception() for future in futures.values() if _failed(future)), None):
        raise error
    results = {name: future.result() for name, future in futures.items() if not future.cancelled()}
    if stop.is_set():
        done = ", ".join(f"{name} {result.cost.trials}" for name, result in results.items())
        print(f"stopped after trials: {done} of {trials}; the same command goes on from there", file=sys.stderr)
        return 130
    _show(results, folders, as_json=as_json)
    return 1 if any(result.cost.complete == 0 for result in results.values()) else 0


def _failed(future: Any) -> bool:
    return not future.cancelled() and future.exception() is not None


def _show(results: Mapping[str, StudyResult], folders: Mapping[str, Path], *, as_json: bool) -> None:
    """A line per study: what it began with, what it found, what that cost."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    for name, result in results.items():
        for note in result.notes:
            print(f"note: {name}: {note}", file=sys.stderr)
    if as_json:
        kept = [folders[name] / "best.json" for name in results]
        print(json.dumps([json.loads(path.read_text(encoding="utf-8")) for path in kept if path.exists()], indent=2))
        return
    table = Table()
    table.add_column("variant", no_wrap=True)
    objective = next(iter(results.values())).objectives[0]
    for header in ("at the start", f"best {objective}", "lower by %", "trials", "pruned", "failed", "seconds"):
        table.add_column(header, justify="right")
    for name, result in results.items():
        cost = result.cost
        known = result.study.get_trials(deepcopy=False)
        start = next((t.values[0] for t in known if START in t.user_attrs and t.state.name == "COMPLETE"), None)
        best = result.best_value if cost.complete else None
        table.add_row(
            escape(name),
            "-" if start is None else f"{start:.6g}",
            "-" if best is None else f"{best:.6g}",
            "-" if start is None or best is None or start == 0 else f"{100 * (1 - best / start):.2f}",
            *(str(count) for count in (cost.trials, cost.pruned, cost.failed)),
            f"{cost.seconds:.1f}",
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for name, result in results.items():
        if result.cost.complete and len(result.objectives) > 1:
            _show_front(console, name, result)
        elif result.cost.complete:
            print(f"{name}: {_settings(result, result.best_trial)}")
    where = next(iter(folders.values()))
    if any(result.cost.complete for result in results.values()):
        print(f"best.json, trials.jsonl and pictures are in {where if len(folders) == 1 else where.parent / '*'}")


def _show_front(console: Any, name: str, result: StudyResult) -> None:
    """The trials that no other beats in every objective."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"Pareto front of {escape(name)}", title_justify="left")
    for header in ("trial", *result.objectives):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("settings")
    for trial in sorted(result.study.best_trials, key=lambda trial: trial.values[0]):
        values = [f"{value:,.0f}" if value == int(value) else f"{value:.6g}" for value in trial.values]
        table.add_row(str(trial.number), *values, escape(_settings(result, trial)))
    console.print(table)


def _settings(result: StudyResult, trial: FrozenTrial) -> str:
    """What a trial ran, of what was searched."""
    shown = result.search.ran(trial)
    return ", ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in shown.items())
