"""Progress: live lines on a terminal, one plain line per cell elsewhere; always on stderr."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from zoo.run.executor import Event
from zoo.suite import Cell


@contextmanager
def progress(cells: Sequence[Cell]) -> Iterator[Callable[[Event], None]]:
    """A callback for the executor's events that shows variant, seed, epoch, validation loss and time left."""
    if not cells:
        yield lambda _: None
    elif not sys.stderr.isatty():
        yield _plain(len(cells))
    else:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            transient=True,
        )
        with bar:
            yield _live(bar, cells)


def _plain(count: int) -> Callable[[Event], None]:
    ended = 0

    def on_event(event: Event) -> None:
        nonlocal ended
        if event.row is not None:
            ended += 1
            print(f"[{ended}/{count}] {_outcome(event)}", file=sys.stderr, flush=True)

    return on_event


def _live(bar: Progress, cells: Sequence[Cell]) -> Callable[[Event], None]:
    whole = bar.add_task("cells", total=len(cells), left="")
    workers: dict[int, str] = {}
    started = time.monotonic()
    ended = 0

    def on_event(event: Event) -> None:
        nonlocal ended
        name = f"{event.cell.variant} seed {event.cell.seed}"
        if event.row is not None:
            ended += 1
            workers.pop(event.worker, None)
            bar.console.print(escape(_outcome(event)), highlight=False)
            bar.advance(whole)
        elif event.epoch is not None:
            loss = event.epoch["valid_loss"]
            shown = f"validation loss {loss:.3g}" if loss is not None else f"loss {event.epoch['train_loss']:.3g}"
            workers[event.worker] = f"{name} epoch {event.epoch['epoch']}, {shown}"
        else:
            workers[event.worker] = f"{name} starts"
        seconds = (time.monotonic() - started) * (len(cells) - ended) / ended if ended else None
        left = "" if seconds is None else f"about {seconds // 60:.0f}:{seconds % 60:02.0f} left"
        bar.update(whole, description=escape(" | ".join(workers[w] for w in sorted(workers))) or "cells", left=left)

    return on_event


def _outcome(event: Event) -> str:
    row = event.row
    assert row is not None
    name = f"{row['variant']} seed {row['seed']}"
    if row["error"] is not None:
        return f"{name}: failed: {row['error']}"
    skill = row["metrics"]["skill"]
    shown = "skill undefined" if skill is None else f"skill {round(100 * skill, 2) + 0.0:+.2f} %"
    return f"{name}: rmse {row['metrics']['rmse']:.5g}, {shown}, {row['epochs']} epochs, {row['train_seconds']:.1f} s"
