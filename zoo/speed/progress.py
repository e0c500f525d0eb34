"""Progress of a speed run: one line with the time left on a terminal, a plain line for each row elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from zoo.run.store import Row
from zoo.speed.cells import SpeedCell


class Reporter:
    """Says what is being timed and what came out; `visits` are all visits of all cells."""

    def __init__(self, cells: int, visits: int, bar: Progress | None) -> None:
        self.cells, self.visits, self.bar = cells, visits, bar
        self.ended, self.seen, self.began = 0, 0, time.monotonic()
        self.task = bar.add_task("starting", total=visits, left="") if bar is not None else None

    def starts(self, cell: SpeedCell) -> None:
        """A visit begins."""
        self.seen += 1
        if self.bar is not None and self.task is not None:
            spent, done = time.monotonic() - self.began, self.seen - 1
            seconds = spent * (self.visits - done) / done if done else None
            left = "" if seconds is None else f"about {seconds // 60:.0f}:{seconds % 60:02.0f} left"
            self.bar.update(self.task, completed=done, description=escape(named(cell)), left=left)

    def ends(self, cell: SpeedCell, row: Row, *, is_complete: bool) -> None:
        """A visit ended; a row that is complete is told."""
        if not is_complete:
            return
        self.ended += 1
        text = f"{named(cell)}: {_outcome(row)}"
        if self.bar is not None:
            self.bar.console.print(escape(text), highlight=False)
        else:
            print(f"[{self.ended}/{self.cells}] {text}", file=sys.stderr, flush=True)

    def again(self, visits: int) -> None:
        """Cells that met no calm machine are visited once more."""
        self.visits += visits
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, total=self.visits)
        cells = "1 cell" if visits == 1 else f"{visits} cells"
        self.says(f"once more: the machine was busy whenever {cells} ran")

    def says(self, text: str) -> None:
        """Something else of note."""
        if self.bar is not None:
            self.bar.console.print(escape(text), highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)


@contextmanager
def reporter(cells: int, visits: int) -> Iterator[Reporter]:
    """A reporter on standard error, for as long as the run lasts."""
    if not sys.stderr.isatty() or not cells:
        yield Reporter(cells, visits, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[left]}"), console=Console(stderr=True), transient=True) as bar:
        yield Reporter(cells, visits, bar)


def named(cell: SpeedCell) -> str:
    """A cell in a few words."""
    extra = [word for word in (cell.dtype, cell.mode) if word not in ("float32", "eager")]
    return " ".join([cell.variant, cell.phase, *extra, f"batch {cell.batch_size} lookback {cell.lookback}"])


def _outcome(row: Row) -> str:
    if row["error"] is not None:
        return f"failed: {row['error']}"
    step, rate = row["step_seconds"], row["windows_per_second"]["median"]
    settled = "" if row["is_settled"] else ", not settled"
    return f"{1e3 * step['median']:.4g} ms a step, {rate:,.0f} windows/s{settled}"
