"""The terminal: boards as rich tables that fit its width, the answer first."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zoo.report.board import Board
from zoo.report.markdown import TUNING_LEGEND, failures, legend
from zoo.report.tables import INTERVAL, P_NAIVE, accuracy_table, target_table, tuning_table, without_spreads
from zoo.report.text_table import TextTable, fits, rich_table
from zoo.report.verdict import verdict

VERDICT = ("variant", "rmse", "skill %", INTERVAL, P_NAIVE)  # these stay at any width
MIDDLE = (*VERDICT, "seeds", "train s")
TUNING = ("variant", "default skill %", "tuned skill %", "gain")
WIDER = "A wider terminal shows more columns, as does report.md."


def show(console: Console, boards: Sequence[Board]) -> None:
    """Print each board: the answer, the table, how to read it, and then the details."""
    for board in boards:
        answer, *findings = verdict(board)
        console.print(f"[bold]{escape(board.title)}[/bold]\n\n[bold]{escape(answer)}[/bold]\n", highlight=False)
        is_whole = show_table(console, accuracy_table(board), MIDDLE, VERDICT)
        _print_dim(console, legend(board) + ("" if is_whole else f" {WIDER}"))
        if findings:
            console.print("\n" + "\n".join(findings) + "\n", markup=False, highlight=False)
        tuning, per_target = tuning_table(board), target_table(board)
        if tuning is not None:
            show_table(console, tuning, TUNING)
            _print_dim(console, TUNING_LEGEND)
        if per_target is not None:
            first, *targets = per_target.header
            parts = [(first, *targets[place : place + 3]) for place in range(0, len(targets), 3)]
            show_table(console, per_target, *parts, is_split=True)
        for sentence in failures(board):
            console.print(f"[red]failed:[/red] {escape(sentence)}", highlight=False)


def show_table(console: Console, table: TextTable, *choices: tuple[str, ...], is_split: bool = False) -> bool:
    """Print the table with all columns, or the first choice of columns that fits; returns whether all are shown.

    Where none fits, the last choice is printed without deviations and breaks lines between words. is_split: the
    choices are parts of the table, printed one below the other.
    """
    if (whole := rich_table(table)) and fits(console, whole):
        console.print(whole)
        return True
    if is_split:
        for names in choices:
            show_table(console, table.only(*names), names)
        return True
    for names in choices:
        if fits(console, chosen := rich_table(table.only(*names))):
            console.print(chosen)
            return False
    console.print(_narrow(console, table.only(*choices[-1])))
    return False


def _narrow(console: Console, table: TextTable) -> Table:
    """Means alone, without borders; labels and intervals may break between words, and no number breaks."""
    bare = without_spreads(table)
    drawn = rich_table(bare)
    drawn.box, drawn.pad_edge, drawn.collapse_padding = box.SIMPLE_HEAD, False, True
    longest = []
    for place, (column, name) in enumerate(zip(drawn.columns, bare.header, strict=True)):
        texts = [name, *(row[place].text + " (b)" * (place == 0) for row in bare.rows)]
        words = " ".join(texts).split()
        longest.append(max(map(len, texts)))
        column.no_wrap, column.min_width, column.max_width = False, None, None
        column.width = max(map(len, words if place == 0 or name == INTERVAL else [*words, *texts[1:]]))
    room = console.width - console.measure(drawn, options=console.options.update(max_width=1000)).minimum
    label, *figures = drawn.columns
    for column, length in [*zip(figures, longest[1:], strict=True), (label, longest[0])]:
        width = column.width or 0
        extra = min(room, max(0, length - width)) if room > 0 else 0
        column.width, room = width + extra, room - extra
    if room < 0:  # a word of a label is longer than the numbers leave room for
        label.width = max((label.width or 0) + room, 8)
    return drawn


def _print_dim(console: Console, text: str) -> None:
    console.print(text, style="dim", markup=False, highlight=False)
