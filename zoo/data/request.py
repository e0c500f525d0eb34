"""Request: what zoo.prepare was asked for, checked where it does not depend on the data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.data.calendar import check_calendar
from zoo.data.dataset import check_count
from zoo.data.moves import flat_of
from zoo.data.split import Fold
from zoo.errors import InputError, expect, expect_names, unknown
from zoo.problem import NORMALISE, Normalise


@dataclass(frozen=True)
class Request:
    """The arguments of zoo.prepare beside the table; `levels` are its quantiles. Raises InputError."""

    targets: Sequence[str]
    channels: Sequence[str] | None
    lookback: int
    horizon: int
    split: Sequence[Any]
    scaler: str
    normalise: Normalise
    missing: str | None
    levels: tuple[float, ...]
    conformal: bool
    adaptive: bool
    direction: bool | str
    calendar: tuple[str, ...]
    known: tuple[str, ...]
    fold: Fold
    outliers: str = "none"

    def __post_init__(self) -> None:
        expect_names("targets", self.targets)
        expect_names("channels", self.channels)
        for name in ("scaler", "normalise", "outliers"):
            expect(name, getattr(self, name), str, "text")
        expect("missing", self.missing, (str, None), "text")
        shape = "three shares, three row counts, or two dates, such as (0.7, 0.1, 0.2)"
        expect("split", self.split, (list, tuple), shape)
        check_count("lookback", self.lookback)
        check_count("horizon", self.horizon)
        if self.normalise not in NORMALISE:
            raise unknown("normalise", self.normalise, NORMALISE)
        for name in ("conformal", "adaptive"):
            expect(name, getattr(self, name), bool, "True or False")
        expect("direction", self.direction, (bool, str), "True, False, or a size of flat such as '0.5%'")
        if isinstance(self.direction, str):
            flat_of(self.direction)
        expect_names("calendar", self.calendar)
        check_calendar(self.calendar)
        expect_names("known", self.known)
        if (self.calendar or self.known) and self.lookback < self.horizon:
            raise InputError(
                "with a calendar or other inputs known in advance lookback must be >= horizon, "
                f"got {self.lookback} and {self.horizon}"
            )
        if self.levels and self.direction:
            raise InputError("a task forecasts quantiles or directions, not both: leave one of them out")
        for name, does in (("conformal", "calibrates"), ("adaptive", "moves")):
            if getattr(self, name) and not self.levels:
                raise InputError(
                    f"{name} {does} quantiles: name them too, with --interval 80 or --quantiles 0.1,0.5,0.9"
                )

    @property
    def is_direction(self) -> bool:
        """Whether a rise is told from everything else."""
        return self.direction is True

    @property
    def flat(self) -> str:
        """The largest change that is neither a fall nor a rise, such as 0.5%; "" without moves."""
        return self.direction if isinstance(self.direction, str) else ""


def checked_levels(quantiles: Any) -> tuple[float, ...]:
    """The levels of quantiles; raises InputError unless they rise between 0 and 1 and contain the median."""
    expect("quantiles", quantiles, (list, tuple), "levels between 0 and 1, such as (0.1, 0.5, 0.9)")
    for level in quantiles:
        if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
            raise InputError(f"quantiles must lie between 0 and 1, such as 0.1,0.5,0.9, got {level!r}")
    levels = tuple(sorted(float(level) for level in quantiles))
    if len(set(levels)) < len(levels):
        raise InputError(f"quantiles must differ, got {', '.join(map(str, quantiles))}")
    if levels and (0.5 not in levels or len(levels) < 3 or levels[0] == 0.5 or levels[-1] == 0.5):
        raise InputError(
            "quantiles must contain 0.5, the median, and levels below and above it, such as 0.1,0.5,0.9, "
            f"got {', '.join(map(str, quantiles))}"
        )
    return levels
