import itertools
import math
from fractions import Fraction
from statistics import geometric_mean

import numpy as np
import pytest
from scipy.stats import quantile_test, ttest_ind

from zoo.stats.intervals import table_level
from zoo.stats.timings import holm, median_interval, ratio_interval


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


def test_ratio_is_that_of_geometric_means_with_the_interval_of_welch():
    old, new = [1.0, 2.0, 4.0], [8.0, 6.0, 7.0, 9.0, 7.5]
    ratio = ratio_interval(old, new, 0.99)
    assert ratio.value == pytest.approx(geometric_mean(new) / geometric_mean(old))
    welch = ttest_ind(np.log(new), np.log(old), equal_var=False).confidence_interval(0.99)
    assert (ratio.low, ratio.high) == pytest.approx((np.exp(welch.low), np.exp(welch.high)))
    thrice = ratio_interval(old, [3 * value for value in new], 0.99)
    assert (thrice.low, thrice.high) == pytest.approx((3 * ratio.low, 3 * ratio.high))


def test_ratio_of_few_values_has_no_interval():
    for old, new in ((3, 2), (2, 3), (1, 1)):
        ratio = ratio_interval([1.0] * old, [2.0] * new, 0.95)
        assert (ratio.value, ratio.low, ratio.high) == (pytest.approx(2), None, None)


def test_ratio_of_values_without_spread_is_exact():
    ratio = ratio_interval([1.0] * 3, [2.0] * 3, 0.95)
    assert ratio.low == ratio.value == ratio.high == pytest.approx(2)


def spells(random, count):
    """Passes of which one in five met a slow spell."""
    return np.exp(0.01 * random.normal(size=count) + 0.1 * (random.random(count) < 0.2))


@pytest.mark.parametrize(("draw", "most"), [(skewed, 0.05), (spells, 0.05), (two_speeds, 0.1)])
def test_few_comparisons_of_the_same_code_have_a_false_alarm(draw, most):
    """Comparisons of 50 cells, timed twice in 5 passes each. Where two in five passes run at a second speed, all five
    of OLD at one speed and all of NEW at the other is no rare chance."""
    random, level, comparisons = np.random.default_rng(0), table_level(50), 150
    alarms = 0
    for _ in range(comparisons):
        ratios = [ratio_interval(draw(random, 5), draw(random, 5), level) for _ in range(50)]
        alarms += any(ratio.low > 1 or ratio.high < 1 for ratio in ratios)
    assert alarms <= most * comparisons


def test_a_change_of_a_fifth_is_found_among_fifty_cells():
    random = np.random.default_rng(0)
    passes = np.exp(0.02 * random.normal(size=(200, 2, 5))) * [[1.0], [0.8]]
    assert sum(ratio_interval(*sides, table_level(50)).high < 1 for sides in passes) >= 0.9 * 200


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
