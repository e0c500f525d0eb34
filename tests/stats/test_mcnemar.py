"""McNemar's test against SciPy's binomial test, and what it says of equal classifiers."""

import numpy as np
import pytest
from scipy import stats

from zoo.stats.mcnemar import mcnemar


@pytest.mark.parametrize("shares", [(0.9, 0.6), (0.7, 0.7), (0.55, 0.5)])
def test_the_p_is_that_of_a_binomial_test_of_the_cases_that_differ(shares):
    random = np.random.default_rng(0)
    one, other = (random.random(80) < share for share in shares)
    first, second, p = mcnemar(one, other)
    assert first == sum(a and not b for a, b in zip(one, other, strict=True))
    assert second == sum(b and not a for a, b in zip(one, other, strict=True))
    assert p == pytest.approx(stats.binomtest(first, first + second).pvalue)


def test_equal_classifiers_differ_by_chance_alone():
    right = np.array([True, False, True])
    assert mcnemar(right, right) == (0, 0, 1.0)
    random = np.random.default_rng(0)
    rejected = [mcnemar(random.random(150) < 0.8, random.random(150) < 0.8)[2] < 0.05 for _ in range(400)]
    assert np.mean(rejected) <= 0.06
