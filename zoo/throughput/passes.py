"""Passes: the repeats of a cell by the process that made them, which is the independent unit of a comparison."""

import itertools
import math
import statistics
from collections.abc import Sequence

import pandas as pd

from zoo.cell import SpeedRow
from zoo.stats.timings import FEWEST

BUSY = 1.1  # times the best reading beside a cell: a shared machine that does nothing else is mostly within it
RAISED = 1.4  # times the best reading of all: beside a cell whose steps slow the core down for good it is at most this
NOISE = 0.05  # a smaller difference means nothing: two processes of the same code differ by as much


def by_pass(all_repeats: Sequence[tuple[float, float]], counts: Sequence[int], limit: float) -> list[list[float]]:
    """For each pass the seconds of those of its repeats that have a reading within the limit; passes without any are
    left out. counts: of the repeats in each pass."""
    ends = [0, *itertools.accumulate(counts)]
    passes = [
        [seconds for seconds, reading in all_repeats[start:end] if reading <= limit]
        for start, end in itertools.pairwise(ends)
    ]
    return [seconds for seconds in passes if seconds]


def limit_of(all_repeats: Sequence[tuple[float, float]], best: float) -> float:
    """The reading of the reference up to which a repeat of a cell is calm.

    Steps that use wide vectors or fill the caches slow the core down beside them, by up to a quarter, so readings are
    judged by the best one beside this cell; best: of all cells, the bound of that.
    """
    beside = min((reading for _, reading in all_repeats), default=math.inf)
    return min(BUSY * beside, RAISED * best)


def pass_rates(row: SpeedRow | pd.Series) -> list[float]:
    """Windows per second in each pass of a measured row, by the median of its calm repeats (all, where few are)."""
    if not (_has(row.all_repeats) and _has(row.passes)):
        return [float(row.batch_measured or 1) / statistics.median(row.repeats or ())]
    reference = row.reference if _has(row.reference) else None
    limit = limit_of(row.all_repeats or (), reference) if row.is_calm and reference else math.inf
    passes = by_pass(row.all_repeats or (), row.passes or (), limit)
    return [float(row.batch_measured or 1) / statistics.median(seconds) for seconds in passes]


def why_undecided(row: SpeedRow | pd.Series) -> str:
    """Why the row can be compared with no other; "" where it can."""
    if row.is_calm is not None and not row.is_calm:  # numpy's False too
        return "the machine was busy"
    return "" if len(pass_rates(row)) >= FEWEST else f"fewer than {FEWEST} calm passes"


def _has(value: object) -> bool:
    return value is not None and value == value
