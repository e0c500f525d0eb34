"""The uncertainty of a mean over overlapping windows, whose errors depend on each other over the horizon and beyond.

Source: Lazarus, Lewis, Stock and Watson, HAR inference: recommendations for practice, Journal of Business & Economic
Statistics 36 (2018): equal-weighted cosines, 0.4 n^(2/3) of them, and Student's t. The other limit, a third of the
windows that share no step, is ours, chosen in simulations (benchmarks/power.py).
"""

import math

import numpy as np

FEWEST = 4  # degrees of freedom: with fewer an interval says next to nothing


def degrees_of_freedom(windows: int, horizon: int) -> int:
    """The degrees of freedom of a mean over so many windows; 0 where they are too few to say anything."""
    degrees = int(min(0.4 * windows ** (2 / 3), windows / (3 * horizon)))
    return degrees if degrees >= FEWEST else 0


def cosine_sums(values: np.ndarray, horizon: int) -> np.ndarray:
    """[..., n] values of windows in time order -> [..., d], one for each degree of freedom.

    The mean of their squares estimates the variance of their mean; the mean of products, a covariance.
    """
    windows = values.shape[-1]
    waves = np.arange(1, degrees_of_freedom(windows, horizon) + 1)
    cosines = np.cos(np.pi * np.outer((np.arange(windows) + 0.5) / windows, waves))
    return np.asarray(values @ cosines * (math.sqrt(2) / windows))
