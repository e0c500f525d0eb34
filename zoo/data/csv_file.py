"""Reading a CSV file in the dialects that vendors write, with errors that name what is wrong."""

import csv
import gzip
import re
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from zoo.data.numbers import proves_decimal_comma
from zoo.errors import InputError

MISSING_MARKS = ["?", ".", "-", "--", "None", "none", "nil", "NIL"]


def read_csv(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    """The file as a frame whose index counts data rows, and whose attrs say has_decimal_comma.

    columns: names for a file without a header line.
    UTF-8 (BOM allowed), separated by comma, semicolon, tab or bar; .gz is unpacked. Raises InputError.
    """
    try:
        head = _first_lines(path)
        how = {
            "sep": max((";", "\t", "|", ","), key=re.sub(r'"[^"]*"', "", head[0]).count),
            "encoding": "utf-8-sig",
            "na_values": MISSING_MARKS,
            "skipinitialspace": True,
            "low_memory": False,
            "index_col": False,
            "compression": "gzip" if _is_gzip(path) else None,
        }
        with warnings.catch_warnings():
            # Rows with more fields than names would lose the last ones; an empty last field is no loss.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = _read(path, head, columns, how)
            has_decimal_comma = proves_decimal_comma(frame, likely=how["sep"] == ";")
            if has_decimal_comma:  # pandas took 42.121 for a number with a decimal dot: have it as text
                frame = _read(path, head, columns, {**how, "dtype": str})
    except pd.errors.EmptyDataError as error:
        raise InputError(f"{path} is empty: it needs a header line and rows of numbers") from error
    except pd.errors.ParserWarning as error:
        raise InputError(f"{path}: the rows have more fields than the header line has names") from error
    except pd.errors.ParserError as error:
        reason = str(error).strip().splitlines()[0].removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{path} is not a well-formed CSV: {reason} (the first line must be the header)") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save it as UTF-8 (or as .parquet, .csv.gz)") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {str(error).splitlines()[0] if str(error) else error!r}") from error
    frame.attrs["has_decimal_comma"] = has_decimal_comma
    return frame.dropna(how="all")


def _read(path: Path, head: list[str], columns: Sequence[str] | None, how: dict[str, Any]) -> pd.DataFrame:
    if columns is not None:
        if len(set(columns)) < len(columns):
            raise InputError(f"--columns names a column twice: {', '.join(columns)}")
        width = len(pd.read_csv(path, header=None, nrows=1, **how).columns)
        if width != len(columns):
            raise InputError(f"--columns must name each of the {width} columns of {path}, got {len(columns)}")
        return pd.read_csv(path, header=None, names=list(columns), **how)
    names = [name.strip() for name in next(csv.reader(head[:1], delimiter=how["sep"]), [])]
    if _looks_like_data(names):
        raise InputError(f"{path} seems to have no header line: name its columns with --columns")
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise InputError(f"{path} has two columns called '{twice[0]}': rename one")
    # yfinance writes three header lines: Price,Close,... / Ticker,AAPL,... / Date,,...
    starts = [line.split(how["sep"])[0] for line in head]
    if starts[:3] == ["Price", "Ticker", "Date"]:
        return pd.read_csv(path, skiprows=[1, 2], **how).rename(columns={"Price": "Date"})
    return pd.read_csv(path, **how)


def _first_lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8-sig") if _is_gzip(path) else path.open(encoding="utf-8-sig") as file:
        return [file.readline().rstrip("\r\n") for _ in range(3)]


def _is_gzip(path: Path) -> bool:
    return path.suffix.casefold() == ".gz"


def _looks_like_data(names: list[str]) -> bool:
    """Whether a first line is a row of values: most fields are numbers or dates, and not all are whole numbers."""
    whole = [name for name in names if re.fullmatch(r"\d+", name)]
    values = [name for name in names if re.fullmatch(r"[-+\d.eE]*\d[-+\d.,:/ TZeE]*", name)]
    return bool(names) and len(values) * 4 >= len(names) * 3 and (len(values) > len(whole) or len(whole) == len(names))
