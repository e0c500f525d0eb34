"""The terminal: boards as rich tables."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zoo.report.board import Board
from zoo.report.markdown import legend
from zoo.report.tables import INTERVAL, P_NAIVE, accuracy_table, target_table, tuning_table
from zoo.report.text_table import rich_table
from zoo.report.verdict import verdict

MIDDLE = ("variant", "rmse", "skill %", INTERVAL, P_NAIVE, "seeds", "train s")
NARROW = ("variant", "rmse", "skill %", "train s")  # what a terminal of 80 columns has room for


def show(console: Console, found: Sequence[Board]) -> None:
    """Print each board's table and verdict."""
    for board in found:
        problem = board.problem
        what = f"{', '.join(problem['targets'])} of {board.data['source']}"
        title = f"{what}, {problem['horizon']} ahead from {problem['lookback']}"
        whole = accuracy_table(board)
        tables = [rich_table(table, title) for table in (whole, whole.only(*MIDDLE), whole.only(*NARROW))]
        fitting = [number for number, table in enumerate(tables) if _width(console, table) <= console.width]
        number = fitting[0] if fitting else len(tables) - 1
        console.print(tables[number])
        tuning = tuning_table(board)
        if tuning is not None:
            console.print(rich_table(tuning, None))
        per_target = target_table(board)
        if per_target is not None:
            console.print(rich_table(per_target, None))
        hint = " A wider terminal shows more columns, as does report.md." if number > 0 else ""
        console.print(f"[dim]{escape(legend(board) + hint)}[/dim]")
        for line in board.lines:
            for row in line.failed:
                console.print(f"[red]failed[/red] {escape(line.label)}, seed {row['seed']}: {escape(row['error'])}")
        first, *more = verdict(board)
        console.print(f"[bold]{escape(first)}[/bold]", *(escape(sentence) for sentence in more), sep="\n")


def _width(console: Console, table: Table) -> int:
    return console.measure(table, options=console.options.update(max_width=1000)).maximum
