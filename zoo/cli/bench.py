"""zoo bench: a suite to rows and a report."""

import sys
import time as clock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    Set,
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

if TYPE_CHECKING:
    from rich.progress import Progress

    from zoo.cell import AccuracyRow
    from zoo.run.bench import Plan
    from zoo.run.executor import Event

EXAMPLES = """
Examples:\n
  zoo bench prices.csv --targets close\n
  zoo bench prices.csv --targets close --models lstm,bilstm,naive --seeds 3 --out results/mine\n
  zoo bench benchmarks/suites/sp500.toml --set fit.max_epochs=50 --jobs 2
"""


@app.command(epilog=EXAMPLES)
def bench(
    source: Annotated[
        str, typer.Argument(metavar="SUITE.toml | DATA", help="A suite file, a data file or a built-in name.")
    ],
    targets: Targets = None,
    lookback: Lookback = None,
    horizon: Horizon = None,
    split: SplitText = None,
    scaler: Scaling = None,
    normalise: Normalising = None,
    models: Annotated[str | None, typer.Option(help="Variants: lstm,naive (default: all).")] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each variant that learns at random (default: 5).")] = None,
    columns: Columns = None,
    channels: Channels = None,
    time: Time = None,
    missing: Missing = None,
    settings: Set = None,
    tuned: Annotated[
        Path | None, typer.Option(help="A folder that zoo tune wrote: run its settings beside the suite's own.")
    ] = None,
    device: Device = "auto",
    jobs: Annotated[int | None, typer.Option(help="Worker processes (default: cores on CPU, else 1).")] = None,
    out: Annotated[Path | None, typer.Option(help="Output folder (default: results/NAME).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Measure cells again that already have rows.")] = False,
    as_json: Json = False,
) -> None:
    """Run a suite, or every variant on a data file; a stopped run goes on where it was."""
    from zoo.run.bench import run_suite

    changes = {
        "data": data_changes(targets, columns, channels, time, missing),
        "problem": problem_changes(lookback, horizon, split, scaler, normalise),
        "run": {"models": names_in(models), "seeds": seeds},
    }
    suite = suite_from(source, changes, settings or [])
    folder = out or Path("results") / (f"{suite.name}-tuned" if tuned else suite.name)
    with _progress() as on_plan:
        run = run_suite(
            suite,
            folder,
            device=device,
            jobs=jobs,
            force=force,
            tuned=tuned,
            command=typed_line(),
            on_plan=on_plan,
        )
    if run.is_stopped:
        print(f"stopped: {len(run.rows)} of {run.cells} cells are done; the same command goes on", file=sys.stderr)
        sys.exit(130)
    _report(folder, run.rows, as_json=as_json)
    sys.exit(1 if any(row.error for row in run.rows) else 0)


def _report(folder: Path, rows: "tuple[AccuracyRow, ...]", *, as_json: bool) -> None:
    """Write the report of all rows in the folder, and show the boards of this run's rows."""
    from zoo.report.evidence import judged
    from zoo.report.folder import write_report
    from zoo.report.summary import summary
    from zoo.report.terminal import show

    report = write_report(folder)
    boards = judged(report.frame[report.frame["key"].isin([row.key for row in rows])])
    if as_json:
        print_json(summary(boards))
    else:
        show(table_console(), boards)
        print(f"rows, predictions and report.md are in {folder}")


@contextmanager
def _progress() -> "Iterator[Callable[[Plan], Callable[[Event], None]]]":
    """A callback for run_suite: prints the plan's notes, then shows variant, seed, epoch, loss and time left."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def on_plan(plan: "Plan") -> "Callable[[Event], None]":
            for note in plan.notes:
                print(f"note: {note}", file=sys.stderr)
            if not plan.waiting:
                return lambda _: None
            if not sys.stderr.isatty():
                return _plain(len(plan.waiting))
            return _live(stack.enter_context(progress_line()), len(plan.waiting))

        yield on_plan


def _plain(count: int) -> "Callable[[Event], None]":
    ended = 0

    def on_event(event: "Event") -> None:
        nonlocal ended
        if event.row is not None:
            ended += 1
            print(f"[{ended}/{count}] {_outcome(event.row)}", file=sys.stderr, flush=True)

    return on_event


def _live(bar: "Progress", count: int) -> "Callable[[Event], None]":
    from rich.markup import escape

    task = bar.add_task("", total=count, left="", counter=counter(0, count))
    workers: dict[int, str] = {}
    started = clock.monotonic()
    ended = 0

    def on_event(event: "Event") -> None:
        nonlocal ended
        name = f"{event.cell.variant} seed {event.cell.seed}"
        if event.row is not None:
            ended += 1
            workers.pop(event.worker, None)
            bar.console.print(escape(_outcome(event.row)), highlight=False)
        elif event.epoch is not None:
            loss = event.epoch["valid_loss"]
            shown = f"validation loss {loss:.3g}" if loss is not None else f"loss {event.epoch['train_loss']:.3g}"
            workers[event.worker] = f"{name} epoch {event.epoch['epoch']}, {shown}"
        else:
            workers[event.worker] = f"{name} starts"
        left = left_text(clock.monotonic() - started, ended, count)
        text = escape(" | ".join(workers[worker] for worker in sorted(workers)))
        bar.update(task, completed=ended, description=text, left=left, counter=counter(ended, count))

    return on_event


def _outcome(row: "AccuracyRow") -> str:
    name = f"{row.variant} seed {row.seed}"
    if row.error is not None or row.metrics is None or row.train_seconds is None:
        details = f" (details: {row.traceback})" if row.traceback else ""
        return f"{name}: failed: {row.error}{details}"
    skill = row.metrics.skill
    shown = "skill undefined" if skill is None else f"skill {round(100 * skill, 2) + 0.0:+.2f} %"
    rmse = "undefined" if row.metrics.rmse is None else f"{row.metrics.rmse:.5g}"
    return f"{name}: rmse {rmse}, {shown}, {row.epochs} epochs, {row.train_seconds:.1f} s"
