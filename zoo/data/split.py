"""Chronological splits: shares, row counts or dates become row boundaries, and the test part folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

import pandas as pd

from zoo.errors import InputError

SHARES = (0.7, 0.1, 0.2)  # of train, validation and test, where nothing else is asked for


@dataclass(frozen=True)
class Split:
    """Row boundaries: train is [train_start, train_end), validation [train_end, valid_end), test [valid_end,
    test_end)."""

    train_end: int
    valid_end: int
    test_end: int
    train_start: int = 0

    def parts(self) -> tuple[tuple[str, int, int], ...]:
        """Name, first row and end of each part."""
        return (
            ("train", self.train_start, self.train_end),
            ("validation", self.train_end, self.valid_end),
            ("test", self.valid_end, self.test_end),
        )


@dataclass(frozen=True)
class Fold:
    """One of `count` blocks of the test part, from 0. is_sliding: all train parts are as long as the first one."""

    number: int = 0
    count: int = 1
    is_sliding: bool = False


def split_of_fold(whole: Split, fold: Fold) -> Split:
    """The split in which a block of the whole test part is the test part: rolling origin, with a growing or a sliding
    train part.

    Validation is as long as in the whole split and lies just before the block; all rows before it are for training, or
    as many of the newest as in the whole split. So the blocks together are the test part, and the first one has the
    train part of the whole split.

    Source: Tashman, Out-of-sample tests of forecasting accuracy, International Journal of Forecasting 16 (2000).
    """
    rows, valid_rows = whole.test_end - whole.valid_end, whole.valid_end - whole.train_end
    first, end = (whole.valid_end + rows * number // fold.count for number in (fold.number, fold.number + 1))
    start = first - valid_rows - whole.train_end if fold.is_sliding else 0
    return Split(first - valid_rows, first, end, start)


def split_rows(split: Sequence[Any], rows: int, time: pd.DatetimeIndex | None) -> Split:
    """The boundaries of a split over `rows` rows.

    Three shares that sum to 1 (boundaries are floor(rows x exact cumulative share)); or three row counts
    (rows beyond their sum are unused); or two dates, the first day of validation and the first day of
    test (a third date ends the test part, itself excluded). Validation may be empty.
    Raises InputError for anything else.
    """
    parts = list(split)
    if parts and all(_is_date(part) for part in parts):
        return _by_dates(parts, rows, time)
    if len(parts) != 3 or any(isinstance(part, bool) or not isinstance(part, int | float) for part in parts):
        raise InputError(
            f"split must be train, validation, test as three shares, three row counts, or two dates, got {parts}"
        )
    if not all(0 <= part < float("inf") for part in parts):
        raise InputError(f"split must be finite numbers >= 0, got {parts}")
    if any(part > 1 for part in parts):
        if any(part != int(part) for part in parts):
            raise InputError(f"split in rows must be whole numbers, got {parts}")
        train, valid, test = (int(part) for part in parts)
        if train + valid + test > rows:
            raise InputError(f"split needs {train + valid + test} rows, the data has {rows}")
        return Split(train, train + valid, train + valid + test)
    # Decimals as the user wrote them, not their binary neighbours: floor(10 x (0.7 + 0.1)) must be 8.
    exact = [Fraction(str(part)) for part in parts]
    if abs(sum(exact, Fraction(0)) - 1) > Fraction(1, 10**9):
        raise InputError(f"split shares must sum to 1, got {parts} (sum {float(sum(exact)):g})")
    return Split(floor(rows * exact[0]), floor(rows * (exact[0] + exact[1])), rows)


def _is_date(part: Any) -> bool:
    return hasattr(part, "isoformat") or (isinstance(part, str) and any(c in part for c in "-/:"))


def _by_dates(parts: list[Any], rows: int, time: pd.DatetimeIndex | None) -> Split:
    if time is None:
        raise InputError("split by dates needs a time column; name it with --time, or split by shares or rows")
    if len(parts) not in (2, 3):
        raise InputError(f"split by dates takes the first day of validation and of test, got {len(parts)} dates")
    try:
        dates = [pd.Timestamp(part) for part in parts]
        dates = [date.tz_convert("UTC").tz_localize(None) if date.tz else date for date in dates]
    except (ValueError, OverflowError) as error:
        raise InputError(f"split by dates: {error}") from error
    if sorted(dates) != dates:
        raise InputError(f"split by dates must ascend, got {', '.join(str(date) for date in dates)}")
    ends = [int(time.searchsorted(date)) for date in dates]
    return Split(ends[0], ends[1], ends[2] if len(ends) == 3 else rows)
