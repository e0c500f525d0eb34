import numpy as np
import pytest

from zoo.data.table import clean
from zoo.errors import InputError, UnknownName

NAN = np.nan
GAPS = np.array([[NAN, 1.0], [2.0, 2.0], [NAN, 3.0], [6.0, NAN], [7.0, NAN]])


@pytest.mark.parametrize(
    ("policy", "values", "is_used", "is_filled"),
    [
        ("ffill", [[2, 2], [2, 3], [6, 3], [7, 3]], [0, 1, 1, 1, 1], [[0, 0], [1, 0], [0, 1], [0, 1]]),
        ("interpolate", [[2, 2], [4, 3], [6, 3], [7, 3]], [0, 1, 1, 1, 1], [[0, 0], [1, 0], [0, 1], [0, 1]]),
        ("drop", [[2, 2]], [0, 1, 0, 0, 0], [[0, 0]]),
    ],
)
def test_policy_fills_gaps(policy, values, is_used, is_filled):
    cleaned = clean(GAPS, ("a", "b"), policy, "x")
    np.testing.assert_array_equal(cleaned.values, values)
    np.testing.assert_array_equal(cleaned.is_used, is_used)
    np.testing.assert_array_equal(cleaned.is_filled, is_filled)
    assert "a 2, b 2" in cleaned.notes[0]


def test_refuse_names_columns_counts_and_the_way_out():
    with pytest.raises(
        InputError, match=r"missing values in x: a 2, b 2; choose --missing ffill, mask, interpolate, drop or skip"
    ):
        clean(GAPS, ("a", "b"), "refuse", "x")


def test_whole_values_pass_untouched():
    values = np.arange(6.0).reshape(3, 2)
    cleaned = clean(values, ("a", "b"), "refuse", "x")
    assert cleaned.values is values
    assert cleaned.is_used.all() and not cleaned.is_filled.any()
    assert cleaned.notes == ()


@pytest.mark.parametrize("policy", ["refuse", "ffill", "interpolate", "drop"])
def test_infinities_are_always_refused(policy):
    with pytest.raises(InputError, match="infinite values in x: b 1"):
        clean(np.array([[1.0, np.inf], [1.0, 2.0]]), ("a", "b"), policy, "x")


def test_empty_column_and_unknown_policy_are_refused():
    with pytest.raises(InputError, match="column 'a' of x is empty: drop it with --channels"):
        clean(np.array([[NAN], [NAN]]), ("a",), "ffill", "x")
    with pytest.raises(UnknownName, match="did you mean 'ffill'"):
        clean(GAPS, ("a", "b"), "fill", "x")


def test_ffill_fills_gaps_up_to_a_limit_and_names_a_longer_one():
    nan = float("nan")
    values = np.array([[nan, nan, 1.0, nan, nan, 2.0, nan], [1, 2, 3, 4, 5, 6, 7]]).T
    cleaned = clean(values, ("a", "b"), "ffill:2", "x")  # the two at the start are no gap
    np.testing.assert_array_equal(cleaned.values[:, 0], [1, 1, 1, 2, 2])
    with pytest.raises(
        InputError, match="'a' of x misses 2 values in a row from row 4 on, and ffill:1 fills 1: choose --missing skip"
    ):
        clean(values, ("a", "b"), "ffill:1", "x")
    with pytest.raises(InputError, match="unknown missing policy 'ffill:0'"):
        clean(values, ("a", "b"), "ffill:0", "x")
