"""The meter of zoo bench: what has ended, what runs now, and the time left."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rich.markup import escape

from zoo.cli import options
from zoo.cli.progress import counter, duration_text, left_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from zoo.cell import AccuracyRow
    from zoo.run.bench import Plan
    from zoo.run.executor import Event
    from zoo.run.many import SuitesPlan


class Meter:
    """The progress of one suite, or of several: counter, bar and time left."""

    def __init__(self, bar: "Progress") -> None:
        self.bar, self.ended, self.total = bar, 0, 0
        self.seconds: Mapping[str, float] = {}
        self.done, self.started = 0.0, time.monotonic()
        self.task: TaskID | None = None

    def expect(self, total: int, seconds: Mapping[str, float]) -> None:
        """total: cells with and without rows; seconds: what those to run are expected to take, by key."""
        self.total, self.seconds, self.started = total, seconds, time.monotonic()
        count = len(seconds)
        self.task = self.bar.add_task("", total=count, left="", counter=counter(0, count), visible=count > 0)

    def announce(self, plan: "SuitesPlan") -> None:
        """Say what several suites are about to do, and how long it will take here."""
        text = f"{plan.suites} suites, {plan.variants} variants, {plan.cells} cells"
        if len(plan.seconds) < plan.cells:
            text += f", {len(plan.seconds)} of them to run"
        workers = "1 worker" if plan.jobs == 1 else f"{plan.jobs} workers"
        duration = duration_text(sum(plan.seconds.values()) / plan.jobs)
        print(f"{text}: about {duration} with {workers}", file=sys.stderr)
        self.expect(plan.cells, plan.seconds)

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
        left = left_text(time.monotonic() - self.started, self.done, sum(self.seconds.values()))
        text = escape(" | ".join(activities[worker] for worker in sorted(activities)))
        self.bar.update(
            self.task, completed=self.ended, description=text, left=left, counter=counter(self.ended, count)
        )


def _outcome(row: "AccuracyRow") -> str:
    if row.error is not None or row.metrics is None or row.train_seconds is None:
        return f"failed: {row.error}" + (f" (details: {row.traceback})" if row.traceback else "")
    error = options.errors_text(row.metrics.model_dump())
    return f"{error}, skill {options.skill_text(row.metrics.skill)}, {row.epochs} epochs, {row.train_seconds:.1f} s"
