"""Statistics of timings: how well a median is known, by how much two cells differ, and tests of many at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

FEWEST = 3  # values on each side of a ratio that has an interval


@dataclass(frozen=True)
class Ratio:
    """A ratio and its interval; low and high are None with too few values."""

    value: float
    low: float | None
    high: float | None


def median_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """The narrowest pair of order statistics, equally far from both ends, that covers the median at `level`.

    The number of values below the median is binomial(n, 1/2), whatever their distribution. None where even
    the extremes cover less: with fewer than 6 values at 95 %.
    Source: David and Nagaraja, Order Statistics (3rd ed., 2003), section 7.1.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    count = len(ordered)
    tails = special.bdtr(np.arange((count + 1) // 2), count, 0.5)  # risk below the 1st, 2nd, ... smallest value
    rank = int(np.searchsorted(tails, (1 - level) / 2, side="right"))
    return (float(ordered[rank - 1]), float(ordered[count - rank])) if rank else None


def ratio_interval(old: Sequence[float], new: Sequence[float], level: float) -> Ratio:
    """The geometric mean of `new` over that of `old`, with the interval of Welch's t on their logarithms.

    The values must be independent: one of each process, such as the median of its repeats, since repeats of one
    process resemble each other. No interval with fewer than 3 values on a side.
    Source: Welch, The generalization of Student's problem when several different population variances are involved,
    Biometrika 34 (1947).
    """
    sides = np.log(np.asarray(old, dtype=float)), np.log(np.asarray(new, dtype=float))
    difference = float(sides[1].mean() - sides[0].mean())
    if min(map(len, sides)) < FEWEST:
        return Ratio(math.exp(difference), None, None)
    parts = [float(logs.var(ddof=1)) / len(logs) for logs in sides]
    half = 0.0
    if variance := sum(parts):
        degrees = variance**2 / sum(part**2 / (len(logs) - 1) for part, logs in zip(parts, sides, strict=True))
        half = float(special.stdtrit(degrees, 0.5 + level / 2)) * math.sqrt(variance)
    return Ratio(*(math.exp(end) for end in (difference, difference - half, difference + half)))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number: those below 0.05 hold a false alarm with 5 % risk at most.

    The smallest is multiplied by their number, the next by one less, and so on; none is left below a smaller one.
    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
    (1979).
    """
    given = np.asarray(p_values, dtype=float)
    order = np.argsort(given)
    corrected = np.empty_like(given)
    corrected[order] = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1)).clip(max=1.0)
    return [float(p) for p in corrected]
