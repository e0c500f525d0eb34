"""The terminal: speed rows as rich tables and sentences."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from zoo.report.board import Row
from zoo.report.text_table import TextTable, rich_table
from zoo.speed.report.method import failures
from zoo.speed.report.rows import thinned
from zoo.speed.report.sheets import fullest, sheets
from zoo.speed.report.tables import THROUGHPUT_LEGEND, throughput_table
from zoo.speed.report.verdict import speed_verdict


def show_speed(console: Console, rows: Sequence[Row]) -> None:
    """Print each sheet's windows per second, as many columns as there is room for, and the sentences."""
    is_narrow = False
    found = sheets(rows)
    shown = fullest(found)
    for sheet in shown:
        table = throughput_table(sheet)
        title = f"{sheet.title}: windows/s"
        chosen = next((some for some in _narrower(table) if _fits(console, some, title)), table.only("variant"))
        is_narrow = is_narrow or chosen.header != table.header
        console.print(rich_table(chosen, title))
    hint = " A wider terminal shows more columns, as does report.md." if is_narrow else ""
    if len(shown) < len(found):
        hint += " Lookbacks of few variants are in report.md."
    console.print(f"[dim]{escape(THROUGHPUT_LEGEND + hint)}[/dim]")
    for failure in failures(rows):
        console.print(f"[red]failed[/red] {escape(failure)}")
    first, *more = speed_verdict(rows)
    console.print(f"[bold]{escape(first)}[/bold]", *(escape(sentence) for sentence in more), sep="\n")


def _narrower(table: TextTable) -> list[TextTable]:
    """The table, then without parameters, then with ever fewer batch sizes."""
    variant, _, *batches = table.header
    counts = range(len(batches), 1, -1)
    fewer = [[batches[place] for place in thinned(range(len(batches)), count)] for count in counts]
    return [table, *(table.only(variant, *some) for some in [*fewer, batches[-1:]])]


def _fits(console: Console, table: TextTable, title: str) -> bool:
    wanted = console.measure(rich_table(table, title), options=console.options.update(max_width=1000)).maximum
    return wanted <= console.width
