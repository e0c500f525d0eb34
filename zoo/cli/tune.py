"""zoo tune: studies of variants."""

import json
import sys
import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import (
    Channels,
    Columns,
    Device,
    Horizon,
    Json,
    Lookback,
    Missing,
    Normalising,
    Scaling,
    SplitText,
    Targets,
    Time,
    data_changes,
    names_in,
    print_json,
    problem_changes,
    suite_from,
    table_console,
    typed_line,
)
from zoo.cli.progress import counter, left_text, progress_line
from zoo.errors import InputError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from zoo.tuning.result import StudyResult
    from zoo.tuning.suite import Listener, Studies
    from zoo.tuning.supervisor import TrialEvent

EXAMPLES = """
Examples:\n
  zoo tune lstm prices.csv --targets close --trials 30 --out results/tune-lstm\n
  zoo tune all benchmarks/suites/sp500.toml --trials 30\n
  zoo tune bilstm sp500 --targets close --fix hidden_size=64 --range lookback=7:60
"""


@app.command(epilog=EXAMPLES)
def tune(
    names: Annotated[str, typer.Argument(metavar="NAME|all", help="A variant, several (a,b), or all of the suite's.")],
    source: Annotated[
        str, typer.Argument(metavar="SUITE.toml | DATA", help="A suite file, a data file or a built-in name.")
    ],
    trials: Annotated[int | None, typer.Option(help="Trials of each variant (default: 50).")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a variant begins no further trial.")
    ] = None,
    fix: Annotated[
        list[str] | None, typer.Option(help="Fix a parameter: hidden_size=64 or fit.max_epochs=50; repeatable.")
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range", help="Search a range: hidden_size=32:512:log, lookback=7:60, fit.optimizer=adam,sgd; repeatable."
        ),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(help="Trainings of each trial, whose mean is its value (default: 1).")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="tpe, random, grid, gp or cmaes (default: tpe).")] = None,
    pruner: Annotated[
        str | None, typer.Option(help="median, hyperband or none (default: median; none with several objectives).")
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(help="To minimise: valid_loss, latency_ms, parameter_count, train_seconds (default: valid_loss)."),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="Optuna storage URL that several machines share (default: a database in OUT).")
    ] = None,
    study: Annotated[str | None, typer.Option(help="Name of the study (default: SUITE-VARIANT).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the search and its trainings (default: 0).")] = None,
    targets: Targets = None,
    lookback: Lookback = None,
    horizon: Horizon = None,
    split: SplitText = None,
    scaler: Scaling = None,
    normalise: Normalising = None,
    columns: Columns = None,
    channels: Channels = None,
    time: Time = None,
    missing: Missing = None,
    device: Device = "auto",
    jobs: Annotated[
        int | None, typer.Option(help="Worker processes (default: one per variant, as many as cores on CPU).")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder; several variants: one in it for each (default: results/tune)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Search hyperparameters on the validation part, each variant on the same budget; a stopped study goes on."""
    from zoo.tuning.storage import shown
    from zoo.tuning.suite import tune_suite

    search = {"trials": trials, "timeout": timeout, "seed": seed, "repeats": repeats, "sampler": sampler}
    changes = {
        "data": data_changes(targets, columns, channels, time, missing),
        "problem": problem_changes(lookback, horizon, split, scaler, normalise),
        "run": {},
        "fit": {"device": None if device == "auto" else device},
        "tune": {**search, "pruner": pruner, "objectives": names_in(objectives)},
    }
    with _progress() as on_studies:
        outcome = tune_suite(
            suite_from(source, changes, []),
            names_in(names) or [],
            out,
            fix=_settings("--fix", fix),
            ranges=_settings("--range", ranges),
            storage=storage,
            study=study,
            jobs=jobs,
            command=typed_line({storage: shown(storage, None)} if storage else {}),
            on_studies=on_studies,
        )
    results = outcome.results
    if outcome.is_stopped:
        counts = ", ".join(f"{name} {result.cost.trials} of {result.plan.trials}" for name, result in results.items())
        print(f"stopped after trials: {counts or 'none'}; the same command goes on", file=sys.stderr)
        sys.exit(130)
    for name, result in results.items():
        for note in result.notes:
            print(f"note: {name}: {note}", file=sys.stderr)
    if as_json:
        paths = [outcome.studies.folders[name] / "best.json" for name in results]
        print_json([json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()])
    else:
        _show(results, list(outcome.studies.folders.values()))
    sys.exit(1 if any(result.cost.complete == 0 for result in results.values()) else 0)


def _settings(option: str, given: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE options by key: the values of --fix as numbers where they are numbers, ranges as text."""
    from zoo.space import scalar

    values = {}
    for setting in given or []:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not (key and equals and value):
            example = "hidden_size=64" if option == "--fix" else "hidden_size=32:512:log"
            raise InputError(f"{option} takes KEY=VALUE such as {example}, got '{setting}'")
        values[key] = scalar(value) if option == "--fix" else value
    return values


def _show(results: "Mapping[str, StudyResult]", folders: "Sequence[Path]") -> None:
    """A line for each study: its loss at the start, the best one, and the cost."""
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    table.add_column("variant", no_wrap=True)
    objective = next(iter(results.values())).objectives[0]
    for header in ("at the start", f"best {objective}", "lower by %", "trials", "pruned", "failed", "seconds"):
        table.add_column(header, justify="right")
    for name, result in results.items():
        cost, start = result.cost, result.start_value
        best = result.best_value if cost.complete else None
        table.add_row(
            escape(name),
            "-" if start is None else f"{start:.6g}",
            "-" if best is None else f"{best:.6g}",
            "-" if best is None or not start else f"{100 * (1 - best / start):.2f}",
            *(str(count) for count in (cost.trials, cost.pruned, cost.failed)),
            f"{cost.seconds:.1f}",
        )
    console = table_console()
    console.print(table)
    for name, result in results.items():
        if result.cost.complete and len(result.objectives) > 1:
            _show_front(console, name, result)
        elif result.cost.complete:
            print(f"{name}: {_trial_text(result, result.best_trial)}")
    if any(result.cost.complete for result in results.values()):
        place = folders[0] if len(folders) == 1 else folders[0].parent / "*"
        print(f"best.json, trials.jsonl and pictures are in {place}")


def _show_front(console: "Console", name: str, result: "StudyResult") -> None:
    """The trials that no other beats in every objective."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"Pareto front of {escape(name)}", title_justify="left")
    for header in ("trial", *result.objectives):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("settings")
    for trial in sorted(result.study.best_trials, key=lambda trial: trial.values[0]):
        values = [f"{value:,.0f}" if value == int(value) else f"{value:.6g}" for value in trial.values]
        table.add_row(str(trial.number), *values, escape(_trial_text(result, trial)))
    console.print(table)


def _trial_text(result: "StudyResult", trial: "FrozenTrial") -> str:
    """The searched settings of a trial."""
    settings = result.search.ran(trial)
    return ", ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in settings.items())


@contextmanager
def _progress() -> "Iterator[Callable[[Studies], Listener]]":
    """A callback for tune_suite: prints notes, then one line for each study on a terminal, or for each trial."""
    with ExitStack() as stack:

        def on_studies(studies: "Studies") -> "Listener":
            for note in studies.notes:
                print(f"note: {note}", file=sys.stderr)
            budgets = {name: settings.trials for name, settings in studies.settings.items()}
            if not sys.stderr.isatty():
                return _plain(budgets)
            timeout = next(iter(studies.settings.values())).timeout
            return _live(stack.enter_context(progress_line()), budgets, timeout)

        yield on_studies


def _plain(budgets: "Mapping[str, int]") -> "Listener":
    def on_event(variant: str, event: "TrialEvent") -> None:
        if event.trial is not None and event.cost is not None:
            count = counter(event.cost.trials, budgets[variant])
            print(f"[{variant} {count}] {_outcome(event)}", file=sys.stderr, flush=True)

    return on_event


def _live(bar: "Progress", budgets: "Mapping[str, int]", timeout: float | None) -> "Listener":
    from rich.markup import escape

    tasks: dict[str, TaskID] = {}
    best: dict[str, str] = {}
    first: dict[str, int] = {}  # trials of earlier calls
    started = clock.monotonic()

    def on_event(variant: str, event: "TrialEvent") -> None:
        total = budgets[variant]
        if variant not in tasks:
            tasks[variant] = bar.add_task("", total=total, left="", counter=counter(0, total))
        task = tasks[variant]
        if event.trial is None or event.cost is None:
            epoch = "" if event.epoch is None else f" epoch {event.epoch}, validation loss {event.valid_loss:.4g}"
            bar.update(task, description=escape(f"{variant}{best.get(variant, '')}, trial {event.number}{epoch}"))
            return
        bar.console.print(escape(f"{variant}: {_outcome(event)}"), highlight=False)
        ended = event.cost.trials
        earlier = first.setdefault(variant, ended - 1)
        best[variant] = "" if event.best is None else f" best {event.best:.5g}"
        longest = None if timeout is None else timeout - event.cost.busy_seconds
        left = left_text(clock.monotonic() - started, ended - earlier, total - earlier, longest)
        bar.update(task, completed=ended, left=left, counter=counter(ended, total), visible=ended < total)

    return on_event


def _outcome(event: "TrialEvent") -> str:
    """How a trial ended, in words."""
    trial = event.trial
    assert trial is not None
    if trial.state.name == "PRUNED":
        return f"trial {trial.number}: pruned after epoch {trial.last_step}"
    if trial.state.name == "FAIL":
        return f"trial {trial.number}: failed: {trial.user_attrs.get('error', 'no reason given')}"
    values = ", ".join(f"{value:.6g}" for value in trial.values)
    is_best = " (best)" if trial.values[0] == event.best else ""
    epochs, seconds = trial.user_attrs["epochs"], trial.user_attrs["train_seconds"]
    return f"trial {trial.number}: {values}{is_best}, {epochs} epochs, {seconds:.1f} s"
