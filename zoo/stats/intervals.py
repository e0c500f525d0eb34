"""Intervals of accuracy: of a mean over seeds, and of a skill over seeds and test windows."""

import math

import numpy as np
from scipy import special

from zoo.stats.long_run import cosine_sums, degrees_of_freedom

LEVEL = 0.95
TABLE = 20  # lines


def mean_interval(mean: float, deviation: float, count: int) -> tuple[float, float]:
    """The 95 % interval of Student's t for the mean of a few values, such as one per seed, from their sample deviation.

    Source: Student, The probable error of a mean, Biometrika 6 (1908).
    """
    half = float(special.stdtrit(count - 1, 0.5 + LEVEL / 2)) * deviation / math.sqrt(count)
    return mean - half, mean + half


def table_level(lines: int) -> float:
    """The level of each interval of a table at which all of them hold together with 95 % at least (Bonferroni).

    The same for up to 20 lines, so that what holds for one line does not depend on which others are in the table.
    """
    return 1 - (1 - LEVEL) / max(lines, TABLE)


def errors_of(losses: np.ndarray, *, is_squared: bool = True) -> np.ndarray:
    """The error of each seed [S], of its losses [S, n]: of squared errors the rmse, of other losses their mean."""
    means = losses.mean(axis=1)
    return np.asarray(np.sqrt(means) if is_squared else means)


def rmse_series(squared: np.ndarray, *, is_squared: bool = True) -> np.ndarray:
    """[S, n] squared errors -> [n]: the linear part of each window in the mean rmse over seeds, which is their mean.

    is_squared: False where the losses are the errors themselves, such as pinball losses: then their mean over seeds.
    """
    if not is_squared:
        return np.asarray(squared.mean(axis=0))
    rmse = np.sqrt(squared.mean(axis=1, keepdims=True))
    shares = np.divide(squared, rmse, out=np.zeros_like(squared), where=rmse > 0)
    return np.asarray((shares + rmse).mean(axis=0) / 2)


def mean_variance(values: np.ndarray) -> float:
    """The variance of the mean of independent values [S], such as one per seed; 0 for a single one."""
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.0


def skill_interval(
    squared: np.ndarray, other: np.ndarray, *, horizon: int, level: float = LEVEL, is_squared: bool = True
) -> tuple[float, float] | None:
    """The interval of the skill against another forecaster, allowing for other test windows and other seeds.

    squared: [S, n] mean squared error of each seed in each test window, in time order; other: that of naive or
    whom it is measured against, [n], or [S, n] with the same seeds. Skill is 1 - mean rmse / the other's mean rmse. The
    interval holds each skill for which "rmse = (1 - skill) x the other's" is not rejected by a t-test; for a skill of
    zero that is the Diebold-Mariano test with fixed smoothing, of rmse. is_squared: False for losses whose mean is the
    error, such as pinball losses. None with too few windows for the horizon,
    or where the other makes no error, or errors so uneven that any skill is possible.

    Source: Fieller, Some problems in interval estimation, Journal of the Royal Statistical Society B 16 (1954);
    Coroneo and Iacone, Comparing predictive accuracy in small samples using fixed-smoothing asymptotics, Journal of
    Applied Econometrics 35 (2020); degrees of freedom with seeds: Satterthwaite, Biometrics Bulletin 2 (1946).
    """
    base = np.atleast_2d(other)
    series, base_series = rmse_series(squared, is_squared=is_squared), rmse_series(base, is_squared=is_squared)
    rmse, base_rmse = float(series.mean()), float(base_series.mean())
    degrees: float = degrees_of_freedom(len(series), horizon)
    if not degrees or base_rmse <= 0:
        return None
    sums = np.stack([cosine_sums(series, horizon), cosine_sums(base_series, horizon)])
    (variance, both), (_, base_variance) = (sums @ sums.T / degrees).tolist()
    ratio = rmse / base_rmse
    own, others = errors_of(squared, is_squared=is_squared), errors_of(base, is_squared=is_squared)
    of_seeds = mean_variance(own - ratio * others)
    of_windows = max(variance - 2 * ratio * both + ratio**2 * base_variance, 0.0)
    if of_seeds > 0:
        parts = of_windows**2 / degrees + of_seeds**2 / (len(squared) - 1)
        degrees = (of_windows + of_seeds) ** 2 / parts
    # All ratios r with (rmse - r base)^2 <= t^2 Var(rmse - r base): those between the roots of a quadratic.
    t = float(special.stdtrit(degrees, 0.5 + level / 2)) ** 2
    leading = base_rmse**2 - t * base_variance
    if leading <= 0:
        return None
    middle = (rmse * base_rmse - t * both) / leading
    half = math.sqrt(max(middle**2 - (rmse**2 - t * (variance + of_seeds)) / leading, 0.0))
    return 1 - (middle + half), 1 - max(middle - half, 0.0)
