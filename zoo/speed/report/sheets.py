"""Sheets: the lines of one phase, lookback and place, fastest first."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.report.board import Row
from zoo.speed.report.rows import PLACE, asked, canonical, labels, middle, place_of, thinned, value
from zoo.speed.report.words import PHASES

MOST_COLUMNS = 8  # batch sizes or lookbacks that a table has room for


@dataclass(frozen=True, eq=False)
class SpeedLine:
    """One variant with one set of parameters, mode and dtype: its rows by batch size, failed ones among them."""

    label: str
    is_baseline: bool
    form: tuple[str, str]
    cells: dict[int, Row]

    def rate(self, batch: int) -> float | None:
        """Windows a second at a batch size; None where it was not measured."""
        return value(self.cells.get(batch), "windows_per_second", "median")


@dataclass(frozen=True)
class Sheet:
    """The lines of one phase, lookback and place (see `place_of`), fastest first."""

    phase: str
    lookback: int
    place: str
    suffix: str  # in what its place differs from those of other sheets, after a comma
    lines: tuple[SpeedLine, ...]

    @property
    def where(self) -> str:
        """Its lookback and place in words."""
        return f"lookback {self.lookback}{self.suffix}"

    @property
    def title(self) -> str:
        """Its phase, lookback and place in words."""
        return f"{PHASES[self.phase].capitalize()}, {self.where}"

    @property
    def rows(self) -> list[Row]:
        """The rows of all lines."""
        return [row for line in self.lines for row in line.cells.values()]

    @property
    def pairs(self) -> int:
        """How many pairs of a variant and a batch size it has."""
        return len({(row["variant"], row["batch_size"]) for row in self.rows})

    @property
    def common(self) -> list[int]:
        """The batch sizes that the most lines were asked for, of those at which anything was measured."""
        return _common(self.lines)

    @property
    def batches(self) -> list[int]:
        """Every batch size, or evenly chosen ones where a table has no room for all."""
        return thinned(sorted({row["batch_size"] for row in self.rows}), MOST_COLUMNS)


def sheets(rows: Sequence[Row], names: dict[str, str] | None = None) -> list[Sheet]:
    """Rows of whole-number batch sizes, by place, then training before inference, then by lookback.

    names: labels by key, where they are to be those of more rows than these.
    """
    names = labels(rows) if names is None else names
    groups = grouped([row for row in rows if row["batch_size"] != "max"])
    places = {place: json.loads(place) for place, _, _ in groups}
    differing = [name for name in PLACE if len({canonical(shared[name]) for shared in places.values()}) > 1]
    found = []
    for place, phase, lookback in sorted(groups, key=lambda key: (key[0], key[1] != "train", key[2])):
        suffix = "".join(f", {name} {places[place][name]}" for name in differing)
        found.append(Sheet(phase, lookback, place, suffix, _lines(groups[place, phase, lookback], names)))
    return found


def grouped(rows: Sequence[Row]) -> dict[tuple[str, str, int], list[Row]]:
    """Rows by place, phase and lookback."""
    found: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        found.setdefault((place_of(row), row["phase"], row["lookback"]), []).append(row)
    return found


def fullest(found: Sequence[Sheet]) -> list[Sheet]:
    """The sheets with at least half as much as the fullest of their phase and place.

    Lookbacks with less were measured to see how cost grows, not to compare variants.
    """
    most: dict[tuple[str, str], int] = {}
    for sheet in found:
        most[sheet.place, sheet.phase] = max(most.get((sheet.place, sheet.phase), 0), sheet.pairs)
    return [sheet for sheet in found if 2 * sheet.pairs >= most[sheet.place, sheet.phase]]


def main_sheet(found: Sequence[Sheet]) -> tuple[Sheet, int] | None:
    """Of sheets of one phase and place, the middle lookback of the fullest, and its middle batch size."""
    known = fullest([sheet for sheet in found if sheet.common])
    if not known:
        return None
    return middle(known), middle(middle(known).common)


def _lines(rows: Sequence[Row], names: dict[str, str]) -> tuple[SpeedLine, ...]:
    """One line for all that differs in nothing but batch size, the fastest at the largest common batch first."""
    by_settings: dict[str, dict[int, Row]] = {}
    for row in rows:
        settings = asked(row)
        del settings["batch_size"]
        by_settings.setdefault(canonical(settings), {})[row["batch_size"]] = row
    lines = []
    for cells in by_settings.values():
        first = next(iter(cells.values()))
        form = (first["mode"], first["dtype"])
        lines.append(SpeedLine(names[first["key"]], "baseline" in first["tags"], form, cells))
    batches = _common(lines)
    return tuple(sorted(lines, key=lambda line: (-(line.rate(batches[-1]) or 0.0) if batches else 0.0, line.label)))


def _common(lines: Sequence[SpeedLine]) -> list[int]:
    """The batch sizes that the most lines were asked for, of those at which anything was measured."""
    counts = Counter(batch for line in lines for batch in line.cells)
    measured = {batch: n for batch, n in counts.items() if any(line.rate(batch) is not None for line in lines)}
    return sorted(batch for batch, count in measured.items() if count == max(measured.values()))
