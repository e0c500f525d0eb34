"""Files that are no tables of numbers end in one line that says why, and nothing hangs, warns or fills the memory."""

import gzip
import os
import socket
import warnings

import pytest

import zoo
from zoo.data import csv_file
from zoo.data.describe import describe, lines

HEADER = "date,close\n"


def rows(values, start=1):
    return "".join(f"2021-01-{start + number:02d},{value}\n" for number, value in enumerate(values))


def read(path):
    """The table of a file and what zoo data says of it; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = zoo.load(path)
        return table, "\n".join(lines(describe(table)))


def read_or_refused(path):
    """The table, or None for a file that is refused in one line."""
    try:
        return read(path)[0]
    except zoo.InputError as error:
        message = str(error)
    assert "\n" not in message
    return None


def refused(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(zoo.InputError) as caught:
            zoo.load(path)
    text = str(caught.value)
    assert "\n" not in text and "\x1b" not in text
    return text


@pytest.mark.parametrize("name", ["pipe.csv", "pipe.csv.gz", "pipe.parquet"])
def test_pipes_are_refused_before_they_are_read(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert "is a pipe, not a file" in refused(tmp_path / name)


def test_devices_and_sockets_are_refused(tmp_path):
    assert "/dev/zero is a device, not a file" in refused("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.csv"))
        assert "is a socket, not a file" in refused(tmp_path / "socket.csv")


def test_a_file_that_is_too_large_is_refused_by_its_size(tmp_path):
    for name in ("large.csv", "large.parquet"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(2**31)
        assert "has 2,048 MiB, and zoo reads up to 512 MiB" in refused(tmp_path / name)


def test_a_gzip_bomb_is_unpacked_up_to_the_limit_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "LARGEST", 2**20)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"0,0\n" * 2**20))
    assert "has more than 1 MiB once unpacked" in refused(tmp_path / "bomb.csv.gz")


@pytest.mark.parametrize("end", ["", "\n2021-01-02,1\n"])
def test_a_number_of_megabytes_is_refused_by_its_line(tmp_path, end):
    (tmp_path / "long.csv").write_text(HEADER + "2021-01-01," + "7" * 5_000_000 + end)
    assert "line 2 has 5,000,011 bytes, and zoo reads lines of up to 1,048,576" in refused(tmp_path / "long.csv")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04rest", "an Excel workbook or a zip archive"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel workbook"),
        (b"\x1f\x8brest", "packed by gzip"),
        (b"PAR1rest", "Parquet"),
        (b"SQLite format 3\x00", "an SQLite database"),
    ],
)
def test_other_formats_are_named_whatever_the_file_is_called(tmp_path, content, kind):
    (tmp_path / "data.csv").write_bytes(content)
    assert kind in refused(tmp_path / "data.csv")


@pytest.mark.parametrize("ending", ["xlsx", "xls", "ods", "XLSX"])
def test_a_workbook_gets_an_answer(tmp_path, ending):
    (tmp_path / f"book.{ending}").write_bytes(b"PK\x03\x04")
    assert "is a workbook: export the sheet as CSV or Parquet" in refused(tmp_path / f"book.{ending}")


@pytest.mark.parametrize("values", [["1e300"] * 20, ["1e300", "-1e300"] * 10, ["1e200", *range(19)]])
def test_values_whose_squares_overflow_are_named_before_anything_is_computed(tmp_path, values):
    (tmp_path / "x.csv").write_text(HEADER + rows(values))
    table, text = read(tmp_path / "x.csv")
    assert "nan" not in text
    with pytest.raises(zoo.InputError, match=r"values beyond 1e\+100 in .*: close \d+"):
        zoo.prepare(table, targets=["close"], lookback=2)


def test_a_value_far_beyond_the_training_rows_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text(HEADER + rows([*range(19), "1.6e38"]))
    with pytest.raises(zoo.InputError, match=r"a value lies 4e\+37 units of its scaler from the training rows"):
        zoo.prepare(zoo.load(tmp_path / "x.csv"), targets=["close"], lookback=2)


@pytest.mark.parametrize("values", [["1e-320", "2e-320"] * 10, ["5e-324", "0"] * 10])
def test_values_too_small_to_tell_apart_are_constant(tmp_path, values):
    (tmp_path / "x.csv").write_text(HEADER + rows(values))
    table, _ = read(tmp_path / "x.csv")
    with pytest.raises(zoo.InputError, match="target 'close' of .* is constant"):
        zoo.prepare(table, targets=["close"], lookback=2)


@pytest.mark.parametrize("number", ["1e999", "9" * 400, "9" * 5000, "inf", "-Infinity"])
def test_numbers_beyond_float64_are_infinite(tmp_path, number):
    (tmp_path / "x.csv").write_text(HEADER + rows([number, *range(19)]))
    table, _ = read(tmp_path / "x.csv")
    with pytest.raises(zoo.InputError, match="infinite values in .*: close 1"):
        zoo.prepare(table, targets=["close"], lookback=2)


@pytest.mark.parametrize("name", ["index", "time", "id"])
def test_columns_that_may_order_the_rows_may_hold_infinities(tmp_path, name):
    (tmp_path / "x.csv").write_text(f"{name},close\n1e999,1\n1e999,2\n3,3\n")
    table, _ = read(tmp_path / "x.csv")
    assert "close" in table.columns


@pytest.mark.parametrize("digits", ["١٢٣", "１２３", "१२३", "²³"])  # noqa: RUF001
def test_digits_of_other_scripts_are_text(tmp_path, digits):
    (tmp_path / "x.csv").write_text(HEADER + rows([digits] * 20), encoding="utf-8")
    assert "no numeric column beside the time" in refused(tmp_path / "x.csv")


@pytest.mark.parametrize(
    "times",
    [
        [f"0000-01-{day:02d}" for day in range(1, 21)],
        [f"-0044-03-{day:02d}" for day in range(1, 21)],
        [f"99999-01-{day:02d}" for day in range(1, 21)],
        ["NaT"] * 20,
        ["never"] * 20,
        ["2021-13-45"] * 20,
        [10**19 + number for number in range(20)],
        [10**25 + number for number in range(20)],
        ["1e300"] * 20,
        [-(10**18) - number for number in range(20)],
        ["١٢٣"] * 20,
        [f"2021-01-{day:02d}T25:61" for day in range(1, 21)],
    ],
)
def test_times_that_are_none_are_one_line_or_a_note(tmp_path, times):
    (tmp_path / "x.csv").write_text("date,close\n" + "".join(f"{time},{row}\n" for row, time in enumerate(times)))
    table = read_or_refused(tmp_path / "x.csv")
    assert table is None or (table.time is None and table.notes)


@pytest.mark.parametrize("cut", [0, 4, 50, 200, -1, -8, -20])
def test_a_damaged_parquet_is_one_line(tmp_path, prices, cut):
    pytest.importorskip("pyarrow")
    path = tmp_path / "prices.parquet"
    prices.to_parquet(path)
    path.write_bytes(path.read_bytes()[:cut])
    assert "cannot be read as Parquet" in refused(path)


@pytest.mark.parametrize("place", range(4, 400, 36))
def test_a_parquet_with_a_wrong_byte_is_read_or_refused_in_one_line(tmp_path, prices, place):
    pytest.importorskip("pyarrow")
    path = tmp_path / "prices.parquet"
    prices.to_parquet(path)
    content = bytearray(path.read_bytes())
    content[-place] ^= 0xFF
    path.write_bytes(content)
    read_or_refused(path)


def test_column_names_reach_the_terminal_without_control_signs(tmp_path):
    (tmp_path / "x.csv").write_text("date,\x1b[31mclose\x07\u202e\n" + rows(range(20)), encoding="utf-8")
    table, text = read(tmp_path / "x.csv")
    assert table.columns == ("[31mclose",)
    assert "\x1b" not in text and "\u202e" not in text
