"""Reading a CSV file in the dialects that vendors write, and its columns as numbers; errors name what is wrong."""

import csv
import gzip
import io
import math
import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.errors import InputError, first_line
from zoo.files import LARGEST, read_input, too_large

MISSING_MARKS = ["?", ".", "-", "--", "None", "none", "nil", "NIL"]
# Currency and thousands signs, with a decimal dot or a decimal comma.
ENGLISH = r"[-+]?[$€£]?([1-9][0-9]{0,2}(,[0-9]{3})+|[0-9]+)(\.[0-9]*)?"
CONTINENTAL = r"[-+]?[$€£]?([1-9][0-9]{0,2}(\.[0-9]{3})+|[0-9]+)(,[0-9]*)?"
NUMBER = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
MOST_DIGITS = 4000
LONGEST_LINE = 2**20  # bytes
OTHER_FORMATS = {  # how files begin that are not text
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "Parquet (its name must end in .parquet)",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"\x1f\x8b": "packed by gzip (its name must end in .gz)",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "HDF5",
    b"%PDF": "PDF",
}


def read_csv(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    """The file as a frame whose index counts data rows, and whose attrs hold has_decimal_comma.

    columns: names for a file without a header line. Reads UTF-8 (BOM allowed), separated by comma, semicolon, tab or
    bar; .gz is unpacked. Raises InputError.
    """
    try:
        content = _content(path)
        head = [line.decode("utf-8-sig") for line in re.split(rb"\r\n|\n|\r", content, maxsplit=3)[:3]]
        options: dict[str, Any] = {
            "sep": max((";", "\t", "|", ","), key=re.sub(r'"[^"]*"', "", head[0]).count),
            "encoding": "utf-8-sig",
            "na_values": MISSING_MARKS,
            "skipinitialspace": True,
            "low_memory": False,
            "index_col": False,
        }
        with warnings.catch_warnings():
            # pandas drops surplus fields with a warning. A surplus field that is empty raises no warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = _read(content, path, head, columns, options)
            is_likely, as_text = options["sep"] == ";", {**options, "dtype": str}
            has_decimal_comma = proves_decimal_comma(frame, likely=is_likely)
            if has_decimal_comma:  # pandas read 42.121 as a number with a decimal dot: read the file again as text
                frame = _read(content, path, head, columns, as_text)
            elif is_likely and any(map(pd.api.types.is_float_dtype, frame.dtypes)):
                text = _read(content, path, head, columns, as_text)
                has_decimal_comma = proves_thousands(text)
                frame = text if has_decimal_comma else frame
    except pd.errors.EmptyDataError as error:
        raise InputError(f"{path} is empty: it needs a header line and rows of numbers") from error
    except pd.errors.ParserWarning as error:
        raise InputError(f"{path}: the rows have more fields than the header line has names") from error
    except (pd.errors.ParserError, csv.Error) as error:
        reason = first_line(error).removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{path} is not a well-formed CSV: {reason} (the first line must be the header)") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save it as UTF-8 (or as .parquet, .csv.gz)") from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read: {first_line(error)}") from error
    frame.attrs["has_decimal_comma"] = has_decimal_comma
    return frame.dropna(how="all")


def _content(path: Path) -> bytes:
    """The bytes of the file, unpacked; raises InputError for what is no CSV of a size and line length to read."""
    content = read_input(path)
    if path.suffix.casefold() == ".gz":
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise too_large(f"{path} has more than {LARGEST // 2**20} MiB once unpacked")
    for start, kind in OTHER_FORMATS.items():
        if content.startswith(start):
            raise InputError(f"{path} is {kind}, not CSV text: export its table as CSV or Parquet")
    if not content.strip():
        raise pd.errors.EmptyDataError
    if len(content) > LONGEST_LINE:
        ends = np.flatnonzero(np.isin(np.frombuffer(content, np.uint8), (10, 13)))
        lengths = np.diff(ends, prepend=-1, append=len(content)) - 1
        if lengths.max() > LONGEST_LINE:
            raise InputError(
                f"{path}: line {int(lengths.argmax()) + 1} has {lengths.max():,} bytes, and zoo reads lines of up to "
                f"{LONGEST_LINE:,}: it is no table of numbers"
            )
    return content


def _read(
    content: bytes, path: Path, head: list[str], columns: Sequence[str] | None, options: dict[str, Any]
) -> pd.DataFrame:
    if columns is not None:
        if len(set(columns)) < len(columns):
            raise InputError(f"--columns names a column twice: {', '.join(columns)}")
        width = len(pd.read_csv(io.BytesIO(content), header=None, nrows=1, **options).columns)
        if width != len(columns):
            raise InputError(f"--columns must name each of the {width} columns of {path}, got {len(columns)}")
        return pd.read_csv(io.BytesIO(content), header=None, names=list(columns), **options)
    names = [name.strip() for name in next(csv.reader(head[:1], delimiter=options["sep"]), [])]
    if _looks_like_data(names):
        raise InputError(f"{path} seems to have no header line: name its columns with --columns")
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise InputError(f"{path} has two columns called '{twice[0]}': rename one")
    # yfinance writes three header lines: Price,Close,... / Ticker,AAPL,... / Date,,...
    starts = [line.split(options["sep"])[0] for line in head]
    if starts[:3] == ["Price", "Ticker", "Date"]:
        return pd.read_csv(io.BytesIO(content), skiprows=[1, 2], **options).rename(columns={"Price": "Date"})
    return pd.read_csv(io.BytesIO(content), **options)


def _looks_like_data(names: list[str]) -> bool:
    """Whether a first line is a row of values: most fields are numbers or dates, and not all are whole numbers."""
    whole = [name for name in names if re.fullmatch(r"[0-9]+", name)]
    values = [name for name in names if re.fullmatch(r"[-+0-9.eE]*[0-9][-+0-9.,:/ TZeE]*", name)]
    return bool(names) and len(values) * 4 >= len(names) * 3 and (len(values) > len(whole) or len(whole) == len(names))


def proves_decimal_comma(frame: pd.DataFrame, *, likely: bool) -> bool:
    """Whether a file's numbers have decimal commas: decided once, for all of its columns.

    One column that only a decimal comma explains (100,35) decides. Where a column has both readings (1,100),
    it counts if `likely` (fields separated by semicolons) and no column has a decimal dot.
    """
    has_dot = has_both = False
    for name in frame.columns:
        column = frame[name].dropna()
        if pd.api.types.is_float_dtype(column):
            has_dot |= bool((column % 1 != 0).any())
        elif not pd.api.types.is_numeric_dtype(column) and len(column):
            text = column.astype(str).str.strip()
            english, continental = text.str.fullmatch(ENGLISH).all(), text.str.fullmatch(CONTINENTAL).all()
            if continental and not english:
                return True
            has_dot |= bool(english and not continental)
            has_both |= bool(english and continental)
    return likely and has_both and not has_dot


def proves_thousands(text: pd.DataFrame) -> bool:
    """Whether dots in a file that is read as text can only mark thousands.

    A column has 987 and 1.023: every number with a dot has three digits behind it, and no number without one has more.
    """
    is_proved = False
    for name in text.columns:
        column = text[name].dropna().str.strip()
        if not column.str.fullmatch(NUMBER).all():
            continue
        has_dot = column.str.contains(".", regex=False)
        if not has_dot.any():
            continue
        if not column[has_dot].str.fullmatch(r"[-+]?[1-9][0-9]{0,2}(\.[0-9]{3})+").all():
            return False
        is_proved |= bool((~has_dot).any() and column[~has_dot].str.fullmatch(r"[-+]?[0-9]{1,3}").all())
    return is_proved


@dataclass(frozen=True)
class Numbers:
    """values: float64 [rows], or None for a column without numbers; problem: why the column cannot be a channel;
    note: what reading it changed."""

    values: np.ndarray | None
    problem: str | None = None
    note: str | None = None


def as_numbers(column: pd.Series, source: str, first_line: int, *, has_decimal_comma: bool = False) -> Numbers:
    """A column's numbers, NaN where missing; those beyond the range of float64 are infinite.

    A text column of which at least half are numbers has values, and its first text is its problem. A column with
    fewer numbers has no values. first_line: the line of the file that index 0 stands on. has_decimal_comma: read 1,100
    as 1.1 and 1.100 as 1100, not the other way round.
    """
    name = column.name
    if column.isna().all():
        return Numbers(None, f"column '{name}' of {source} is empty", f"column '{name}' is empty: left out")
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return Numbers(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if pd.api.types.is_datetime64_any_dtype(column):
        return Numbers(None, f"column '{name}' of {source} holds dates, not numbers: it cannot be a channel")
    filled = column.dropna().map(_small)
    text = filled.astype(str).str.strip()
    if has_decimal_comma and text.str.fullmatch(CONTINENTAL).all():
        plain = text.str.replace(r"[$€£.]", "", regex=True).str.replace(",", ".")
        note = f"column '{name}': read with a decimal comma" if text.str.contains("[.,]").any() else None
        return Numbers(_parsed(plain).reindex(column.index).to_numpy(np.float64), None, note)
    parsed = _parsed(text)
    if parsed.notna().all():
        return Numbers(parsed.reindex(column.index).to_numpy(np.float64))
    if text.str.fullmatch(ENGLISH).all():
        plain = text.str.replace(r"[$€£,]", "", regex=True)
        note = f"column '{name}': currency and thousands signs ignored"
        return Numbers(_parsed(plain).reindex(column.index).to_numpy(np.float64), None, note)
    bad = parsed.index[parsed.isna().to_numpy()]
    problem = (
        f"column '{name}' of {source} holds text: {filled.loc[bad[0]]!r} in line {bad[0] + first_line}; "
        "fix the column, drop it with --channels, or name it with --categories"
    )
    if len(bad) * 2 > len(text):
        return Numbers(None, problem, f"column '{name}' does not hold numbers: left out")
    return Numbers(parsed.reindex(column.index).to_numpy(np.float64), problem)


def _small(value: Any) -> Any:
    """A whole number that no integer type holds, as pandas leaves it, as float64: infinite where it is beyond that."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    return (math.inf if value > 0 else -math.inf) if value.bit_length() > 1023 else float(value)


def _parsed(text: pd.Series) -> pd.Series:
    """The numbers that texts are, NaN where they are none."""
    # pandas takes more than 4,300 digits for no number, or raises.
    is_long = text.str.len() > MOST_DIGITS
    short = pd.to_numeric(text.mask(is_long), errors="coerce").astype(np.float64)
    if not is_long.any():
        return short
    return short.where(~is_long, text.map(lambda one: float(one) if re.fullmatch(NUMBER, one) else math.nan))
