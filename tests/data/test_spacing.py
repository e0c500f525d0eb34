import pandas as pd
import pytest

from zoo.data.spacing import next_times, spacing


@pytest.mark.parametrize(
    ("time", "name", "following"),
    [
        (pd.date_range("2020-01-01", periods=9, freq="h"), "hourly", "2020-01-01 09:00"),
        (pd.date_range("2020-01-01", periods=9), "daily", "2020-01-10"),
        (pd.bdate_range("2020-01-01", "2020-01-17"), "business days", "2020-01-20"),
        (pd.bdate_range("2020-01-01", "2020-01-17").delete(4), "business days", "2020-01-20"),
        (pd.date_range("2020-01-05", periods=9, freq="W"), "weekly", "2020-03-08"),
        (pd.date_range("2020-01-01", periods=9, freq="MS"), "monthly", "2020-10-01"),
        (pd.date_range("2020-01-31", periods=9, freq="ME"), "monthly", "2020-10-31"),
        (pd.date_range("2020-01-31", periods=30, freq="BME"), "monthly", "2022-07-29"),
        (pd.date_range("1700-01-01", periods=9, freq="YS"), "yearly", "1709-01-01"),
        (pd.date_range("2020-01-01", periods=30, freq="h").delete(4), "hourly", "2020-01-02 06:00"),
    ],
)
def test_spacing_is_named_and_continued(time, name, following):
    assert spacing(time).name == name
    assert next_times(time, 2)[0] == pd.Timestamp(following)


def test_gaps_are_counted():
    assert spacing(pd.bdate_range("2020-01-01", "2020-01-17").delete([4, 8])).gaps == 2
    assert spacing(pd.date_range("2020-01-01", periods=30, freq="h").delete(4)).gaps == 1


def test_irregular_or_unknown_times_have_no_spacing():
    assert spacing(pd.DatetimeIndex(["2020-01-01", "2020-01-04", "2020-01-05", "2020-01-19"])) is None
    assert spacing(None) is None
    assert next_times(None, 3) is None


@pytest.mark.parametrize(
    ("step", "season"),
    [
        ("s", 60), ("min", 60), ("5min", 288), ("15min", 96), ("h", 24), ("4h", 6), ("7h", None), ("D", 7), ("B", 5),
        ("W", 52), ("MS", 12), ("ME", 12), ("BME", 12), ("QS", 4), ("QE", 4), ("YS", None), ("3D", None),
    ],
)  # fmt: skip
def test_season_follows_from_the_spacing(step, season):
    assert spacing(pd.date_range("2020-01-06", periods=60, freq=step)).season == season
