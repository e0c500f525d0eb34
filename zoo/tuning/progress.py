"""Progress of studies: one live line each on a terminal, one plain line per ended trial elsewhere; on stderr."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from zoo.tuning.supervisor import TrialEvent

Listener = Callable[[str, TrialEvent], None]


@contextmanager
def progress(budgets: Mapping[str, int], timeout: float | None) -> Iterator[Listener]:
    """A callback for the events of the studies of `budgets`, trials by variant."""
    if not sys.stderr.isatty():
        yield _plain(budgets)
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        yield _live(bar, budgets, timeout)


def _plain(budgets: Mapping[str, int]) -> Listener:
    def on_event(variant: str, event: TrialEvent) -> None:
        if event.trial is not None and event.cost is not None:
            done = f"[{variant} {event.cost.trials}/{budgets[variant]}]"
            print(f"{done} {_outcome(event)}", file=sys.stderr, flush=True)

    return on_event


def _live(bar: Progress, budgets: Mapping[str, int], timeout: float | None) -> Listener:
    tasks: dict[str, TaskID] = {}
    tally: dict[str, str] = {}
    before: dict[str, float] = {}
    started = time.monotonic()

    def on_event(variant: str, event: TrialEvent) -> None:
        if variant not in tasks:
            tasks[variant] = bar.add_task(escape(variant), total=budgets[variant], state="")
        doing = f"trial {event.number}"
        if event.epoch is not None:
            doing += f" epoch {event.epoch}, validation loss {event.valid_loss:.4g}"
        if event.trial is not None and event.cost is not None:
            cost = event.cost
            bar.console.print(escape(f"{variant}: {_outcome(event)}"), highlight=False)
            before.setdefault(variant, cost.trials - 1)
            tally[variant] = f"{cost.pruned} pruned, {cost.failed} failed" + (
                f", best {event.best:.5g}" if event.best is not None else ""
            )
            here = cost.trials - before[variant]
            left = (time.monotonic() - started) / max(here, 1) * (budgets[variant] - cost.trials)
            if timeout is not None:
                left = min(left, max(0.0, timeout - cost.busy_seconds))
            tally[variant] += f", about {left // 60:.0f}:{left % 60:02.0f} left"
            bar.update(tasks[variant], completed=cost.trials, state=tally[variant])
            if cost.trials >= budgets[variant]:
                bar.update(tasks[variant], visible=False)
            return
        bar.update(tasks[variant], state=", ".join(filter(None, (tally.get(variant), doing))))

    return on_event


def _outcome(event: TrialEvent) -> str:
    """How a trial ended, in words."""
    trial = event.trial
    assert trial is not None
    name = f"trial {trial.number}"
    known = trial.user_attrs
    if trial.state.name == "PRUNED":
        return f"{name}: pruned after epoch {trial.last_step}"
    if trial.state.name == "FAIL":
        return f"{name}: failed: {known.get('error', 'no reason given')}"
    is_best = trial.values[0] == event.best
    shown = ", ".join(f"{value:.6g}" for value in trial.values)
    return f"{name}: {shown}{' (best)' if is_best else ''}, {known['epochs']} epochs, {known['train_seconds']:.1f} s"
