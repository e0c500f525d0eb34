from datetime import date
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.split import Split, split_rows
from zoo.errors import InputError

DAYS = pd.date_range("2020-01-01", periods=100)


@pytest.mark.parametrize(
    ("split", "rows", "expected"),
    [
        ((0.7, 0.1, 0.2), 5031, Split(3521, 4024, 5031)),
        ((0.7, 0.1, 0.2), 10, Split(7, 8, 10)),  # 0.7 + 0.1 is less than 0.8 in binary
        ((0.8, 0, 0.2), 10, Split(8, 8, 10)),
        ((8640, 2880, 2880), 17420, Split(8640, 11520, 14400)),
        ((50, 0, 10), 100, Split(50, 50, 60)),
        (("2020-02-01", "2020-03-01"), 100, Split(31, 60, 100)),
        ((date(2020, 2, 1), "2020-03-01", "2020-03-11"), 100, Split(31, 60, 70)),
    ],
)
def test_boundaries(split, rows, expected):
    assert split_rows(split, rows, DAYS) == expected


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 10_000))
def test_shares_are_exact(first, second, rows):
    if first + second > 100:
        first, second = first // 2, second // 2
    shares = [float(f"{share / 100:.2f}") for share in (first, second, 100 - first - second)]
    bounds = split_rows(shares, rows, None)
    assert bounds.train_end == rows * Fraction(first, 100) // 1
    assert bounds.valid_end == rows * Fraction(first + second, 100) // 1
    assert bounds.test_end == rows


@pytest.mark.parametrize(
    ("split", "rule"),
    [
        ((0.7, 0.2), "three shares, three row counts, or two dates"),
        ((0.7, 0.2, 0.2), r"must sum to 1, got \[0.7, 0.2, 0.2\] \(sum 1.1\)"),
        ((0.9, 0.3, -0.2), "must be finite numbers >= 0"),
        ((0.7, 0.1, float("nan")), "must be finite"),
        ((float("inf"), 1, 2), "must be finite"),
        ((80, 15, 15), "needs 110 rows, the data has 100"),
        ((80, 10.5, 5), "must be whole numbers"),
        ((True, 0, 0), "three shares"),
        ((0.5, 0.3, "rest"), "three shares"),
        (("2020-03-01", "2020-02-01"), "must ascend"),
        (("2020-03-01",), "got 1 dates"),
        (("2020-03-01", "2020-99-01"), "split by dates"),
    ],
)
def test_impossible_split_is_refused(split, rule):
    with pytest.raises(InputError, match=rule):
        split_rows(split, 100, DAYS)


def test_dates_need_a_time_column():
    with pytest.raises(InputError, match="needs a time column"):
        split_rows(("2020-02-01", "2020-03-01"), 100, None)
