import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import quantile_test

from zoo.stats.timings import difference_p, holm, median_interval, ratio_interval


def skewed(random, count):
    return np.exp(random.normal(size=count) * 0.3)


def two_speeds(random, count):
    return 1 + 0.1 * (random.random(count) < 0.4) + 0.01 * random.normal(size=count)


@pytest.mark.parametrize("count", range(1, 41))
def test_median_interval_takes_the_innermost_ranks_that_leave_out_five_percent_at_most(count):
    risks = [2 * Fraction(sum(math.comb(count, i) for i in range(rank)), 2**count) for rank in range(count // 2 + 1)]
    rank = max(rank for rank, risk in enumerate(risks) if risk <= Fraction(1, 20))
    interval = median_interval(range(1, count + 1))
    assert interval == ((rank, count + 1 - rank) if rank else None)


def test_median_interval_needs_six_values_at_95_percent_and_fewer_below():
    # All five lie on one side of the median with probability 2 / 2**5 = 0.0625.
    assert median_interval([3, 1, 2, 5, 4]) is None
    assert median_interval([3, 1, 2, 5, 4], 1 - 0.0625) == (1, 5)
    assert median_interval([3, 1, 2, 6, 5, 4]) == (1, 6)
    assert median_interval([3, 1, 2, 6, 5, 4], 0.97) is None
    assert median_interval([]) is None


def test_median_interval_agrees_with_the_inverted_quantile_test_of_scipy():
    random = np.random.default_rng(0)
    for count in (6, 9, 20, 33, 100):
        values = skewed(random, count)
        assert median_interval(values, 0.9) == tuple(quantile_test(values, p=0.5).confidence_interval(0.9))


def test_median_interval_covers_the_median_of_skewed_timings():
    random = np.random.default_rng(0)
    intervals = [median_interval(skewed(random, 20)) for _ in range(1000)]
    covered = sum(low <= 1 <= high for low, high in intervals)
    # Ranks 6 and 15 of 20 cover it with probability 0.9586; 1000 draws of that have a deviation of 6.3.
    assert abs(covered - 958.6) < 4 * 6.3


def test_ratio_is_the_median_of_new_over_that_of_old():
    assert ratio_interval([1, 2, 3, 4, 5, 100], [8, 6, 7]).value == 7 / 3.5


@pytest.mark.parametrize("count", [7, 13, 25])
def test_ratio_interval_has_the_quantiles_of_the_bootstrap_distribution(count):
    # A median of resamples is at most the k-th value where at least half of the draws are: Efron, Bootstrap
    # methods: another look at the jackknife, Annals of Statistics 7 (1979), section 3.
    def chance(k):
        half = (count + 1) // 2
        return sum(
            math.comb(count, i) * (k / count) ** i * (1 - k / count) ** (count - i) for i in range(half, count + 1)
        )

    low = next(k for k in range(1, count + 1) if chance(k) >= 0.025)
    high = next(k for k in range(1, count + 1) if chance(k) >= 0.975)
    interval = ratio_interval([2.0] * 6, range(1, count + 1), resamples=20_000)
    assert (interval.low, interval.high) == (low / 2, high / 2)


def test_ratio_interval_is_the_same_each_time_and_follows_the_unit():
    random = np.random.default_rng(0)
    old, new = skewed(random, 12), skewed(random, 15)
    interval, thrice = ratio_interval(old, new), ratio_interval(old, 3 * new)
    assert interval == ratio_interval(old, new)
    assert interval.low < interval.value < interval.high
    assert (thrice.low, thrice.high) == pytest.approx((3 * interval.low, 3 * interval.high))
    wide = ratio_interval(old, new, 0.99)
    assert wide.low < interval.low and interval.high < wide.high


def test_ratio_of_few_values_has_no_interval():
    assert ratio_interval([1] * 6, [2] * 6).low == 2
    for old, new in ((5, 6), (6, 5), (1, 1)):
        interval = ratio_interval([1] * old, [2] * new)
        assert (interval.value, interval.low, interval.high) == (2, None, None)


@pytest.mark.parametrize("draw", [skewed, two_speeds])
def test_ratio_interval_covers_the_ratio_of_medians(draw):
    random = np.random.default_rng(0)
    intervals = [ratio_interval(draw(random, 12), 1.1 * draw(random, 12), resamples=300) for _ in range(300)]
    covered = sum(ratio.low <= 1.1 <= ratio.high for ratio in intervals)
    assert 0.93 <= covered / 300 <= 0.99


def test_p_of_mann_and_whitney_is_the_share_of_arrangements_as_uneven():
    # The example in the manual of scipy.stats.mannwhitneyu: ages at diagnosis of men and women.
    men, women = [19, 22, 16, 29, 24], [20, 11, 17, 12]

    def wins(chosen, rest):
        return sum(a > b for a in chosen for b in rest)

    both = men + women
    all_wins = [wins(some, set(both) - set(some)) for some in itertools.combinations(both, len(men))]
    seen = wins(men, women)
    assert seen == 17
    p = 2 * sum(count >= seen for count in all_wins) / len(all_wins)
    assert p == pytest.approx(14 / 126)
    assert difference_p(men, women) == pytest.approx(p)
    assert difference_p(women, men) == pytest.approx(p)


def test_p_of_many_values_is_that_of_the_normal_approximation():
    old, new = [float(i) for i in range(12)], [i + 6.5 for i in range(12)]
    losses = sum(a > b for a in old for b in new)
    distance = abs(losses - 72) - 0.5  # mean 12 * 12 / 2, continuity of a half
    assert difference_p(old, new) == pytest.approx(math.erfc(distance / math.sqrt(12 * 12 * 25 / 12) / math.sqrt(2)))


def test_equal_samples_do_not_differ():
    assert difference_p([1.0] * 9, [1.0] * 9) == 1
    assert difference_p([1, 2, 3], [1, 2, 3]) == 1


def test_holm_corrects_a_worked_example():
    # By hand: 0.005 * 4 = 0.02, 0.01 * 3 = 0.03, 0.03 * 2 = 0.06, and 0.04 * 1 is raised to the 0.06 before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


def test_holm_is_the_closed_test_of_bonferroni():
    # A hypothesis falls when every set that holds it falls: Marcus, Peritz and Gabriel, Biometrika 63 (1976).
    p_values = np.random.default_rng(0).random(7) ** 3
    sets = [some for size in range(1, 8) for some in itertools.combinations(range(7), size)]
    closed = [
        max(min(1, len(some) * min(p_values[list(some)])) for some in sets if number in some) for number in range(7)
    ]
    assert holm(p_values) == pytest.approx(closed)
