"""zoo.compare: two runs from Python, and whether the new one is better, worse or just different by chance."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from zoo.errors import InputError, expect
from zoo.report import compare as accuracy
from zoo.report import speed_compare
from zoo.report.comparison import Comparison, comparison_tables, sentences, summary
from zoo.report.text_table import TextTable, html_table, html_text, plain_text
from zoo.run.store import read_rows


@dataclass(frozen=True, eq=False)
class Compared:
    """Two runs, line by line. threshold: a change up to this share counts as none."""

    comparison: Comparison
    threshold: float

    @property
    def table(self) -> pd.DataFrame:
        """A row for each line of both runs, best gain first: label, old and new figure, gain as a share of the old one
        (above 0 is better), low and high end of its interval, verdict, and what else tells the lines apart."""
        frame = pd.DataFrame(summary(self.comparison, self.threshold)["rows"])
        first = ["label", "old", "new", "gain", "low", "high", "verdict"]
        return frame.reindex(columns=[*first, *(name for name in frame if name not in first)])

    @property
    def verdict(self) -> str:
        """What changed by more than the threshold and by more than chance, and what has no partner."""
        return "\n".join(sentences(self.comparison, self.threshold))

    @property
    def notes(self) -> tuple[str, ...]:
        """What else differs between the runs, and what could not be read."""
        return tuple(self.comparison.notes)

    def __repr__(self) -> str:
        tables = self._tables()
        return "\n\n".join([*(f"{group}\n{plain_text(table)}".strip() for group, table in tables), self.verdict])

    def _repr_html_(self) -> str:
        tables = [html_text(group) + html_table(table) for group, table in self._tables()]
        return "".join([*tables, html_text("", *self.verdict.splitlines())])

    def _tables(self) -> list[tuple[str, TextTable]]:
        changes = len(self.comparison.changes)
        return list(comparison_tables(self.comparison, self.threshold, changes).items()) if changes else []


def compare(old: Any, new: Any, *, threshold: float | None = None) -> Compared:
    """Compare two runs of zoo.bench, or of zoo.speed, as the command zoo compare does.

    old, new: folders, or what zoo.bench and zoo.speed return; threshold: a change up to this share counts as none
    (default: none at all of errors, 0.05 of speed). Raises InputError where nothing matches.
    """
    comparison = compared_folders(*(_folder_of(name, run) for name, run in (("old", old), ("new", new))))
    share = comparison.subject.noise if threshold is None else threshold
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise InputError(f"threshold must be a share from 0 to below 1, such as 0.05, got {share!r}")
    return Compared(comparison, float(share))


def compared_folders(old: Path, new: Path) -> Comparison:
    """Throughput cell by cell where one of them holds speed rows, else accuracy variant by variant."""
    is_speed = any(row.kind == "speed" for folder in (old, new) for row in read_rows(folder)[0])
    return speed_compare.compare(old, new) if is_speed else accuracy.compare(old, new)


def _folder_of(name: str, run: Any) -> Path:
    folder = getattr(run, "folder", run)
    expect(name, folder, (str, Path), "a folder, or what zoo.bench or zoo.speed returns")
    return Path(folder)
