"""Dynamic time warping: the least squared distance of sequences whose steps may be stretched."""

from functools import cache
from typing import Any

import numpy as np


def warped_distances(ones: np.ndarray, steps: np.ndarray, lengths: np.ndarray, window: float) -> np.ndarray:
    """float64 [B, N]: the least sum of squared distances between each of `ones` [B, L, C] and each of N sequences.

    steps: [sum of lengths, C], the N sequences one after the other; window: how far a path may stray from the
    diagonal, as a share of the longer sequence; sequences of different length need a step at least.

    Source: Sakoe & Chiba, Dynamic programming algorithm optimization for spoken word recognition, IEEE Transactions on
    Acoustics, Speech, and Signal Processing 26 (1978).
    """
    ends = np.cumsum(lengths)
    distances: np.ndarray = _compiled()(ones, steps, ends - lengths, ends, window)
    return distances


@cache
def _compiled() -> Any:
    from numba import njit  # slow to import

    return njit(nogil=True)(_distances)


def _distances(ones: np.ndarray, steps: np.ndarray, starts: np.ndarray, ends: np.ndarray, window: float) -> np.ndarray:
    count, rows, channels = ones.shape
    distances = np.empty((count, len(starts)))
    for number in range(len(starts)):
        other = steps[starts[number] : ends[number]]
        columns = len(other)
        slope = columns / rows
        reach = max(window * max(rows, columns), 0.0 if rows == columns else max(slope, 1.0))
        for case in range(count):
            one = ones[case]
            before = np.full(columns + 1, np.inf)
            before[0] = 0.0
            for row in range(rows):
                now = np.full(columns + 1, np.inf)
                middle = row * slope
                for column in range(max(0, int(np.ceil(middle - reach))), min(columns, int(middle + reach) + 1)):
                    squared = 0.0
                    for channel in range(channels):
                        squared += (one[row, channel] - other[column, channel]) ** 2
                    now[column + 1] = squared + min(before[column], before[column + 1], now[column])
                before = now
            distances[case, number] = before[columns]
    return distances
