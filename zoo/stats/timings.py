"""Statistics of timings: intervals of medians and of their ratio, and tests of whether two cells differ.

Timings are skewed and have outliers, so none of these assumes a distribution. All take repeats as independent;
repeats of one pass resemble each other, so intervals come out somewhat too narrow and p-values too small.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom, bootstrap, mannwhitneyu

FEWEST = 6  # values on each side of a ratio that has an interval, as for the median at 95 %


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians and its interval; low and high are None with too few values."""

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
    tails = binom.cdf(np.arange((count + 1) // 2), count, 0.5)  # risk below the 1st, 2nd, ... smallest value
    rank = int(np.searchsorted(tails, (1 - level) / 2, side="right"))
    return (float(ordered[rank - 1]), float(ordered[count - rank])) if rank else None


def ratio_interval(
    old: Sequence[float], new: Sequence[float], level: float = 0.95, *, resamples: int = 2000, seed: int = 0
) -> Ratio:
    """The median of `new` over that of `old`, and the percentile bootstrap interval of this ratio.

    Chosen because it belongs to the very ratio that is shown (the interval of Hodges and Lehmann belongs to
    another) and because it holds its level where a clock has two speeds, which intervals from a standard error
    of the median do not. The seed makes it the same each time. No interval with fewer than 6 values on a side.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
    """
    value = float(np.median(new) / np.median(old))
    if min(len(old), len(new)) < FEWEST:
        return Ratio(value, None, None)
    interval = bootstrap(
        (old, new),
        _ratio_of_medians,
        n_resamples=resamples,
        confidence_level=level,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Ratio(value, float(interval.low), float(interval.high))


def difference_p(old: Sequence[float], new: Sequence[float]) -> float:
    """The two-sided p-value of Mann and Whitney: small where the values of one side tend to be the larger.

    Exact where a side has at most 8 values and none are equal, else by the normal approximation.
    Source: Mann and Whitney, On a test of whether one of two random variables is stochastically larger than
    the other, Annals of Mathematical Statistics 18 (1947).
    """
    return float(mannwhitneyu(old, new, alternative="two-sided").pvalue)


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


def _ratio_of_medians(old: Any, new: Any, axis: int = -1) -> Any:
    return np.median(new, axis=axis) / np.median(old, axis=axis)
