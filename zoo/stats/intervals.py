"""Intervals of accuracy: of a mean over seeds, and of a skill over seeds and test windows."""

import math

import numpy as np
from scipy import stats

LEVEL = 0.95
RESAMPLES = 2000


def mean_interval(mean: float, deviation: float, count: int) -> tuple[float, float]:
    """The 95 % interval of Student's t for the mean of a few values, such as one per seed, from their sample deviation.

    Source: Student, The probable error of a mean, Biometrika 6 (1908).
    """
    half = float(stats.t.ppf(0.5 + LEVEL / 2, count - 1)) * deviation / math.sqrt(count)
    return mean - half, mean + half


def block_length(windows: int, horizon: int) -> int:
    """Windows in a block of a moving-block bootstrap: the cube root of their number, and no fewer than the horizon.

    Windows that follow each other share all but one of their target rows, so their errors depend on each other
    over the horizon at least. Source of the rate: Hall, Horowitz and Jing, On blocking rules for the bootstrap with
    dependent data, Biometrika 82 (1995).
    """
    return min(windows, max(horizon, math.ceil(windows ** (1 / 3))))


def skill_interval(
    squared: np.ndarray,
    other: np.ndarray,
    *,
    horizon: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The 95 % interval of the mean skill over seeds against another forecaster, for other test windows and seeds.

    squared: [S, n] mean squared error of each seed in each test window, in time order; other: that of naive or
    whom it is measured against, [n], or [S, n] with the same seeds. Each resample draws blocks of consecutive windows,
    the same for all seeds and the other (paired), and S seeds of the S. Skill is 1 - rmse / the other's rmse.
    None with fewer than eight blocks, or where the other makes no error.

    Source: Künsch, The jackknife and the bootstrap for general stationary observations, Annals of Statistics 17
    (1989); Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 8.6.
    """
    seeds, windows = squared.shape
    block = block_length(windows, horizon)
    if windows < 8 * block or not np.mean(other) > 0:
        return None
    random = np.random.default_rng(seed)
    starts = random.integers(0, windows - block + 1, size=(resamples, windows // block))
    own = np.sqrt(_block_means(squared, block)[:, starts].mean(axis=2))
    base = np.sqrt(_block_means(np.atleast_2d(other), block)[:, starts].mean(axis=2))
    with np.errstate(divide="ignore", invalid="ignore"):
        skills = np.where(base > 0, 1 - own / base, 0.0)
    drawn = random.integers(0, seeds, size=(seeds, resamples))
    means = np.take_along_axis(skills, drawn, axis=0).mean(axis=0)
    low, high = np.percentile(means, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


def _block_means(values: np.ndarray, block: int) -> np.ndarray:
    """[S, n] -> [S, n - block + 1]: the mean of each `block` consecutive values."""
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    return np.asarray((sums[:, block:] - sums[:, :-block]) / block)
