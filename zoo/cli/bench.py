"""zoo bench: a suite to rows and a report."""

import sys
import time as clock
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from zoo.cli import options
from zoo.cli.app import app, examples
from zoo.cli.options import option
from zoo.cli.progress import counter, duration_text, left_text, progress_line
from zoo.errors import InputError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from zoo.cell import AccuracyRow
    from zoo.run.bench import Plan
    from zoo.run.executor import Event
    from zoo.run.many import Whole


@app.command(
    epilog=examples(
        "zoo bench prices.csv --targets close",
        "zoo bench prices.csv --targets close --models lstm,naive --out results/mine",
        "zoo bench benchmarks/suites/sp500.toml --set fit.max_epochs=50 --jobs 2",
        "zoo bench standard --preset quick --out results/quick",
    )
)
def bench(
    sources: options.Sources,
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
    preset: Annotated[
        str | None, option(options.RUN, "A smaller run that a benchmark offers: quick, for standard.")
    ] = None,
    force: Annotated[
        bool, option(options.RUN, "Measure cells again even if they already have rows.", "--force")
    ] = False,
    out: Annotated[Path | None, option(options.OUTPUT, "Output folder (default: results/NAME).")] = None,
    minimum_skill: options.MinimumSkill = "0.5%",
    as_json: options.Json = False,
) -> None:
    """Run a suite, every variant on a data file, or a benchmark; repeat the command to resume a stopped run."""
    from zoo.report.folder import write_report
    from zoo.run.bench import run_suite
    from zoo.run.many import run_suites

    least = options.share_of(minimum_skill, "--minimum-skill")
    changes = {
        "data": options.data_changes(targets, columns, channels, time, missing),
        "problem": options.problem_changes(lookback, horizon, split, scaler, normalise),
        "run": {"models": options.names_in(models), "seeds": seeds},
    }
    suites, is_many = options.suites_from(sources, changes, settings or [], preset)
    if is_many and (tuned is not None or as_json):
        raise InputError("--tuned and --json belong to a single suite: run them one by one")
    shared: dict[str, Any] = {
        "device": device,
        "jobs": jobs,
        "cell_timeout": cell_timeout,
        "force": force,
        "command": options.typed_line(),
    }
    with progress_line() as bar:
        if is_many:
            folder, meter = out or Path("results"), Meter(bar)
            runs = []
            for suite, run in run_suites(
                suites,
                folder,
                **shared,
                on_whole=lambda whole: _announce(whole, meter),
                on_plan=lambda suite, plan: meter.listener(plan, f"{suite.name}: "),
            ):
                runs.append(run)
                if not run.is_stopped:
                    write_report(folder / suite.name, minimum_skill=least)
            cells = meter.total
        else:
            (suite,) = suites
            folder = out or Path("results") / (f"{suite.name}-tuned" if tuned else suite.name)
            runs = [run_suite(suite, folder, tuned=tuned, **shared, on_plan=Meter(bar).planned)]
            cells = runs[0].cells
    if runs[-1].is_stopped:
        done = sum(len(run.rows) for run in runs)
        print(f"stopped: {done} of {cells} cells are done; repeat the command to resume", file=sys.stderr)
        sys.exit(130)
    if is_many:
        _show_leaderboard(folder, least)
    else:
        _report(folder, runs[0].rows, least, as_json=as_json)
    sys.exit(1 if any(row.error for run in runs for row in run.rows) else 0)


def _announce(whole: "Whole", meter: "Meter") -> None:
    """Say what is about to run, and how long it will take here."""
    text = f"{whole.suites} suites, {whole.variants} variants, {whole.cells} cells"
    if len(whole.seconds) < whole.cells:
        text += f", {len(whole.seconds)} of them to run"
    workers = "1 worker" if whole.jobs == 1 else f"{whole.jobs} workers"
    duration = duration_text(sum(whole.seconds.values()) / whole.jobs)
    print(f"{text}: about {duration} with {workers}", file=sys.stderr)
    meter.expect(whole.cells, whole.seconds)


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


def _show_leaderboard(folder: Path, minimum_skill: float) -> None:
    """Write the leaderboard of all runs in the folder, and print its answer and its table."""
    from zoo.report.folder import write_leaderboard

    try:
        text, left_out = write_leaderboard(folder, minimum_skill=minimum_skill)
    except InputError as error:  # a variant or two have reports, and no order
        print(f"no leaderboard: {error}", file=sys.stderr)
    else:
        print(text.split("\n## Problems", 1)[0])
        options.print_notes(left_out)
    print(f"each problem's rows and report.md are in {folder}/NAME, the leaderboard in {folder}/README.md")


class Meter:
    """The progress of one suite, or of several: counter, bar and time left."""

    def __init__(self, bar: "Progress") -> None:
        self.bar, self.ended, self.total = bar, 0, 0
        self.seconds: Mapping[str, float] = {}
        self.done, self.started = 0.0, clock.monotonic()
        self.task: TaskID | None = None

    def expect(self, total: int, seconds: Mapping[str, float]) -> None:
        """total: cells with and without rows; seconds: what those to run are expected to take, by key."""
        self.total, self.seconds, self.started = total, seconds, clock.monotonic()
        count = len(seconds)
        self.task = self.bar.add_task("", total=count, left="", counter=counter(0, count), visible=count > 0)

    def planned(self, plan: "Plan") -> "Callable[[Event], None]":
        """The listener of a single suite, whose cells count alike."""
        self.expect(len(plan.cells), dict.fromkeys((cell.key for cell in plan.waiting), 1.0))
        return self.listener(plan, "")

    def listener(self, plan: "Plan", prefix: str) -> "Callable[[Event], None]":
        """Print the plan's notes; return a listener that prints each finished cell and keeps the bar up to date."""
        options.print_notes([prefix + note for note in plan.notes])
        activities: dict[int, str] = {}  # by the worker's number
        return lambda event: self._show(event, prefix, activities)

    def _show(self, event: "Event", prefix: str, activities: dict[int, str]) -> None:
        from rich.markup import escape

        assert self.task is not None
        count, name = len(self.seconds), f"{prefix}{event.cell.variant} seed {event.cell.seed}"
        if event.row is not None:
            self.ended += 1
            self.done += self.seconds.get(event.cell.key, 0.0)
            activities.pop(event.worker, None)
            line = f"[{counter(self.ended, count)}] {name}: {_outcome(event.row)}"
            self.bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif event.epoch is not None:
            loss = event.epoch["valid_loss"]
            losses = f"validation loss {loss:.3g}" if loss is not None else f"loss {event.epoch['train_loss']:.3g}"
            activities[event.worker] = f"{name} epoch {event.epoch['epoch']}, {losses}"
        else:
            activities[event.worker] = f"{name} starts"
        left = left_text(clock.monotonic() - self.started, self.done, sum(self.seconds.values()))
        text = escape(" | ".join(activities[worker] for worker in sorted(activities)))
        self.bar.update(
            self.task, completed=self.ended, description=text, left=left, counter=counter(self.ended, count)
        )


def _outcome(row: "AccuracyRow") -> str:
    if row.error is not None or row.metrics is None or row.train_seconds is None:
        return f"failed: {row.error}" + (f" (details: {row.traceback})" if row.traceback else "")
    rmse, skill = options.error_text(row.metrics.rmse), options.skill_text(row.metrics.skill)
    return f"rmse {rmse}, skill {skill}, {row.epochs} epochs, {row.train_seconds:.1f} s"
