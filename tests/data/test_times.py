import pandas as pd
import pytest

from zoo.data.times import find_order, read_times
from zoo.errors import InputError


@pytest.mark.parametrize(
    ("values", "second"),
    [
        (["2020-01-31", "2020-02-01"], "2020-02-01"),
        (["2020-01-31 10:00", "2020-01-31 11:30"], "2020-01-31 11:30"),
        (["2020-01-31T10:00:00Z", "2020-01-31T12:00:00Z"], "2020-01-31 12:00"),
        (["2020-03-28T01:00:00+01:00", "2020-03-30T01:00:00+02:00"], "2020-03-29 23:00"),  # hourly: UTC
        (["2020-03-28T00:00:00+01:00", "2020-03-30T00:00:00+02:00"], "2020-03-30"),  # daily: the local date
        (["2020-03-28 00:00:00-05:00", "2020-03-29 00:00:00-05:00"], "2020-03-29"),
        (["01/01/2020 12:00:00 AM", "01/01/2020 01:00:00 PM"], "2020-01-01 13:00"),
        (["01-Jan-20", "02-Feb-20"], "2020-02-02"),
        ([1580428800000000, 1580515200000000], "2020-02-01"),
        (["01/31/2020", "02/01/2020"], "2020-02-01"),
        (["31/01/2020", "01/02/2020"], "2020-02-01"),
        (["01/02/2020", "13/02/2020"], "2020-02-13"),  # month/day fits the first only
        (["02/01/2020", "03/01/2020", "04/01/2020"], "2020-03-01"),  # both fit and are in order: month/day
        (["31.12.2019", "01.01.2020"], "2020-01-01"),
        (["Jan-1949", "Feb-1949"], "1949-02-01"),
        ([20200131, 20200201], "2020-02-01"),
        ([1700, 1701], "1701-01-01"),
        ([1580428800, 1580515200], "2020-02-01"),
        ([1580428800000, 1580515200000], "2020-02-01"),
    ],
)
def test_times_are_read(values, second):
    assert read_times(pd.Series(values))[0][1] == pd.Timestamp(second)


def test_month_starts_are_not_read_as_january_days():
    starts = pd.date_range("2019-01-01", periods=30, freq="MS")
    for way in ("%d/%m/%Y", "%m/%d/%Y"):
        assert list(read_times(pd.Series(starts.strftime(way)))[0]) == list(starts)


def test_index_of_zoned_or_missing_times():
    zoned = pd.date_range("2020-01-01", periods=3, tz="Asia/Tokyo")
    times = find_order(pd.DataFrame({"a": [1.0, 2, 3]}, index=zoned), None, "x").time
    assert list(times) == list(pd.date_range("2020-01-01", periods=3))
    with pytest.raises(InputError, match="time index of x has missing values"):
        find_order(pd.DataFrame({"a": [1.0, 2.0]}, index=pd.DatetimeIndex(["2020-01-01", None])), None, "x")


def test_ambiguous_dates_take_the_format_that_keeps_rows_in_order():
    days = [f"{day:02}/{month:02}/2020" for month in (1, 2, 3) for day in (10, 11, 12)]
    assert read_times(pd.Series(days))[0][1] == pd.Timestamp("2020-01-11")


@pytest.mark.parametrize("values", [["a", "b"], ["2020-01-01", "x"], [0.5, 1.5], [1, 2], [True, False], []])
def test_what_is_not_a_time_is_none(values):
    assert read_times(pd.Series(values))[0] is None


def test_unnamed_time_is_found_among_text_columns():
    frame = pd.DataFrame({"Unnamed: 0": ["2020-01-01", "2020-01-02"], "a": [1.0, 2.0]})
    assert find_order(frame, None, "x").columns == ("Unnamed: 0",)


def test_parts_are_joined():
    frame = pd.DataFrame({"year": [2010, 2010], "month": [1, 1], "day": [1, 1], "hour": [0, 1], "a": [1.0, 2.0]})
    order = find_order(frame, None, "x")
    assert order.columns == ("year", "month", "day", "hour")
    assert order.time[1] == pd.Timestamp("2010-01-01 01:00")
    quarters = find_order(pd.DataFrame({"year": [1959, 1959], "quarter": [1, 2], "a": [1.0, 2.0]}), None, "x")
    assert quarters.time[1] == pd.Timestamp("1959-04-01")
    clock = pd.DataFrame({"Date": ["16/12/2006"] * 2, "Time": ["17:24:00", "17:25:00"], "a": [1.0, 2.0]})
    assert find_order(clock, None, "x").time[1] == pd.Timestamp("2006-12-16 17:25")


def test_named_column_of_numbers_orders_the_rows():
    order = find_order(pd.DataFrame({"step": [3, 1, 2], "a": [1.0, 2.0, 3.0]}), "step", "x")
    assert order.time is None
    assert list(order.keys) == [3, 1, 2]


def test_named_column_that_is_no_time_is_refused():
    with pytest.raises(InputError, match="unknown column 'when' of x"):
        find_order(pd.DataFrame({"a": [1.0]}), "when", "x")
    with pytest.raises(InputError, match="'b' in data row 2 is not a date"):
        find_order(pd.DataFrame({"t": ["2020-01-01", "b"]}), "t", "x")


def test_short_iso_dates_have_one_reading():
    days = pd.bdate_range("2020-02-03", periods=8)
    for text in (days.strftime("%Y-%m-%d"), days.strftime("%Y/%m/%d")):
        assert list(read_times(pd.Series(text))[0]) == list(days)
    assert list(read_times(pd.Series(["2020-01-03", "2020-01-01", "2020-01-02"]))[0]) == list(
        pd.DatetimeIndex(["2020-01-03", "2020-01-01", "2020-01-02"])
    )


def test_ambiguous_dates_are_said_to_be():
    frame = pd.DataFrame({"date": ["03/02/2020", "04/02/2020", "05/02/2020"], "a": [1.0, 2.0, 3.0]})
    (note,) = find_order(frame, None, "x").notes
    assert note == "dates can be read in two ways: 03/02/2020 was read as 2020-03-02"
    assert find_order(frame.assign(date=["13/02/2020", "14/02/2020", "15/02/2020"]), None, "x").notes == ()


def test_two_digit_years_and_packed_clocks():
    assert read_times(pd.Series(["01/31/20", "02/01/20"]))[0][1] == pd.Timestamp("2020-02-01")
    assert read_times(pd.Series(["31.01.20", "01.02.20"]))[0][1] == pd.Timestamp("2020-02-01")
    packed = pd.DataFrame({"<DATE>": [20200102, 20200102], "<TIME>": [93000, 153000], "a": [1.0, 2.0]})
    assert find_order(packed, None, "x").time[1] == pd.Timestamp("2020-01-02 15:30")


def test_numbers_in_no_known_coding_still_order_the_rows():
    order = find_order(pd.DataFrame({"Date": [43833.5, 43832.5], "a": [1.0, 2.0]}), None, "x")
    assert (order.columns, order.time, list(order.keys)) == (("Date",), None, [43833.5, 43832.5])


def test_unknown_format_is_said_to_be_unknown():
    with pytest.raises(InputError, match="'2020Q1' is in no date format that zoo reads"):
        find_order(pd.DataFrame({"date": ["2020Q1", "2020Q2"], "a": [1.0, 2.0]}), None, "x")
