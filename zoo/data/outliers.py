"""Outliers: values far from the others, cleaned where a model reads them; what is learned and scored stays as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zoo.data.table import LARGEST
from zoo.errors import unknown

Policy = Literal["clip", "hampel"]
POLICIES = ("none", "clip", "hampel")
FAR = 3.0  # clip: interquartile ranges beyond the quartiles; hampel: robust deviations from the median
PAST = 24  # rows before a value, which say what hampel may expect
NORMAL = 1.4826  # a normal deviation, in median absolute deviations
PIECE = 2**16  # rows at a time, whose windows hampel sorts


@dataclass(frozen=True)
class Outliers:
    """A policy, fitted on training rows.

    clip: a value beyond a limit becomes the limit; low and high are float64 [columns], of several series [series,
    columns]. hampel: a value further than 3 robust deviations (1.4826 median absolute deviations) from the median of
    the 24 rows before it becomes that median; low and high are empty. The first 24 rows stay as they are, and so does
    what follows rows whose median absolute deviation is 0. No value depends on a later one.

    Source: Tukey, Exploratory Data Analysis, 1977 (far out values); Pearson, Outliers in process modeling and
    identification, IEEE Transactions on Control Systems Technology 10 (2002), whose filter also looks ahead.
    """

    policy: Policy
    low: np.ndarray
    high: np.ndarray

    @property
    def rows_before(self) -> int:
        """Rows before a lookback that its cleaning reads."""
        return PAST if self.policy == "hampel" else 0

    def cleaned(self, values: np.ndarray) -> np.ndarray:
        """Values [rows, columns] of one series, without NaN, as a model reads them."""
        if self.policy == "clip":
            return np.clip(values, self.low, self.high)
        cleaned = np.array(values)
        for first in range(PAST, len(values), PIECE):
            end = min(first + PIECE, len(values))
            windows = np.lib.stride_tricks.sliding_window_view(values[first - PAST : end - 1], PAST, axis=0)
            middle = np.median(windows, axis=2)
            deviation = NORMAL * np.median(np.abs(windows - middle[..., None]), axis=2)
            is_far = (np.abs(values[first:end] - middle) > FAR * deviation) & (deviation > 0)
            cleaned[first:end] = np.where(is_far, middle, values[first:end])
        return cleaned


def fit_outliers(policy: str, train_values: np.ndarray) -> Outliers | None:
    """A policy fitted on training rows [rows, columns]; None for the policy none.

    The limits of clip lie 3 interquartile ranges beyond the quartiles; a column whose quartiles are equal has none.
    Raises UnknownName.
    """
    if policy not in POLICIES:
        raise unknown("outliers", policy, POLICIES)
    if policy == "none":
        return None
    if policy == "hampel":
        return Outliers("hampel", np.empty(0), np.empty(0))
    low, high = np.percentile(train_values, [25, 75], axis=0)
    reach = np.where(high > low, FAR * (high - low), LARGEST)
    return Outliers("clip", low - reach, high + reach)


def joined_outliers(every: Sequence[Outliers | None]) -> Outliers | None:
    """Those of all series as one, whose limits are [series, columns]; None where they have none."""
    own = [each for each in every if each is not None]
    if not own:
        return None
    return Outliers(own[0].policy, np.stack([each.low for each in own]), np.stack([each.high for each in own]))


def cleaned_note(policy: str, is_cleaned: np.ndarray, parts: Sequence[tuple[str, int, int]]) -> str:
    """How many values a policy changes in each part, for the user to read; is_cleaned: bool [rows, columns]."""
    counts = [f"{int(is_cleaned[first:end].sum())} in {name}" for name, first, end in parts if end > first]
    return (
        f"outliers {policy} changes {', '.join(counts)} of {is_cleaned.size} values where models read them; "
        "what is learned and scored stays as it is"
    )
