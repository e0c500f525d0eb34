"""The progress line of a terminal: its counter and its time left stay, whatever the width."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def progress_line() -> "Progress":
    """A progress line on standard error, where that is a terminal.

    Tasks have the fields `counter` and `left`, and a description. Counter and time left come first, so that a narrow
    terminal cuts only the description.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    return Progress(
        TextColumn("{task.fields[counter]}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True)),
        TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        console=Console(stderr=True),
        transient=True,
        expand=True,
        disable=not sys.stderr.isatty(),
    )


def counter(ended: int, count: int) -> str:
    """How many have ended, and how many there are, as `3/10`."""
    return f"{ended}/{count}"


def duration_text(seconds: float) -> str:
    """Whole minutes, or seconds where there are few: `2 h 05 min`, `7 min`, `40 s`."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return "{} h {:02} min".format(*divmod(minutes, 60))
    return f"{minutes} min" if minutes >= 2 else f"{round(seconds)} s"


def left_text(seconds: float, ended: float, count: float, longest: float | None = None) -> str:
    """The time left, as `about 3:20 left`, from the pace so far; empty before the first end.

    longest: seconds after which the work ends in any case.
    """
    if not ended:
        return ""
    left = seconds * (count - ended) / ended
    left = left if longest is None else max(0.0, min(left, longest))
    return "about {}:{:02} left".format(*divmod(round(left), 60))
