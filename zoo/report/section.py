"""A section of a report: what it says first, then tables and charts, then where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.report.chart import Chart
from zoo.report.text_table import TextTable


@dataclass(frozen=True)
class Captioned:
    """A table with a heading ("" for none) and how to read it; on the page it can be sorted, and filtered by name."""

    title: str
    table: TextTable
    caption: str
    is_sortable: bool = True


@dataclass(frozen=True)
class Section:
    """sentences: the answer first; failures: one text each; provenance: (label, text); commands: to run it again."""

    title: str
    sentences: Sequence[str] = ()
    blocks: Sequence[Captioned | Chart] = ()
    failures: Sequence[str] = ()
    provenance: Sequence[tuple[str, str]] = ()
    commands: Sequence[str] = ()
