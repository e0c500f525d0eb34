"""The terminal: boards as rich tables."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zoo.report.board import Row, boards
from zoo.report.markdown import legend
from zoo.report.tables import TextTable, accuracy_table, target_table
from zoo.report.verdict import verdict

WIDE = 125  # columns of text that the whole table needs
NARROW = ("variant", "rmse", "skill %", "seeds", "parameters", "train s")


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print each problem's table and verdict."""
    for board in boards(rows):
        problem = board.problem
        what = f"{', '.join(problem['targets'])} of {board.data['source']}"
        title = f"{what}, {problem['horizon']} ahead from {problem['lookback']}"
        table = accuracy_table(board)
        is_narrow = console.width < WIDE
        console.print(_table(table.only(*NARROW) if is_narrow else table, title))
        per_target = target_table(board)
        if per_target is not None:
            console.print(_table(per_target, None))
        hint = " A wider terminal shows mae, r2 and windows/s, as does report.md." if is_narrow else ""
        console.print(f"[dim]{escape(legend(board) + hint)}[/dim]")
        for line in board.lines:
            for row in line.failed:
                console.print(f"[red]failed[/red] {escape(line.label)}, seed {row['seed']}: {escape(row['error'])}")
        first, *more = verdict(board)
        console.print(f"[bold]{escape(first)}[/bold]", *(escape(sentence) for sentence in more), sep="\n")


def _table(table: TextTable, title: str | None) -> Table:
    shown = Table(title=escape(title) if title else None, title_justify="left", title_style="bold")
    for number, name in enumerate(table.header):
        shown.add_column(escape(name), justify="left" if number == 0 else "right", no_wrap=number == 0)
    for cells, is_baseline in zip(table.rows, table.baseline, strict=True):
        texts = [f"[bold]{escape(cell.text)}[/bold]" if cell.is_best else escape(cell.text) for cell in cells]
        texts[0] += " (b)" if is_baseline else ""
        shown.add_row(*texts, style="dim" if is_baseline else "")
    return shown
