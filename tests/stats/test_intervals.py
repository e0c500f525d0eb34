"""Intervals hold what they promise, where the truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.stats.test_accuracy import forecaster_errors, naive_errors
from zoo.stats.intervals import block_length, mean_interval, skill_interval


def test_mean_interval_is_students():
    """Student's own data: the hours of sleep gained by ten patients (Biometrika 1908, page 20)."""
    gained = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    low, high = mean_interval(float(np.mean(gained)), float(np.std(gained, ddof=1)), len(gained))
    # mean 1.58, standard error 0.3890, t(9) 2.262: the textbook interval of this sample
    assert (low, high) == pytest.approx((0.700, 2.460), abs=0.001)
    expected = stats.ttest_1samp(gained, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_mean_interval_is_a_point_for_equal_values():
    assert mean_interval(1.0, 0.0, 3) == (1.0, 1.0)


def test_blocks_span_the_horizon_and_grow_with_the_cube_root():
    assert [block_length(1000, horizon) for horizon in (1, 10, 24)] == [10, 10, 24]
    assert block_length(8, 1) == 2
    assert block_length(5, 24) == 5


@pytest.mark.parametrize(("count", "horizon"), [(1000, 1), (1000, 5)])
def test_skill_interval_covers_the_true_skill(count, horizon):
    """A forecaster that adds a walk of half the steps has rmse sqrt(1 + 0.25) times naive's, by construction."""
    truth_skill, covered = 1 - math.sqrt(1.25), 0
    for number in range(300):
        random = np.random.default_rng(number)
        naive = naive_errors(random, count, horizon)
        squared = np.stack([(forecaster_errors(random, naive) ** 2).mean(axis=1) for _ in range(3)])
        low, high = skill_interval(squared, (naive**2).mean(axis=1), horizon=horizon, resamples=400, seed=number)
        covered += low <= truth_skill <= high
    assert covered / 300 >= 0.9


def test_naive_against_itself_has_no_skill_in_any_resample():
    naive = np.random.default_rng(0).exponential(size=500)
    assert skill_interval(naive[None], naive, horizon=1) == (0.0, 0.0)


def test_another_forecaster_is_paired_seed_by_seed():
    """Seeds that differ much, each a tenth better in rmse than its partner: the gain itself hardly varies."""
    random = np.random.default_rng(0)
    other = random.exponential(size=(3, 500)) * np.array([[1.0], [4.0], [9.0]])
    low, high = skill_interval(0.81 * other, other, horizon=1)
    assert (low, high) == pytest.approx((0.1, 0.1))


def test_the_same_seed_gives_the_same_interval():
    random = np.random.default_rng(0)
    squared, naive = random.exponential(size=(3, 500)), random.exponential(size=500)
    assert skill_interval(squared, naive, horizon=1) == skill_interval(squared, naive, horizon=1)


def test_seeds_that_differ_widen_the_interval():
    random = np.random.default_rng(0)
    naive = random.exponential(size=500)
    alike = skill_interval(np.stack([naive * 0.9] * 3), naive, horizon=1)
    apart = skill_interval(np.stack([naive * 0.8, naive * 0.9, naive]), naive, horizon=1)
    assert apart[1] - apart[0] > 0.05 > alike[1] - alike[0]


def test_too_few_windows_or_a_naive_without_error_have_none():
    random = np.random.default_rng(0)
    assert skill_interval(random.exponential(size=(1, 20)), random.exponential(size=20), horizon=3) is None
    assert skill_interval(random.exponential(size=(1, 500)), np.zeros(500), horizon=1) is None
