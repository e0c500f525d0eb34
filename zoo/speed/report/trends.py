"""Trends: sweeps over a size, the cliffs in them, and the exponents of step time."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from zoo.report.board import Row
from zoo.report.text_table import Text, TextTable
from zoo.speed.report.paths import path_changes
from zoo.speed.report.rows import asked, canonical, is_measured, labels, place_of, usual, value
from zoo.speed.report.words import PHASES, cell_place, short

SCALING_LEGEND = (
    "k is the exponent in step time ~ size^k, by least squares on logarithms, with the range of sizes that it holds "
    "for: 1 is proportional, below 1 fixed costs dominate, above 1 a larger size costs more than its share."
)


@dataclass(frozen=True)
class Cliff:
    """A bigger model that takes less time than its smaller neighbour in a sweep over one parameter."""

    label: str
    parameter: str
    smaller: Row
    bigger: Row

    @property
    def ratio(self) -> float:
        """The bigger one's step time in units of the smaller one's."""
        return float(self.bigger["step_seconds"]["median"] / self.smaller["step_seconds"]["median"])


@dataclass(frozen=True)
class Scaling:
    """How step time grows over batch_size or lookback: k of time ~ work^k over all values and the largest half."""

    label: str
    is_baseline: bool
    over: str
    rows: tuple[Row, ...]

    @property
    def half(self) -> tuple[Row, ...]:
        """The rows of the largest half of the sizes."""
        return self.rows[len(self.rows) // 2 :]

    @property
    def exponent(self) -> float:
        return _exponent(self.rows, self.over)

    @property
    def exponent_of_half(self) -> float:
        return _exponent(self.half, self.over)


def sweeps(rows: Sequence[Row], name: str, at_least: int) -> list[list[Row]]:
    """Measured rows that differ in one name of `asked` only, in its order; those with enough values."""
    grouped: dict[str, dict[int, Row]] = {}
    for row in rows:
        settings = asked(row)
        swept = settings.pop(name, None)
        if is_measured(row) and row["batch_size"] != "max" and isinstance(swept, int) and not isinstance(swept, bool):
            grouped.setdefault(canonical(settings), {})[swept] = row
    return [[group[size] for size in sorted(group)] for group in grouped.values() if len(group) >= at_least]


def parameter_sweeps(rows: Sequence[Row]) -> dict[str, list[list[Row]]]:
    """By parameter, the sweeps over it: at least three sizes of a variant, all else equal."""
    parameters = sorted({name for row in rows for name in row["params"]})
    found = {name: sweeps(rows, f"params.{name}", 3) for name in parameters}
    return {name: swept for name, swept in found.items() if swept}


def cliffs(rows: Sequence[Row]) -> list[Cliff]:
    """Where a bigger model is faster than its smaller neighbour by more than both intervals, largest gain first.

    A cell that did not settle counts with its 5th to 95th percentile, and one that met no calm machine not at all.
    """
    found = []
    for name, swept in parameter_sweeps(rows).items():
        names = labels(rows, without=name)
        for group in swept:
            for smaller, bigger in pairwise(group):
                low, high = _bounds(smaller)[0], _bounds(bigger)[1]
                is_bigger = (bigger.get("parameter_count") or 0) > (smaller.get("parameter_count") or 0)
                if is_bigger and low is not None and high is not None and high < low:
                    found.append(Cliff(names[bigger["key"]], name, smaller, bigger))
    return sorted(found, key=lambda cliff: (cliff.ratio, cliff.label))


def _bounds(row: Row) -> tuple[float | None, float | None]:
    """Between which seconds a cell's step lies, None where nothing sure can be said."""
    if row.get("is_calm") is False:
        return None, None
    names = ("p5", "p95") if row.get("is_settled") is False else ("low", "high")
    return value(row, "step_seconds", names[0]), value(row, "step_seconds", names[1])


def cliff_sentences(rows: Sequence[Row], most: int = 10) -> list[str]:
    """The largest cliffs in words, or that there are none; nothing where no parameter was swept."""
    swept = parameter_sweeps(rows)
    if not swept:
        return []
    found = cliffs(rows)
    if not found:
        ranges = []
        for name, groups in swept.items():
            sizes = sorted({row["params"][name] for group in groups for row in group})
            ranges.append(f"{name} {sizes[0]}-{sizes[-1]} ({len(sizes)} values)")
        return [
            f"No cliff: over {', '.join(ranges)} no model is faster than its next smaller one beyond the intervals."
        ]
    sentences = []
    for cliff in found[:most]:
        name, small, big = cliff.parameter, cliff.smaller, cliff.bigger
        times = [short(row["step_seconds"]["median"], 1e3) for row in (big, small)]
        paths = [f"; its {way} path changes from {old} to {new}" for way, old, new in path_changes(small, big)]
        sentences.append(
            f"{cliff.label}: {name} {big['params'][name]} takes {cliff.ratio:.2f} of the time of "
            f"{small['params'][name]} ({times[0]} against {times[1]} ms a step) in "
            f"{cell_place(big)}{''.join(paths)}."
        )
    if len(found) > most:
        sentences.append(f"{len(found) - most} more with smaller gains are not listed.")
    return sentences


def scalings(rows: Sequence[Row]) -> list[Scaling]:
    """Exponents over batch size and over lookback, wherever at least four were measured: see `usual`."""
    names = labels(rows)
    found = []
    for over in ("batch_size", "lookback"):
        for group in sweeps(usual(rows), over, 4):
            first = group[0]
            found.append(Scaling(names[first["key"]], "baseline" in first["tags"], over, tuple(group)))
    return found


def scaling_table(found: Sequence[Scaling], over: str) -> TextTable | None:
    """Exponents over batch_size or lookback, a line for each variant and fixed other; None without any."""
    fixed = "lookback" if over == "batch_size" else "batch_size"
    chosen = [scaling for scaling in found if scaling.over == over]
    lines: dict[tuple[int, str, str], dict[str, Scaling]] = {}
    for scaling in chosen:
        row = scaling.rows[0]
        lines.setdefault((row[fixed], scaling.label, place_of(row)), {})[row["phase"]] = scaling
    if not lines:
        return None
    phases = [phase for phase in PHASES if any(phase in line for line in lines.values())]
    header = ["variant", fixed.replace("_size", "")]
    header += [f"{PHASES[phase]}{part}" for phase in phases for part in (": k", ": k, largest half")]
    rows = []
    for (size, label, _), line in sorted(lines.items()):
        cells = [Text(label), Text(f"{size:,}")]
        for phase in phases:
            of_phase = line.get(phase)
            cells.append(Text("-" if of_phase is None else _ranged(of_phase.exponent, of_phase.rows, over)))
            cells.append(Text("-" if of_phase is None else _ranged(of_phase.exponent_of_half, of_phase.half, over)))
        rows.append(tuple(cells))
    is_baseline = tuple(next(iter(line.values())).is_baseline for _, line in sorted(lines.items()))
    return TextTable(tuple(header), tuple(rows), is_baseline)


def _exponent(rows: Sequence[Row], over: str) -> float:
    """k of time ~ size^k by least squares on logarithms."""
    work = [math.log(row[over]) for row in rows]
    return statistics.linear_regression(work, [math.log(row["step_seconds"]["median"]) for row in rows]).slope


def _ranged(exponent: float, rows: Sequence[Row], over: str) -> str:
    return f"{exponent:.2f} ({rows[0][over]}-{rows[-1][over]})"
