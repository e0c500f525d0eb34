"""The terminal: sections as rich tables that fit its width, the answer first."""

import re
from collections.abc import Sequence
from dataclasses import replace

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zoo.report.board import Board
from zoo.report.board_section import board_section
from zoo.report.section import Captioned, Section
from zoo.report.tables import INTERVAL
from zoo.report.text_table import Text, TextTable, fits, rich_table

WIDER = "A wider terminal shows more columns, as does report.md."
MOST_TARGETS = 3  # columns of a table that is printed in parts


def show(console: Console, boards: Sequence[Board], speed: Section | None = None) -> None:
    """Print each board, and then speed: the answer, the main table, how to read it, and then the details."""
    for section in [*map(board_section, boards), *([speed] if speed is not None else [])]:
        answer, *findings = section.sentences
        console.print(f"[bold]{escape(section.title)}[/bold]\n\n[bold]{escape(answer)}[/bold]\n", highlight=False)
        is_whole = True
        for number, block in enumerate(section.blocks or [None]):
            if isinstance(block, Captioned):
                if block.title:
                    console.print(block.title, style="bold", markup=False, highlight=False)
                is_whole &= show_table(console, block.table, *block.narrow)
                if block.caption:
                    caption = block.caption if is_whole else f"{block.caption} {WIDER}"
                    console.print(caption, style="dim", markup=False, highlight=False)
                    is_whole = True
            if number == 0:
                console.print("", *findings, "", sep="\n", markup=False, highlight=False)
        for sentence in section.failures:
            console.print(f"[red]failed:[/red] {escape(sentence)}", highlight=False)


def show_table(console: Console, table: TextTable, *choices: tuple[str, ...]) -> bool:
    """Print the table with all columns, or the first choice of columns that fits; returns whether all are shown.

    Where none fits, the last choice is printed without deviations and breaks lines between words. Without choices,
    the table is printed in parts.
    """
    for names in (table.header, *choices):
        if fits(console, drawn := rich_table(table.only(*names))):
            console.print(drawn)
            return names == table.header
    first, *figures = table.header
    if choices or len(figures) <= MOST_TARGETS:
        console.print(_narrow(console, table.only(*(choices or [table.header])[-1])))
        return not choices
    for place in range(0, len(figures), MOST_TARGETS):
        show_table(console, table.only(first, *figures[place : place + MOST_TARGETS]))
    return True


def _narrow(console: Console, table: TextTable) -> Table:
    """Means alone, without borders; labels break between words, and intervals too where labels need the room."""
    rows = tuple(tuple(Text(re.sub(r" ± \S+", "", cell.text), cell.is_best) for cell in row) for row in table.rows)
    drawn = rich_table(replace(table, rows=rows))
    drawn.box, drawn.show_edge, drawn.pad_edge, drawn.collapse_padding = box.SIMPLE_HEAD, False, False, True
    drawn.columns[0].min_width = None
    needed = console.measure(drawn, options=console.options.update(max_width=1000)).minimum
    for column, name in zip(drawn.columns, table.header, strict=True):
        if name == INTERVAL and needed > console.width:
            column.no_wrap, column.max_width = False, len("interval")
    return drawn
