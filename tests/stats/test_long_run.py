"""The long-run variance of a mean, where the truth is known."""

import numpy as np
import pytest

from zoo.stats.long_run import cosine_sums, degrees_of_freedom


def test_degrees_of_freedom_grow_with_windows_and_shrink_with_the_horizon():
    assert degrees_of_freedom(1200, 1) == 45  # 0.4 x 1200^(2/3)
    assert degrees_of_freedom(1000, 24) == 13  # 1000 / (3 x 24)
    assert degrees_of_freedom(40, 1) == 4 and degrees_of_freedom(30, 1) == 0
    assert degrees_of_freedom(300, 24) == 4 and degrees_of_freedom(200, 24) == 0


@pytest.mark.parametrize("dependence", [0.0, 0.5])
def test_the_variance_of_the_mean_of_a_dependent_series(dependence):
    """An AR(1) series with unit shocks: its mean over n has the variance 1 / (1 - a)^2 / n for large n."""
    estimates = []
    for number in range(200):
        values = np.random.default_rng(number).standard_normal(2000)
        for step in range(1, 2000):
            values[step] += dependence * values[step - 1]
        estimates.append(np.mean(cosine_sums(values, 1) ** 2))
    assert np.mean(estimates) == pytest.approx(1 / (1 - dependence) ** 2 / 2000, rel=0.06)


def test_a_constant_adds_nothing():
    values = np.random.default_rng(0).standard_normal((2, 500))
    assert cosine_sums(values + 7.0, 1) == pytest.approx(cosine_sums(values, 1))
