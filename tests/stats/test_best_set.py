"""The model confidence set holds the best forecaster as often as it promises, and no more others than it must."""

import numpy as np
import pytest

from tests.stats.walks import naive_errors, squared
from zoo.stats.best_set import _wishart_factors, best_set_p


def equals(random, count, horizon, models=6, seeds=3):
    """Forecasters as good as each other: a walk that all share, one of each model's own, one of each seed's."""
    shared = naive_errors(random, count, horizon)
    own = [0.5 * naive_errors(random, count, horizon) for _ in range(models)]
    return [squared([shared + mine + 0.2 * naive_errors(random, count, horizon) for _ in range(seeds)]) for mine in own]


@pytest.mark.parametrize(("count", "horizon"), [(500, 1), (300, 12)])
def test_the_set_keeps_all_equals_in_95_of_100_tables(count, horizon):
    whole = 0
    for number in range(100):
        p_values = best_set_p(equals(np.random.default_rng(number), count, horizon), horizon=horizon)
        whole += min(p_values) >= 0.05
    assert whole >= 90


def test_the_set_drops_what_is_clearly_worse_and_keeps_the_best():
    for number in range(20):
        good, other, *bad = equals(np.random.default_rng(number), 500, 1, models=4)
        p_values = best_set_p([good, other, *(1.5 * losses for losses in bad)], horizon=1)
        assert max(p_values[2:]) < 0.05 <= max(p_values[:2])


def test_the_last_one_in_the_set_is_the_best_and_never_leaves():
    losses = np.random.default_rng(0).exponential(size=500)
    assert best_set_p([2 * losses[None], losses[None], 3 * losses[None]], horizon=1)[1] == 1.0
    assert best_set_p([losses[None]], horizon=1) == [1.0]


def test_identical_forecasters_are_both_in_the_set():
    losses = np.random.default_rng(0).exponential(size=(1, 500))
    assert best_set_p([losses, losses], horizon=1) == [1.0, 1.0]


def test_seeds_that_differ_keep_a_line_in_the_set():
    """The same mean rmse; a line whose three seeds differ widely may be the best, one whose seeds agree is worse."""
    base = np.random.default_rng(0).exponential(size=500)
    alike = np.stack([1.05 * base * (1 + 1e-6 * seed) for seed in range(3)])
    apart = np.stack([0.4 * base, 1.05 * base, 2.0 * base])
    assert best_set_p([base[None], alike], horizon=1)[1] < 0.05 <= best_set_p([base[None], apart], horizon=1)[1]


def test_the_set_is_the_same_each_time_and_none_with_too_few_windows():
    losses = equals(np.random.default_rng(0), 300, 1)
    assert best_set_p(losses, horizon=1) == best_set_p(losses, horizon=1)
    assert best_set_p([own[:, :30] for own in losses], horizon=3) is None


def test_drawn_covariances_have_the_moments_of_wisharts_distribution():
    degrees, size = 12, 3
    factors = np.concatenate([_wishart_factors(degrees, size, np.random.default_rng(seed)) for seed in range(20)])
    drawn = factors.transpose(0, 2, 1) @ factors
    np.testing.assert_allclose(drawn.mean(axis=0), degrees * np.eye(size), atol=0.15)
    np.testing.assert_allclose(drawn.var(axis=0), degrees * (1 + np.eye(size)), rtol=0.06)
