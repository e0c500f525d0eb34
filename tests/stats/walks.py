"""Forecast errors whose truth is known, for tests of intervals and sets."""

import numpy as np


def naive_errors(random, count, horizon):
    """[count, horizon]: what a random walk does after each of `count` windows; neighbours share all steps but one."""
    walk = np.concatenate([[0.0], np.cumsum(random.standard_normal(count + horizon))])
    return walk[np.arange(count)[:, None] + np.arange(1, horizon + 1)] - walk[:count, None]


def squared(errors):
    """[..., n, horizon] errors -> [..., n]: mean squared error of each window."""
    return (np.asarray(errors) ** 2).mean(axis=-1)
