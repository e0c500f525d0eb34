"""The meter of zoo bench: what has ended, what runs now, and the time left."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from zoo.cli import options
from zoo.cli.progress import counter, duration_text, left_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from zoo.cell import AccuracyRow, Cell
    from zoo.data.dataset import Data
    from zoo.run.bench import Plan
    from zoo.run.executor import Event
    from zoo.run.many import SuitesPlan


class Meter:
    """The progress of one suite, or of several: counter, bar and time left."""

    def __init__(self, bar: "Progress") -> None:
        self.bar, self.ended, self.total, self.workers = bar, 0, 0, 1
        self.seconds: Mapping[str, float] = {}
        self.done, self.all, self.started = 0.0, 0.0, time.monotonic()  # seconds of cells, and the clock
        self.task: TaskID | None = None

    def expect(self, total: int, seconds: Mapping[str, float]) -> None:
        """total: cells with and without rows; seconds: what those to run are expected to take, by key."""
        self.total, self.seconds, self.all, self.started = total, seconds, sum(seconds.values()), time.monotonic()
        count = len(seconds)
        self.task = self.bar.add_task("", total=count, left="", counter=counter(0, count), visible=count > 0)

    def announce(self, plan: "SuitesPlan") -> None:
        """Say what several suites are about to do, and how long it will take here."""
        self.total, self.workers = plan.cells, plan.jobs
        self._say(f"{plan.suites} suites, {plan.variants} variants", plan.seconds)
        self.expect(plan.cells, plan.seconds)

    def planned(self, plan: "Plan") -> "Callable[[Event], None]":
        """The listener of a single suite, whose cells count alike until `expected` is called."""
        self.workers = plan.workers
        self.expect(len(plan.cells), dict.fromkeys((cell.key for cell in plan.waiting), 1.0))
        return self.listener(plan, "")

    def expected(self, cells: "Sequence[Cell]", data: "Data") -> Mapping[str, float]:
        """The seconds that cells of a single suite may take here; says how long all of them will, where any is
        trained."""
        from zoo.run.pace import expected_seconds

        seconds = expected_seconds(cells, data)
        if any(cell.fit is not None for cell in cells):
            variants = len({cell.variant for cell in cells})
            self._say("1 variant" if variants == 1 else f"{variants} variants", seconds)
        self.seconds, self.all = seconds, sum(seconds.values())  # no cell has ended yet
        return seconds

    def _say(self, text: str, seconds: Mapping[str, float]) -> None:
        from zoo.run.pace import wall_seconds

        text += ", 1 cell" if self.total == 1 else f", {self.total} cells"
        text += f", {len(seconds)} of them to run" if len(seconds) < self.total else ""
        workers = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        duration = duration_text(wall_seconds(seconds.values(), self.workers))
        line = f"{text}: about {duration} with {workers}"
        self.bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def listener(self, plan: "Plan", prefix: str) -> "Callable[[Event], None]":
        """Print the plan's notes; return a listener that prints each finished cell and keeps the bar up to date."""
        options.print_notes([prefix + note for note in plan.notes])
        activities: dict[int, str] = {}  # by the worker's number
        return lambda event: self._show(event, prefix, activities)

    def _show(self, event: "Event", prefix: str, activities: dict[int, str]) -> None:
        assert self.task is not None
        problem = event.cell.problem
        fold = f" fold {problem.fold + 1}/{problem.folds}" if problem.folds > 1 else ""
        count, name = len(self.seconds), f"{prefix}{event.cell.variant} seed {event.cell.seed}{fold}"
        if event.row is not None:
            self.ended += 1
            self.done += self.seconds.get(event.cell.key, 0.0)
            activities.pop(event.worker, None)
            line = f"[{counter(self.ended, count)}] {name}: {_outcome(event.row)}"
            self.bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif event.again is not None:
            activities.pop(event.worker, None)
            line = f"{name}: {event.again}; it runs again"
            self.bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif event.epoch is not None:
            loss = event.epoch["valid_loss"]
            losses = f"validation loss {loss:.3g}" if loss is not None else f"loss {event.epoch['train_loss']:.3g}"
            activities[event.worker] = f"{name} epoch {event.epoch['epoch']}, {losses}"
        else:
            activities[event.worker] = f"{name} starts"
        left = left_text(time.monotonic() - self.started, self.done, self.all)
        text = escape(" | ".join(activities[worker] for worker in sorted(activities)))
        self.bar.update(
            self.task, completed=self.ended, description=text, left=left, counter=counter(self.ended, count)
        )


def _outcome(row: "AccuracyRow") -> str:
    if row.error is not None or row.metrics is None or row.train_seconds is None:
        return f"failed: {row.error}" + (f" (details: {row.traceback})" if row.traceback else "")
    error = options.errors_text(row.metrics.model_dump())
    return f"{error}, skill {options.skill_text(row.metrics.skill)}, {row.epochs} epochs, {row.train_seconds:.1f} s"
