import gzip

import numpy as np
import pandas as pd
import pytest

from tests.conftest import price_frame, shared
from zoo.data.sources import load
from zoo.errors import InputError

ROWS = "date,open,close\n2020-01-01,1,2\n2020-01-02,3,4\n2020-01-03,5,6.5\n"


def written(tmp_path, text, name="x.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.csv.gz", "x.parquet"])
def test_every_format_gives_the_same_table(tmp_path, name):
    path = tmp_path / name
    frame = price_frame(50)
    if name.endswith(".parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    table, expected = load(path), load(frame)
    assert table.columns == expected.columns == ("open", "high", "low", "close", "volume")
    np.testing.assert_array_equal(table.values, expected.values)
    assert (table.time == expected.time).all()
    assert table.time[0] == pd.Timestamp("2020-01-01")


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        "\ufeff" + ROWS,
        ROWS.replace("\n", "\r\n"),
        ROWS.replace(",", ";"),
        ROWS.replace(",", "\t"),
        ROWS.replace(",", " , "),
        ROWS.replace("\n", ",\n"),
        ROWS.replace("3,4", '"$3","4"').replace("1,2", '"$1","2"').replace("5,6.5", '"$5.00","6.5"'),
    ],
    ids=["plain", "bom", "crlf", "semicolon", "tab", "spaces", "trailing comma", "dollars"],
)
def test_dialects_read_alike(tmp_path, text):
    table = load(written(tmp_path, text))
    np.testing.assert_array_equal(table.values[:, :2], [[1, 2], [3, 4], [5, 6.5]])
    assert table.columns[:2] == ("open", "close")
    assert table.time[2] == pd.Timestamp("2020-01-03")


def test_thousands_and_dollar_signs_are_read_with_a_note(tmp_path):
    table = load(written(tmp_path, 'Date,Close,Volume\n01/15/2020,"$1,234.50","1,000,000"\n01/14/2020,$99.00,5\n'))
    np.testing.assert_array_equal(table.values, [[99, 5], [1234.5, 1e6]])
    assert any("Close" in note for note in table.notes)


def test_descending_rows_are_sorted_and_said_so(prices):
    expected = load(prices)
    table = load(prices.iloc[::-1].reset_index(drop=True))
    np.testing.assert_array_equal(table.values, expected.values)
    assert table.notes == ("rows were in descending time order: sorted ascending",)
    shuffled = load(prices.sample(frac=1, random_state=0))
    np.testing.assert_array_equal(shuffled.values, expected.values)
    assert shuffled.notes == ("rows were not in time order: sorted ascending",)


def test_headerless_file_takes_names(tmp_path):
    path = written(tmp_path, "2020-01-01,1,2\n2020-01-02,3,4\n")
    table = load(path, columns=["date", "open", "close"])
    assert table.columns == ("open", "close")
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])
    with pytest.raises(InputError, match="each of the 3 columns of .*x.csv, got 2"):
        load(path, columns=["date", "open"])
    with pytest.raises(InputError, match="no header line: name its columns with --columns"):
        load(written(tmp_path, "1,2\n3,4\n5,6\n"))


def test_text_and_row_numbers_are_left_out_with_a_note(tmp_path):
    table = load(written(tmp_path, "No,wind,a\n1,NW,5\n2,SE,6\n3,cv,7\n"))
    assert table.columns == ("a",)
    assert [note for note in table.notes if "wind" in note or "'No'" in note] == [
        "column 'No' counts the rows: left out",
        "column 'wind' does not hold numbers: left out",
    ]
    with pytest.raises(InputError, match="column 'wind' of .* holds text: 'NW' in line 2"):
        table.select(["wind"])


def test_text_in_a_numeric_column_is_named_with_its_line(tmp_path):
    table = load(written(tmp_path, "date,a,b\n2020-01-01,1,2\n2020-01-02,oops,3\n2020-01-03,4,5\n"))
    np.testing.assert_array_equal(table.select(["b"]), [[2], [3], [5]])
    with pytest.raises(InputError, match="column 'a' of .*x.csv holds text: 'oops' in line 3"):
        table.select(["a"])


def test_missing_marks_become_nan(tmp_path):
    table = load(written(tmp_path, "a,b\n1,NA\n?,2\n3,\n.,4\n"))
    np.testing.assert_array_equal(np.isnan(table.values), [[False, True], [True, False], [False, True], [True, False]])


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("", "x.csv is empty"),
        ("\n\n", "x.csv is empty"),
        ("a,b\n", "x.csv is empty"),
        ("a,b\n1,2\n1,2,3,4\n", "not a well-formed CSV: Expected 2 fields in line 3, saw 4"),
        ("a,b\n1,2,3\n4,5,6\n", "rows have more fields than the header line"),
        (b"a,b\n\xff\xfe,2\n", "not UTF-8"),
        ("date,a\n2020-01-01,1\n2020-01-01,2\n", "1 duplicate timestamps, the first at 2020-01-01"),
        ("date,a\n2020-01-01,1\nsoon,2\n", "time column 'date' .*'soon' in data row 2 is not a date"),
        ("date,a\n2020-01-01,1\n,2\n", "time column 'date' .* is empty in data row 2"),
        ("date,name\n2020-01-01,x\n2020-01-02,y\n", "no numeric column"),
    ],
)  # fmt: skip
def test_bad_file_is_refused_in_one_line(tmp_path, content, rule):
    with pytest.raises(InputError, match=rule) as caught:
        load(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_damaged_gzip_and_parquet_are_refused(tmp_path):
    whole = gzip.compress(ROWS.encode() * 500)
    with pytest.raises(InputError, match=r"x\.csv\.gz cannot be read"):
        load(written(tmp_path, whole[: len(whole) // 2], "x.csv.gz"))
    with pytest.raises(InputError, match=r"cannot be read as Parquet"):
        load(written(tmp_path, b"PAR1 nonsense", "x.parquet"))


def test_missing_file_suggests_a_built_in(tmp_path):
    with pytest.raises(InputError, match="no such file: sp50; did you mean the built-in 'sp500'"):
        load("sp50")
    with pytest.raises(InputError, match="is a folder"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("sp500", 5031, 5), ("nasdaq", 5031, 5), ("co2", 2284, 1), ("sunspots", 309, 1), ("wti", 8611, 1),
        ("vix", 1305, 1), ("bond-yields", 1200, 2), ("sea-temperature", 732, 1), ("electrical-equipment", 257, 1),
    ],
)  # fmt: skip
def test_built_in_data_has_its_known_size(name, rows, columns):
    pytest.importorskip("arch")  # statsmodels comes with it
    table = load(name)
    assert table.values.shape == (rows, columns)
    assert table.time.is_monotonic_increasing


def test_co2_declares_what_is_done_about_its_59_gaps():
    pytest.importorskip("statsmodels")
    table = load("co2")
    assert np.isnan(table.values).sum() == 59
    assert table.missing == "ffill"


def test_sea_temperature_is_unfolded_from_years_of_twelve_months():
    """The first and last year of statsmodels' file: January 1950 23.11, December 2010 22.07."""
    pytest.importorskip("statsmodels")
    table = load("sea-temperature")
    assert (table.values[0, 0], table.values[-1, 0]) == (23.11, 22.07)
    assert (str(table.time[0])[:7], str(table.time[12])[:7], str(table.time[-1])[:7]) == (
        "1950-01",
        "1951-01",
        "2010-12",
    )


def test_generated_series_are_the_same_every_time():
    for name in ("sine", "random-walk"):
        np.testing.assert_array_equal(load(name).values, load(name).values)
    walk = np.diff(load("random-walk").values[:, 0])
    assert abs(walk.mean()) < 3 / len(walk) ** 0.5
    assert walk.std() == pytest.approx(1, abs=0.05)


def test_real_files_are_read_with_their_traps():
    pollution = load(shared("pollution.csv"))
    assert pollution.columns == ("pm2.5", "DEWP", "TEMP", "PRES", "Iws", "Is", "Ir")
    assert np.isnan(pollution.values).sum() == 2067
    assert pollution.time[-1] == pd.Timestamp("2014-12-31 23:00")
    gasoline = load(shared("us_gasoline.csv"))
    assert gasoline.time[0] == pd.Timestamp("1991-02-08")
    assert "rows were in descending time order: sorted ascending" in gasoline.notes


def test_frame_with_two_columns_of_one_name_is_refused():
    with pytest.raises(InputError, match="two columns called 'a'"):
        load(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]))


YFINANCE = """Price,Close,Volume
Ticker,AAPL,AAPL
Date,,
2020-01-02,72.7,135480400
2020-01-03,72.0,146322800
"""


def test_vendors_dialects(tmp_path):
    yfinance = load(written(tmp_path, YFINANCE))
    assert yfinance.columns == ("Close", "Volume")
    np.testing.assert_array_equal(yfinance.values[:, 0], [72.7, 72.0])
    stooq = load(written(tmp_path, "<TICKER>,<DATE>,<CLOSE>\nX,20200102,1\nX,20200103,2\n"))
    assert (stooq.columns, stooq.time[1]) == (("<CLOSE>",), pd.Timestamp("2020-01-03"))
    candles = "open_time,close,close_time\n1580428800000,1,1580515199999\n1580515200000,2,1580601599999\n"
    binance = load(written(tmp_path, candles))
    assert binance.columns == ("close",)
    assert binance.time[1] == pd.Timestamp("2020-02-01")
    german = load(written(tmp_path, "Datum;Schluss;Stück\n31.12.2019;1.100,5;1,100\n02.01.2020;99;2\n"))
    np.testing.assert_array_equal(german.values, [[1100.5, 1.1], [99, 2]])


def test_empty_columns_and_rows_are_left_out(tmp_path):
    table = load(written(tmp_path, "date,a,note\n2020-01-01,1,\n2020-01-02,2,\n,,\n"))
    assert table.columns == ("a",)
    assert len(table) == 2
    assert "column 'note' is empty: left out" in table.notes


def test_headerless_file_with_dates_is_noticed(tmp_path):
    with pytest.raises(InputError, match="no header line"):
        load(written(tmp_path, "2015-01-02,3003.95,3006.91\n2015-01-03,1,2\n"))
    assert load(written(tmp_path, "date,2019,2020\n2015-01-02,1,2\n2015-01-03,1,2\n")).columns == ("2019", "2020")


def test_frames_with_other_indices(prices):
    expected = load(prices).values
    by_text = prices.set_index("date").iloc[::-1]
    np.testing.assert_array_equal(load(by_text).values, expected)
    by_period = prices.set_index(pd.PeriodIndex(prices["date"], freq="D")).drop(columns="date").iloc[::-1]
    np.testing.assert_array_equal(load(by_period).values, expected)
    np.testing.assert_array_equal(load(prices[prices.index % 2 == 0]).values, expected[::2])
    levels = prices.set_index(pd.DatetimeIndex(prices["date"])).drop(columns="date")
    levels.columns = pd.MultiIndex.from_product([levels.columns, ["AAPL"]])
    assert load(levels).columns == ("open", "high", "low", "close", "volume")
    np.testing.assert_array_equal(load(levels).values, expected)


def test_decimal_sign_is_decided_once_for_the_file(tmp_path):
    german = "Datum;Kurs;Stueck\n02.01.2020;100,35;950\n03.01.2020;99,5;1.234\n06.01.2020;99;12.500\n"
    table = load(written(tmp_path, german))
    np.testing.assert_array_equal(table.values, [[100.35, 950], [99.5, 1234], [99, 12500]])
    assert table.time[2] == pd.Timestamp("2020-01-06")
    english = load(written(tmp_path, "date;close;vol\n2020-01-01;1234.5;1,200\n2020-01-02;987.0;950\n"))
    np.testing.assert_array_equal(english.values, [[1234.5, 1200], [987, 950]])
    quoted = load(written(tmp_path, 'a,b\n"1,234","1,5"\n"2,000","2,5"\n'))
    np.testing.assert_array_equal(quoted.values, [[1.234, 1.5], [2, 2.5]])


def test_dots_that_can_only_mark_thousands_do(tmp_path):
    table = load(written(tmp_path, "Tag;Wert;Zahl\n01.01.2023;1.023;7\n02.01.2023;987;8\n03.01.2023;1.004.123;9\n"))
    np.testing.assert_array_equal(table.values, [[1023, 7], [987, 8], [1004123, 9]])
    assert "column 'Wert': read with a decimal comma" in table.notes
    for content, first in (
        ("a;b\n1.023;7\n0.987;8\n", 1.023),  # a leading zero
        ("a;b\n1.023;7\n987.5;8\n", 1.023),
        ("a;b\n1.023;7\n98765;8\n", 1.023),  # thousands without a dot
        ("a;b\n1.023;7\n1.024;8\n", 1.023),  # either, so as pandas reads it
        ("a;b\n1.023;7.5\n987;8\n", 1.023),
        ("a,b\n1.023,7\n987,8\n", 1.023),
    ):
        assert load(written(tmp_path, content)).values[0, 0] == first, content


def test_separator_inside_quotes_does_not_count(tmp_path):
    table = load(written(tmp_path, 'Datum;"Kurs, EUR"\n2020-01-02;100,35\n2020-01-03;100,5\n'))
    assert table.columns == ("Kurs, EUR",)
    np.testing.assert_array_equal(table.values[:, 0], [100.35, 100.5])


def test_newline_in_a_column_name_becomes_a_space(tmp_path):
    assert load(written(tmp_path, 'date,"close\n(USD)"\n2020-01-02,1\n2020-01-03,2\n')).columns == ("close (USD)",)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is empty: it needs a header line"),
        (b"\n\n\n", "is empty: it needs a header line"),
        (b"\0\0\0", "is empty: it holds no rows"),
        (b"\xff\xfe\x00\x01", "is not UTF-8 text"),
        (b'a,"b\n1,2\n', "is not a well-formed CSV: EOF inside string"),
        (b"a" * 200_000 + b",b\n1,2\n", "is not a well-formed CSV: field larger than field limit"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path, content, rule):
    path = tmp_path / "prices.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rule) as refusal:
        load(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["a" * 5000, "."])
def test_a_name_that_is_no_file_is_refused(name):
    with pytest.raises(InputError, match="cannot be read|is a folder"):
        load(name)
