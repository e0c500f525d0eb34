"""McNemar's test: are two classifiers, both scored on the same cases, right equally often?"""

import numpy as np


def mcnemar(one: np.ndarray, other: np.ndarray) -> tuple[int, int, float]:
    """Cases that only `one` gets right, that only `other` gets right, and the two-sided p of so uneven a split.

    one, other: bool [n], whether each case was right. The p is exact: where both are equally good, each case on which
    they differ falls to either side like a coin.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika 12
    (1947); exact as in Dietterich, Approximate statistical tests for comparing supervised classification learning
    algorithms, Neural Computation 10 (1998).
    """
    from scipy.special import bdtr

    first, second = int((one & ~other).sum()), int((other & ~one).sum())
    differing = first + second
    p = min(1.0, 2 * float(bdtr(min(first, second), differing, 0.5))) if differing else 1.0
    return first, second, p
