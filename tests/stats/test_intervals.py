"""Intervals hold what they promise, where the truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.stats.walks import naive_errors, squared
from zoo.stats.intervals import errors_of, mean_interval, rmse_series, skill_interval, table_level


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


def test_the_level_of_a_line_does_not_depend_on_how_many_others_ran():
    assert table_level(1) == table_level(13) == table_level(20) == pytest.approx(1 - 0.05 / 20)
    assert table_level(50) == pytest.approx(1 - 0.05 / 50)


def test_the_series_of_an_rmse_has_the_rmse_as_its_mean():
    losses = np.random.default_rng(0).exponential(size=(3, 100))
    assert rmse_series(losses).mean() == pytest.approx(np.sqrt(losses.mean(axis=1)).mean())


@pytest.mark.parametrize(("count", "horizon"), [(1000, 1), (300, 12), (600, 24)])
def test_skill_interval_covers_the_true_skill(count, horizon):
    """A forecaster that adds a walk of half the steps has rmse sqrt(1 + 0.25) times naive's, by construction."""
    true_skill, covered = 1 - math.sqrt(1.25), 0
    for number in range(300):
        random = np.random.default_rng(number)
        naive = naive_errors(random, count, horizon)
        losses = squared([naive - 0.5 * naive_errors(random, count, horizon) for _ in range(3)])
        low, high = skill_interval(losses, squared(naive), horizon=horizon)
        covered += low <= true_skill <= high
    assert 0.93 <= covered / 300 <= 0.99


def test_a_skill_without_seeds_is_tested_like_the_mean_of_its_series():
    """With one step, equal weights and one seed: Student's t of the difference over the cosines, by hand."""
    random = np.random.default_rng(1)
    naive = random.exponential(size=1000)
    losses = naive * random.uniform(0.8, 1.1, size=1000)
    low, high = skill_interval(losses[None], naive, horizon=1, level=0.9)
    for end in (low, high):
        difference = rmse_series(losses[None]) - (1 - end) * rmse_series(naive[None])
        degrees = int(0.4 * 1000 ** (2 / 3))
        waves = [np.cos(math.pi * wave * (np.arange(1000) + 0.5) / 1000) for wave in range(1, degrees + 1)]
        long_run = np.mean([(math.sqrt(2 / 1000) * (wave * difference).sum()) ** 2 for wave in waves])
        assert abs(difference.mean()) / math.sqrt(long_run / 1000) == pytest.approx(stats.t.ppf(0.95, degrees))


def test_naive_against_itself_has_no_skill():
    naive = np.random.default_rng(0).exponential(size=500)
    assert skill_interval(naive[None], naive, horizon=1) == pytest.approx((0.0, 0.0))


def test_another_forecaster_is_paired_seed_by_seed():
    """Seeds that differ much, each a tenth better in rmse than its partner: the gain itself hardly varies."""
    random = np.random.default_rng(0)
    other = random.exponential(size=(3, 500)) * np.array([[1.0], [4.0], [9.0]])
    low, high = skill_interval(0.81 * other, other, horizon=1)
    assert (low, high) == pytest.approx((0.1, 0.1))


def test_seeds_that_differ_widen_the_interval():
    random = np.random.default_rng(0)
    naive = random.exponential(size=500)
    alike = skill_interval(np.stack([naive * 0.9] * 3), naive, horizon=1)
    apart = skill_interval(np.stack([naive * 0.8, naive * 0.9, naive]), naive, horizon=1)
    assert apart[1] - apart[0] > 0.05 > alike[1] - alike[0]


def test_too_few_windows_or_a_naive_without_error_have_none():
    random = np.random.default_rng(0)
    assert skill_interval(random.exponential(size=(1, 30)), random.exponential(size=30), horizon=3) is None
    assert skill_interval(random.exponential(size=(1, 500)), np.zeros(500), horizon=1) is None


def test_losses_that_are_errors_themselves_are_not_squared():
    other = np.random.default_rng(0).exponential(size=500)
    low, high = skill_interval(0.81 * other[None], other, horizon=1, is_squared=False)
    assert (low, high) == pytest.approx((0.19, 0.19))
    assert skill_interval(0.81 * other[None], other, horizon=1) == pytest.approx((0.1, 0.1))
    assert errors_of(np.array([[1.0, 3.0]]), is_squared=False) == pytest.approx([2.0])
    assert errors_of(np.array([[1.0, 7.0]])) == pytest.approx([2.0])
