"""Diebold-Mariano: against an independent implementation, and against chance where the truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from zoo.stats.accuracy import diebold_mariano

SIMULATIONS = 400


def naive_errors(random, count, horizon):
    """[count, horizon]: what a random walk does after each of `count` windows; neighbours share all steps but one."""
    walk = np.concatenate([[0.0], np.cumsum(random.standard_normal(count + horizon))])
    return walk[np.arange(count)[:, None] + np.arange(1, horizon + 1)] - walk[:count, None]


def forecaster_errors(random, truth, noise=0.5):
    """Errors of a forecaster that adds a walk of its own to naive: as correlated over windows as the truth."""
    return truth - noise * naive_errors(random, *truth.shape)


@pytest.mark.parametrize("horizon", [1, 4, 12])
def test_statistic_is_that_of_a_regression_on_a_constant(horizon):
    """Statsmodels' least squares with rectangular autocorrelation weights, times the correction for small samples."""
    regression = pytest.importorskip("statsmodels.api")
    random = np.random.default_rng(horizon)
    truth = naive_errors(random, 200, horizon)
    one, other = ((forecaster_errors(random, truth) ** 2).mean(axis=1) for _ in range(2))
    statistic, p = diebold_mariano(one, other, horizon=horizon)
    fitted = regression.OLS(one - other, np.ones(200)).fit(
        cov_type="HAC", cov_kwds={"maxlags": horizon - 1, "kernel": "uniform"}
    )
    correction = math.sqrt((200 + 1 - 2 * horizon + horizon * (horizon - 1) / 200) / 200)
    assert statistic == pytest.approx(float(fitted.tvalues[0]) * correction, rel=1e-9)
    assert p == pytest.approx(2 * stats.t.sf(abs(statistic), 199))


def test_with_one_step_it_is_a_t_test_of_the_differences():
    """The correction then replaces n by n - 1 in the variance, which is Student's one-sample test."""
    random = np.random.default_rng(0)
    one, other = random.exponential(size=(2, 50))
    expected = stats.ttest_1samp(one - other, 0.0)
    assert diebold_mariano(one, other, horizon=1) == pytest.approx((expected.statistic, expected.pvalue))


def test_lower_losses_have_a_negative_statistic():
    losses = np.random.default_rng(0).exponential(size=100)
    statistic, _ = diebold_mariano(losses, losses + np.linspace(0.1, 0.2, 100), horizon=1)
    assert statistic < 0


def test_equal_losses_have_no_statistic():
    losses = np.random.default_rng(0).exponential(size=100)
    assert diebold_mariano(losses, losses, horizon=1) is None


def test_too_few_windows_for_the_horizon_have_none():
    random = np.random.default_rng(0)
    assert diebold_mariano(random.normal(size=63), random.normal(size=63), horizon=4) is None
    assert diebold_mariano(random.normal(size=64), random.normal(size=64), horizon=4) is not None


def test_variance_below_zero_falls_back_to_that_of_one_step():
    """Differences that alternate: rectangular weights over one lag give 1 - 2 < 0."""
    difference = np.tile([1.0, -1.0], 20) + 0.1
    statistic, _ = diebold_mariano(difference, np.zeros(40), horizon=2)
    correction = math.sqrt((40 + 1 - 4 + 2 / 40) / 40)
    assert statistic == pytest.approx(0.1 / math.sqrt(1 / 40) * correction)


@pytest.mark.parametrize(("count", "horizon"), [(1000, 1), (1000, 5), (200, 1), (200, 12)])
def test_equal_forecasters_differ_in_at_most_seven_percent_of_simulations(count, horizon):
    rejections = 0
    for number in range(SIMULATIONS):
        random = np.random.default_rng(number)
        truth = naive_errors(random, count, horizon)
        one, other = ((forecaster_errors(random, truth) ** 2).mean(axis=1) for _ in range(2))
        _, p = diebold_mariano(one, other, horizon=horizon)
        rejections += p < 0.05
    assert 0.02 <= rejections / SIMULATIONS <= 0.07


def test_a_forecaster_that_is_five_percent_better_is_mostly_found():
    rejections = 0
    for number in range(SIMULATIONS):
        random = np.random.default_rng(number)
        truth = naive_errors(random, 1000, 1)
        one, other = ((forecaster_errors(random, truth) ** 2).mean(axis=1) for _ in range(2))
        statistic, p = diebold_mariano(0.95**2 * one, other, horizon=1)
        rejections += p < 0.05 and statistic < 0
    assert rejections / SIMULATIONS >= 0.5
