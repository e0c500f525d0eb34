"""Words and figures that sentences and tables share."""

import math
from collections.abc import Iterable

from zoo.report.board import Row

PHASES = {"train": "training", "infer": "inference"}


def cell_name(row: Row, names: dict[str, str]) -> str:
    """A row's label, phase, batch and lookback in words; names are labels by key."""
    return f"{names[row['key']]}, {cell_place(row)}"


def cell_place(row: Row) -> str:
    """A row's phase, batch and lookback in words."""
    return f"{PHASES[row['phase']]} at batch {row['batch_size']}, lookback {row['lookback']}"


def plural(count: int | str, noun: str) -> str:
    """A count and its noun; the count may be a text such as 2 to 5."""
    if str(count) == "1":
        return f"{count} {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


def short(number: float | None, scale: float = 1.0) -> str:
    """A number with three digits that count and thousands apart; a dash for none."""
    if number is None:
        return "-"
    scaled = float(f"{number * scale:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(abs(scaled)))) if scaled else 0
    return f"{scaled:,.{decimals}f}"


def counted(number: float | None) -> str:
    """A whole number with thousands apart; a dash for none."""
    return "-" if number is None else f"{number:,.0f}"


def span(numbers: Iterable[float | None], scale: float = 1) -> str:
    """One number, or the least and the most of several; a dash for none."""
    known = [number * scale for number in numbers if number is not None]
    if not known:
        return "-"
    told = counted if all(isinstance(number, int) for number in known) else short
    least, most = told(min(known)), told(max(known))
    return least if least == most else f"{least} to {most}"
