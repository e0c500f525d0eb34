"""Judge: which of several candidates is chosen, from their losses on the same windows; arrays in, numbers out."""

import math
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from zoo.stats.long_run import cosine_sums, degrees_of_freedom

Name = TypeVar("Name")
NO_GAIN = 0.01  # of the mean squared error


def standard_error(differences: np.ndarray, horizon: int) -> float:
    """The standard error of the mean of differences [n] between windows in time order, which overlap."""
    degrees = degrees_of_freedom(len(differences), horizon)
    if degrees:
        return float(np.sqrt(np.mean(cosine_sums(differences, horizon) ** 2)))
    apart = max(1.0, len(differences) / horizon)
    return float(differences.std(ddof=1) / math.sqrt(apart)) if len(differences) > 1 else math.inf


def chosen(losses: Mapping[Name, np.ndarray], ranks: Mapping[Name, int], horizon: int) -> Name:
    """The simplest candidate whose mean loss is within one standard error, or 1 %, of the lowest; of equally simple
    ones the best.

    losses: [n] squared errors of each, on the same windows in time order; 1 % of them is 0.5 % of the rmse, less than
    which is no gain (zoo.report). ranks: how simple each is, 0 is the simplest. The standard error is that of the
    difference to the best, window by window, so that what is hard for all does not count. Source: the
    one-standard-error rule of Breiman et al., Classification and Regression Trees (1984), section 3.4.3, with
    paired differences.
    """
    best = min(losses, key=lambda name: float(losses[name].mean()))
    least = NO_GAIN * float(losses[best].mean())

    def is_near(name: Name) -> bool:
        differences = losses[name] - losses[best]
        return bool(differences.mean() <= max(standard_error(differences, horizon), least))

    near = [name for name in losses if name == best or is_near(name)]
    return min(near, key=lambda name: (ranks[name], float(losses[name].mean())))


def ratio(losses: np.ndarray, naive: np.ndarray) -> float:
    """The rmse over naive's; where naive makes no error, 1 for one that makes none either, else infinite."""
    if naive.mean() > 0:
        return float(np.sqrt(losses.mean() / naive.mean()))
    return math.inf if losses.mean() > 0 else 1.0
