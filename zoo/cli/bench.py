"""zoo bench: a suite to rows and a report."""

import sys
import time as clock
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from zoo.cli import options
from zoo.cli.app import app, examples
from zoo.cli.options import option
from zoo.cli.progress import counter, left_text, progress_line

if TYPE_CHECKING:
    from rich.progress import Progress

    from zoo.cell import AccuracyRow
    from zoo.run.bench import Plan
    from zoo.run.executor import Event


@app.command(
    epilog=examples(
        "zoo bench prices.csv --targets close",
        "zoo bench prices.csv --targets close --models lstm,naive --out results/mine",
        "zoo bench benchmarks/suites/sp500.toml --set fit.max_epochs=50 --jobs 2",
    )
)
def bench(
    source: options.Source,
    targets: options.Targets = None,
    lookback: options.Lookback = None,
    horizon: options.Horizon = None,
    split: options.SplitText = None,
    scaler: options.Scaling = None,
    normalise: options.Normalising = None,
    columns: options.Columns = None,
    channels: options.Channels = None,
    time: options.Time = None,
    missing: options.Missing = None,
    models: Annotated[str | None, option(options.MODELS, "Variants: lstm,naive (default: all).")] = None,
    seeds: Annotated[
        int | None, option(options.MODELS, "Runs of each variant that learns at random (default: 5).")
    ] = None,
    settings: options.Set = None,
    tuned: Annotated[
        Path | None,
        option(options.MODELS, "A folder that zoo tune wrote: run its settings beside the suite's own."),
    ] = None,
    device: options.Device = "auto",
    jobs: Annotated[int | None, option(options.RUN, "Worker processes (default: cores on CPU, else 1).")] = None,
    cell_timeout: Annotated[
        float | None, option(options.RUN, "Seconds after which a single run is ended and fails (default: none).")
    ] = None,
    force: Annotated[
        bool, option(options.RUN, "Measure cells again even if they already have rows.", "--force")
    ] = False,
    out: Annotated[Path | None, option(options.OUTPUT, "Output folder (default: results/NAME).")] = None,
    minimum_skill: options.MinimumSkill = "0.5%",
    as_json: options.Json = False,
) -> None:
    """Run a suite, or every variant on a data file; repeat the command to resume a stopped run."""
    from zoo.run.bench import run_suite

    least = options.share_of(minimum_skill, "--minimum-skill")
    changes = {
        "data": options.data_changes(targets, columns, channels, time, missing),
        "problem": options.problem_changes(lookback, horizon, split, scaler, normalise),
        "run": {"models": options.names_in(models), "seeds": seeds},
    }
    suite = options.suite_from(source, changes, settings or [])
    folder = out or Path("results") / (f"{suite.name}-tuned" if tuned else suite.name)
    with progress_line() as bar:
        run = run_suite(
            suite,
            folder,
            device=device,
            jobs=jobs,
            cell_timeout=cell_timeout,
            force=force,
            tuned=tuned,
            command=options.typed_line(),
            on_plan=lambda plan: _listener(plan, bar),
        )
    if run.is_stopped:
        print(f"stopped: {len(run.rows)} of {run.cells} cells are done; repeat the command to resume", file=sys.stderr)
        sys.exit(130)
    _report(folder, run.rows, least, as_json=as_json)
    sys.exit(1 if any(row.error for row in run.rows) else 0)


def _report(folder: Path, rows: "tuple[AccuracyRow, ...]", minimum_skill: float, *, as_json: bool) -> None:
    """Write the report of all rows in the folder, and show the boards of this run's rows."""
    from zoo.report.evidence import judged
    from zoo.report.folder import write_report
    from zoo.report.summary import summary
    from zoo.report.terminal import show

    frame = write_report(folder, minimum_skill=minimum_skill).frame
    boards = judged(frame[frame["key"].isin([row.key for row in rows])], minimum_skill=minimum_skill)
    if as_json:
        options.print_json(summary(boards))
    else:
        show(options.table_console(), boards)
        print(f"rows, predictions and report.md are in {folder}")


def _listener(plan: "Plan", bar: "Progress") -> "Callable[[Event], None]":
    """Print the plan's notes; return a listener that prints each finished cell and keeps the bar up to date."""
    from rich.markup import escape

    options.print_notes(plan.notes)
    count, ended, started = len(plan.waiting), 0, clock.monotonic()
    task = bar.add_task("", total=count, left="", counter=counter(0, count), visible=count > 0)
    activities: dict[int, str] = {}  # by the worker's number

    def on_event(event: "Event") -> None:
        nonlocal ended
        name = f"{event.cell.variant} seed {event.cell.seed}"
        if event.row is not None:
            ended += 1
            activities.pop(event.worker, None)
            line = f"[{counter(ended, count)}] {name}: {_outcome(event.row)}"
            bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif event.epoch is not None:
            loss = event.epoch["valid_loss"]
            losses = f"validation loss {loss:.3g}" if loss is not None else f"loss {event.epoch['train_loss']:.3g}"
            activities[event.worker] = f"{name} epoch {event.epoch['epoch']}, {losses}"
        else:
            activities[event.worker] = f"{name} starts"
        left = left_text(clock.monotonic() - started, ended, count)
        text = escape(" | ".join(activities[worker] for worker in sorted(activities)))
        bar.update(task, completed=ended, description=text, left=left, counter=counter(ended, count))

    return on_event


def _outcome(row: "AccuracyRow") -> str:
    if row.error is not None or row.metrics is None or row.train_seconds is None:
        return f"failed: {row.error}" + (f" (details: {row.traceback})" if row.traceback else "")
    rmse, skill = options.error_text(row.metrics.rmse), options.skill_text(row.metrics.skill)
    return f"rmse {rmse}, skill {skill}, {row.epochs} epochs, {row.train_seconds:.1f} s"
