"""The model confidence set: the forecasters of which one is the best with 95 %, given that all were compared."""

from collections.abc import Sequence

import numpy as np

from zoo.stats.intervals import errors_of, mean_variance, rmse_series
from zoo.stats.long_run import cosine_sums, degrees_of_freedom

DRAWS = 1000


def best_set_p(
    squared: Sequence[np.ndarray], *, horizon: int, seed: int = 0, is_squared: bool = True
) -> list[float] | None:
    """For each forecaster the largest risk at which it leaves the set: those above 0.05 may be the best.

    squared: for each, [S, n] mean squared error of its seeds in the same test windows, in time order. The two whose
    rmse differs most, against the uncertainty of their difference, are compared with what chance gives for such a pair
    among equals; the worse of them leaves, and so on until chance explains the difference. What chance
    gives is drawn from a normal distribution with the estimated covariance, which each draw estimates again
    from as many degrees of freedom. is_squared: as in skill_interval. None with too few windows for the horizon.

    Source: Hansen, Lunde and Nason, The model confidence set, Econometrica 79 (2011), statistic T_R; the long-run
    covariance is that of zoo.stats.long_run in place of their block bootstrap.
    """
    degrees = degrees_of_freedom(squared[0].shape[1], horizon)
    if not degrees:
        return None
    random = np.random.default_rng(seed)
    series = np.stack([rmse_series(own, is_squared=is_squared) for own in squared])
    of_seeds = np.array([mean_variance(errors_of(own, is_squared=is_squared)) for own in squared])
    free = np.array([max(len(own) - 1, 1) for own in squared])
    sums = cosine_sums(series, horizon).T / degrees**0.5  # [degrees, forecasters]
    distances = _distances(series.mean(axis=1), sums.T @ sums, of_seeds)
    root = np.asarray(np.linalg.qr(sums, mode="r"))
    means = random.standard_normal((DRAWS, len(root))) @ root
    means += np.sqrt(of_seeds) * random.standard_normal(means.shape)
    factors = _wishart_factors(degrees, len(root), random) @ root
    covariances = factors.transpose(0, 2, 1) @ factors / degrees
    by_chance = _distances(means, covariances, of_seeds * random.chisquare(free, means.shape) / free)
    risk, p_values = 0.0, [1.0] * len(squared)
    for _ in range(len(squared) - 1):
        risk = max(risk, float((by_chance.max(axis=(1, 2)) >= distances.max()).mean()))
        worst = int(distances.max(axis=1).argmax())
        p_values[worst] = risk
        for pairs in (distances, by_chance):
            pairs[..., worst, :] = pairs[..., :, worst] = -np.inf
    return p_values


def _wishart_factors(degrees: int, size: int, random: np.random.Generator) -> np.ndarray:
    """Upper triangular F [DRAWS, size, size]; F'F is Wishart-distributed around degrees times the identity.

    Source: Bartlett's decomposition, Smith & Hocking 1972, algorithm AS 53. degrees >= size.
    """
    factors = np.triu(random.standard_normal((DRAWS, size, size)), 1)
    diagonal = np.arange(size)
    factors[:, diagonal, diagonal] = np.sqrt(random.chisquare(degrees - diagonal, (DRAWS, size)))
    return factors


def _distances(means: np.ndarray, covariance: np.ndarray, of_seeds: np.ndarray) -> np.ndarray:
    """[..., k, k]: each mean minus each other in standard errors; 0 where the difference does not vary."""
    variance = np.diagonal(covariance, axis1=-2, axis2=-1) + of_seeds
    both = variance[..., :, None] + variance[..., None, :]
    of_difference = both - 2 * covariance
    is_apart = of_difference > 1e-12 * both
    is_apart &= ~np.eye(means.shape[-1], dtype=bool)
    difference = means[..., :, None] - means[..., None, :]
    return np.divide(difference, np.sqrt(of_difference, where=is_apart, out=np.ones_like(both)),
                     out=np.zeros_like(difference), where=is_apart)  # fmt: skip
