"""Text tables: a header and cells of text, written as Markdown, LaTeX or for a terminal."""

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tabulate import tabulate

LATEX_SIGNS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$", "±": r"$\pm$",
    "†": r"\dag{}", "\n": " ",
}  # fmt: skip


@dataclass(frozen=True)
class Text:
    """One cell of a table; the best of its column is shown bold."""

    text: str
    is_best: bool = False


@dataclass(frozen=True)
class TextTable:
    """A header, rows of cells, and for each row whether it is a baseline, which (b) marks."""

    header: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    baseline: tuple[bool, ...]

    def only(self, *names: str) -> "TextTable":
        """The named columns, in the table's order."""
        places = [place for place, name in enumerate(self.header) if name in names]
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return TextTable(tuple(self.header[place] for place in places), rows, self.baseline)

    def texts(self, escape: Callable[[str], str], bold: str) -> list[list[str]]:
        """The cells as a format writes them: escaped, the best in bold ({} stands for the text), baselines marked."""
        rows = []
        for cells, is_baseline in zip(self.rows, self.baseline, strict=True):
            texts = [bold.format(escape(cell.text)) if cell.is_best else escape(cell.text) for cell in cells]
            rows.append([texts[0] + " (b)" * is_baseline, *texts[1:]])
        return rows


def table_of(lines: Sequence[Mapping[str, str | Text]], baselines: Iterable[bool] = ()) -> TextTable:
    """The table of lines, each its cells by column name; without `baselines` no line is one."""
    rows = tuple(tuple(cell if isinstance(cell, Text) else Text(cell) for cell in line.values()) for line in lines)
    return TextTable(tuple(lines[0]), rows, tuple(baselines) or (False,) * len(rows))


def markdown_table(table: TextTable) -> str:
    """The table in Markdown: the first column to the left, figures to the right."""
    align = ("left",) + ("right",) * (len(table.header) - 1)
    header = [escaped(name) for name in table.header]
    return tabulate(table.texts(escaped, "**{}**"), header, tablefmt="pipe", colalign=align, disable_numparse=True)


def latex_table(table: TextTable, caption: str) -> str:
    """The table in LaTeX, for a document that loads booktabs."""
    rows = pd.DataFrame(table.texts(latex_text, r"\textbf{{{}}}"), columns=[latex_text(name) for name in table.header])
    columns, caption = "l" + "r" * (len(table.header) - 1), latex_text(caption)
    styler = rows.style.hide(axis="index")
    return str(styler.to_latex(column_format=columns, hrules=True, position_float="centering", caption=caption))


def plain_text(table: TextTable) -> str:
    """The table as lines of text, its cells to the right."""
    lines = [table.header, *([cell.text for cell in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def html_text(title: str, *sentences: str) -> str:
    """A title ("" for none) and sentences for a notebook."""
    heading = [f"<b>{html.escape(title)}</b>"] if title else []
    return f"<p>{'<br>'.join([*heading, *map(html.escape, sentences)])}</p>"


def html_table(table: TextTable) -> str:
    """The table for a notebook."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.header)
    rows = ["".join(f"<td>{html.escape(cell.text)}</td>" for cell in row) for row in table.rows]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def rich_table(table: TextTable) -> Table:
    """The table for a terminal, baselines dim."""
    drawn = Table()
    first, *figures = table.header
    drawn.add_column(escape(first), min_width=16, max_width=32, overflow="fold")  # labels may carry settings
    for name in figures:
        drawn.add_column(escape(name), justify="right", no_wrap=True)
    for texts, is_baseline in zip(table.texts(escape, "[bold]{}[/bold]"), table.baseline, strict=True):
        drawn.add_row(*texts, style="dim" if is_baseline else "")
    return drawn


def fits(console: Console, table: Table) -> bool:
    """Whether the table needs no more columns than the terminal has."""
    return console.measure(table, options=console.options.update(max_width=1000)).maximum <= console.width


def markdown_list(sentences: Iterable[str]) -> str:
    """Sentences as a list in Markdown."""
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)


def escaped(text: str) -> str:
    """Text that Markdown and the HTML in it leave alone; a < before a number begins no tag."""
    return re.sub(r"([\\`*_|>\[\]#]|<(?=[A-Za-z/!?]))", r"\\\1", text).replace("\n", " ")


def latex_text(text: str) -> str:
    """Text as LaTeX prints it; the hyphen before a number becomes a minus."""
    safe = "".join(LATEX_SIGNS.get(sign, sign) for sign in text)
    return re.sub(r"(?<![\w}])-(?=\d)", "$-$", safe)
