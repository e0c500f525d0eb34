"""zoo tune: studies of variants."""

import json
import sys
import threading
import time as clock
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli import options
from zoo.cli.app import app, examples
from zoo.cli.data_options import takes_data
from zoo.cli.options import option
from zoo.cli.progress import counter, left_text, progress_line
from zoo.errors import InputError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from zoo.tuning.result import StudyResult
    from zoo.tuning.study import Listener, Studies
    from zoo.tuning.supervisor import TrialEvent

study_option = partial(option, "The study")
Text = str | None
Texts = list[str] | None


@app.command(
    epilog=examples(
        "zoo tune lstm prices.csv --targets close --trials 30 --out results/tune-lstm",
        "zoo tune all benchmarks/suites/sp500.toml --trials 30",
        "zoo tune bilstm sp500 --targets close --range lookback=7:60",
    )
)
@takes_data(without=["folds", "sliding", "test"])
def tune(
    names: Annotated[str, typer.Argument(metavar="NAME|all", help="A variant, several (a,b), or all of the suite's.")],
    source: Annotated[
        str, typer.Argument(metavar="SUITE.toml | DATA", help="A suite file, a data file or a built-in name.")
    ],
    trials: Annotated[int | None, study_option("Trials of each variant (default: 50).")] = None,
    timeout: Annotated[float | None, study_option("Seconds after which a variant starts no new trial.")] = None,
    fix: Annotated[Texts, study_option("Fix a parameter: hidden_size=64 or fit.max_epochs=50; repeatable.")] = None,
    ranges: Annotated[
        Texts,
        study_option("Search a range: dropout=0:0.3, lookback=7:60, fit.optimizer=adam,sgd; repeatable.", "--range"),
    ] = None,
    repeats: Annotated[int | None, study_option("Trainings per trial; their mean is its value (default: 1).")] = None,
    folds: Annotated[
        int | None, study_option("Validation parts per trial, each further one earlier in time (default: 1).")
    ] = None,
    sampler: Annotated[Text, study_option("tpe, random, grid, gp or cmaes (default: tpe).")] = None,
    pruner: Annotated[
        Text, study_option("median, hyperband or none (default: median; several objectives: none).")
    ] = None,
    objectives: Annotated[
        Text, study_option("valid_loss (default), latency_ms, parameter_count or train_seconds; or several.")
    ] = None,
    storage: Annotated[Text, study_option("URL of a database for several machines (default: a file in OUT).")] = None,
    study: Annotated[Text, study_option("Name of the study (default: SUITE-VARIANT).")] = None,
    seed: Annotated[int | None, study_option("Seed of the search and its trainings (default: 0).")] = None,
    *,
    changes: dict[str, dict[str, Any]],
    device: options.Device = "auto",
    jobs: Annotated[
        int | None, study_option("Worker processes (default: one per variant, at most one per core).")
    ] = None,
    engine: options.Engine = "local",
    needs: options.Needs = None,
    out: Annotated[
        Path | None,
        study_option("Output folder; each of several variants gets a folder in it (default: results/tune)."),
    ] = None,
    track: options.Track = None,
    as_json: options.Json = False,
) -> None:
    """Search hyperparameters on validation rows, each variant on the same budget; repeat the command to resume."""
    from zoo.run.server import start_early

    if engine == "local":
        start_early("zoo.tuning.trial")
    from zoo.run.engine import engine_of
    from zoo.tuning.storage import storage_name
    from zoo.tuning.study import studies_of, tune_all

    search = {"trials": trials, "timeout": timeout, "seed": seed, "repeats": repeats, "folds": folds}
    changes |= {
        "run": {},
        "fit": {"device": None if device == "auto" else device},
        "tune": {**search, "sampler": sampler, "pruner": pruner, "objectives": options.names_in(objectives)},
    }
    suite, variants = options.suite_from(source, changes, []), options.names_in(names) or []
    studies = studies_of(suite, variants, out, fix=_settings("--fix", fix), ranges=_settings("--range", ranges))
    options.print_notes(studies.notes)
    secret = {storage: storage_name(storage, None)} if storage else {}
    stop, command = threading.Event(), options.typed_line(secret, track)
    bar = progress_line()
    shared: dict[str, Any] = {"storage": storage, "study": study, "jobs": jobs, "command": command}
    shown = bar if sys.stderr.isatty() else nullcontext()
    tracked = options.tracked(track, *(f"{study or studies.suite}-{name}" for name in studies.plans))
    with tracked as shared["tracking"], shown, engine_of(engine, needs) as shared["engine"]:
        results = tune_all(studies, on_event=_listener(studies, bar), stop=stop, **shared)
    if stop.is_set():
        counts = ", ".join(f"{name} {result.cost.trials} of {result.plan.trials}" for name, result in results.items())
        print(f"stopped after trials: {counts or 'none'}; repeat the command to resume", file=sys.stderr)
        sys.exit(130)
    for name, result in results.items():
        options.print_notes([f"{name}: {note}" for note in result.notes])
    if as_json:
        paths = [folder / "best.json" for folder in studies.folders.values()]
        options.print_json([json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()])
    else:
        _show(results, studies)
    sys.exit(1 if any(result.cost.complete == 0 for result in results.values()) else 0)


def _settings(option: str, texts: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE options by key: the values of --fix as numbers where they are numbers, ranges as text."""
    from zoo.space import scalar

    values = {}
    for text in texts or []:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (key and equals and value):
            example = "hidden_size=64" if option == "--fix" else "hidden_size=32:512:log"
            raise InputError(f"{option} takes KEY=VALUE such as {example}, got '{text}'")
        values[key] = scalar(value) if option == "--fix" else value
    return values


def _show(results: "dict[str, StudyResult]", studies: "Studies") -> None:
    """A line for each study: its objective at the start, the best one, and the cost; then the best settings."""
    from rich import box
    from rich.table import Table

    objective = next(iter(results.values())).objectives[0]
    table = Table(title=f"{objective}: start settings and best trial", title_justify="left", box=box.SIMPLE_HEAD)
    table.pad_edge, table.collapse_padding = False, True
    for header in ("variant", "start", "best", "lower by", "trials", "pruned", "failed", "seconds"):
        table.add_column(header, justify="left" if header == "variant" else "right", no_wrap=True)
    complete = {name: result for name, result in results.items() if result.cost.complete}
    for name, result in results.items():
        cost, start = result.cost, result.start_value
        best = result.best_value if name in complete else None
        lower = "-" if best is None or not start else f"{100 * (1 - best / start):.2f} %"
        counts = (cost.trials, cost.pruned, cost.failed)
        table.add_row(name, _number(start), _number(best), lower, *map(str, counts), f"{cost.seconds:,.0f}")
    console = options.table_console()
    console.print(table)
    for name, result in complete.items():
        trials = sorted(result.study.best_trials, key=lambda trial: (trial.values[0], trial.number))
        is_front = len(result.objectives) > 1
        if is_front:
            print(f"Pareto front of {name}: no other trial is better in every objective")
        for trial in trials if is_front else trials[:1]:
            values = zip(result.objectives, map(_number, trial.values), strict=True)
            settings = result.plan.search.settings_of(trial).items()
            texts = [f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in settings]
            numbers = ", ".join(f"{objective} {value}" for objective, value in values)
            line = f"{name}, trial {trial.number}: {numbers} with {', '.join(texts)}"
            console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    if complete:
        folders = list(studies.folders.values())
        print(f"best.json, trials.jsonl and pictures are in {folders[0] if len(folders) == 1 else folders[0].parent}")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) else f"{value:.5g}"


def _listener(studies: "Studies", bar: "Progress") -> "Listener":
    """A listener that prints each trial that ends, and keeps a progress line for each running study."""
    from rich.markup import escape

    tasks: dict[str, TaskID] = {}
    earlier: dict[str, int] = {}  # trials of earlier calls
    started = clock.monotonic()

    def on_event(variant: str, event: "TrialEvent") -> None:
        total, timeout = studies.plans[variant].trials, studies.plans[variant].settings.timeout
        if variant not in tasks:
            tasks[variant] = bar.add_task("", total=total, left="", counter=counter(0, total), best="")
        task = tasks[variant]
        if event.cost is None:
            epoch = "" if event.epoch is None else f" epoch {event.epoch}, validation loss {event.valid_loss:.4g}"
            best = bar.tasks[task].fields["best"]
            bar.update(task, description=escape(f"{variant}{best}, trial {event.number}{epoch}"))
            return
        ended = event.cost.trials
        line = f"[{variant} {counter(ended, total)}] {_outcome(event)}"
        bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        before = earlier.setdefault(variant, ended - 1)
        best = "" if event.best is None else f" best {event.best:.5g}"
        longest = None if timeout is None else timeout - event.cost.busy_seconds
        left = left_text(clock.monotonic() - started, ended - before, total - before, longest)
        bar.update(task, completed=ended, left=left, counter=counter(ended, total), best=best, visible=ended < total)

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
