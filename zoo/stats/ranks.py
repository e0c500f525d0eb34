"""Ranks over several data sets: who is better in general, and which differences may be chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from zoo.stats.timings import holm

LEVEL = 0.05  # of every test
FEWEST = 5  # data sets: fewer say little about an order


@dataclass(frozen=True)
class Ranking:
    """Average ranks (1 is best) in the order of names, Friedman's p, and the pairs that differ.

    differing: pairs (better, worse) of names whose Wilcoxon p is below 0.05 after Holm's correction over all
    pairs; empty where Friedman finds no difference at all, and None where there are too few data sets for any pair to
    differ, whatever the errors. groups: the longest runs of names, in order of rank, no two of which differ: the bars
    of a critical-difference diagram.
    """

    names: tuple[str, ...]
    ranks: tuple[float, ...]
    friedman_p: float
    differing: tuple[tuple[str, str], ...] | None
    groups: tuple[tuple[str, ...], ...]
    data_sets: int


def ranking(names: Sequence[str], errors: np.ndarray) -> Ranking:
    """Rank forecasters by their errors [data sets, names], lower is better; ties share their mean rank.

    Raises ValueError with fewer than 5 data sets or 3 names: too few for these tests to find anything.

    Source: Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006); Wilcoxon and
    Holm in place of Nemenyi's distance, as Benavoli, Corani and Mangili, Should we really use post-hoc tests
    based on mean-ranks?, JMLR 17 (2016) advise: then a pair's verdict does not hang on who else takes part.
    """
    data_sets = len(errors)
    if data_sets < FEWEST:
        raise ValueError(f"ranks need at least {FEWEST} problems, got {data_sets}")
    if len(names) < 3:
        raise ValueError(f"ranks need at least 3 variants, got {len(names)}")
    from scipy import stats  # takes seconds to import, and only leaderboards rank

    means = stats.rankdata(errors, axis=1).mean(axis=0)
    order = np.argsort(means, kind="stable")
    ordered = [names[place] for place in order]
    # Where all are equal on every data set, Friedman's statistic is 0 / 0.
    friedman = 1.0 if (means == means[0]).all() else float(stats.friedmanchisquare(*errors.T).pvalue)
    pairs = list(combinations(range(len(names)), 2))
    # The smallest two-sided p of n signed ranks is 2^(1 - n), and Holm multiplies it by the number of pairs.
    is_possible = 2.0 ** (1 - data_sets) * len(pairs) < LEVEL
    p_values = holm([_wilcoxon(errors[:, order[one]] - errors[:, order[two]]) for one, two in pairs])
    apart = {pair for pair, p in zip(pairs, p_values, strict=True) if p < LEVEL} if friedman < LEVEL else set()
    return Ranking(
        names=tuple(ordered),
        ranks=tuple(float(mean) for mean in means[order]),
        friedman_p=friedman,
        differing=tuple((ordered[one], ordered[two]) for one, two in sorted(apart)) if is_possible else None,
        groups=tuple(tuple(ordered[first:end]) for first, end in _groups(len(names), apart)),
        data_sets=data_sets,
    )


def _wilcoxon(differences: np.ndarray) -> float:
    """Wilcoxon's signed-rank p, the ranks of zeros split between both signs; 1 where nothing differs."""
    if not np.any(differences):
        return 1.0
    from scipy import stats

    return float(stats.wilcoxon(differences, zero_method="zsplit").pvalue)


def _groups(count: int, differing: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest runs [first, end) of two or more places without a differing pair."""
    runs: list[tuple[int, int]] = []
    for first in range(count):
        end = first + 1
        while end < count and all((place, end) not in differing for place in range(first, end)):
            end += 1
        if end - first > 1 and (not runs or end > runs[-1][1]):
            runs.append((first, end))
    return runs
