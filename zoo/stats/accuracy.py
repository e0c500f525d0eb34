"""Equal accuracy: whether one forecaster's losses are lower than another's by more than chance, on one data set."""

import math

import numpy as np
from scipy import stats

LEAST = 16  # windows for each step of the horizon: with fewer it rejects too often in simulations


def diebold_mariano(losses: np.ndarray, other: np.ndarray, *, horizon: int) -> tuple[float, float] | None:
    """(statistic, two-sided p) for equal expected loss; the statistic is negative where `losses` are lower.

    losses, other: [n], one for each test window in time order, the mean over its steps and targets. The
    difference of h-step windows is taken as correlated over h - 1 windows (rectangular weights; where these
    give no positive variance, none), its variance corrected for small samples and the statistic compared with
    Student's t of n - 1 degrees. None with fewer than 16 windows for each step, or where all differences are equal.

    Source: Diebold and Mariano, Comparing predictive accuracy, Journal of Business & Economic Statistics 13
    (1995); Harvey, Leybourne and Newbold, Testing the equality of prediction mean squared errors,
    International Journal of Forecasting 13 (1997), equation 9.
    """
    difference = np.asarray(losses, dtype=float) - np.asarray(other, dtype=float)
    count = len(difference)
    if count < LEAST * horizon:
        return None
    mean = float(difference.mean())
    centred = difference - mean
    variances = [float(centred[lag:] @ centred[: count - lag]) / count for lag in range(horizon)]
    variance = variances[0] + 2 * sum(variances[1:])
    if variance <= 0:
        variance = variances[0]
    if variance <= 1e-24 * float(np.mean(difference**2)) or variance == 0:
        return None
    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    statistic = mean / math.sqrt(variance / count) * math.sqrt(correction)
    return statistic, float(2 * stats.t.sf(abs(statistic), count - 1))
