"""A section of a report: what it says first, then tables and charts, then where they come from.

Every format writes the same sections: Markdown, the terminal, LaTeX and the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.report.chart import Chart
from zoo.report.text_table import TextTable


@dataclass(frozen=True)
class Captioned:
    """A table with a heading ("" for none) and how to read it.

    narrow: for a terminal too narrow for all columns, choices of those that stay, the widest choice first.
    """

    title: str
    table: TextTable
    caption: str
    narrow: Sequence[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Picture:
    """A PNG file beside the report, what it shows, and what to know to read it."""

    file: str
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """sentences: the answer first; blocks: the main table first; failures: one text each; provenance: (label, text);
    commands: to run it again."""

    title: str
    sentences: Sequence[str] = ()
    blocks: Sequence[Captioned | Chart | Picture] = ()
    failures: Sequence[str] = ()
    provenance: Sequence[tuple[str, str]] = ()
    commands: Sequence[str] = ()
