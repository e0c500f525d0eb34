"""load: a CSV or Parquet file, a DataFrame or a built-in name becomes a Table."""

import gzip
import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from zoo.data import builtin
from zoo.data.table import Table
from zoo.data.times import find_order
from zoo.errors import InputError, nearest

MISSING_MARKS = ["?", ".", "-", "--", "None", "none", "nil", "NIL"]
GROUPED = re.compile(r"[-+]?[$€£]?\d{1,3}(,\d{3})*(\.\d*)?|[-+]?[$€£]?\d+(\.\d*)?")


def load(
    source: str | Path | pd.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    time: str | None = None,
) -> Table:
    """Read numbers over time from a built-in name, a CSV (.gz too) or Parquet file, or a DataFrame.

    columns: names for a file without a header line. time: the time column, where it is not found by
    itself (see find_order). Rows come back in ascending time order; Table.notes says what was changed.
    A file with the name of a built-in is reached as ./NAME.

    Raises InputError for a source that is missing, empty, unreadable or has duplicate timestamps.
    """
    if isinstance(source, pd.DataFrame):
        return _table(source, "DataFrame", time, first_line=1)
    name = str(source)
    if name in builtin.NAMES:
        if columns is not None:
            raise InputError(f"--columns names a file without a header; '{name}' is built in and has names")
        frame, missing = builtin.frame(name)
        return replace(_table(frame, name, time, first_line=1), missing=missing)
    path = Path(source)
    if not path.exists():
        guess = nearest(name, builtin.NAMES)
        hint = f"; did you mean the built-in '{guess}'?" if guess else f" (built in: {', '.join(builtin.NAMES)})"
        raise InputError(f"no such file: {name}{hint}")
    if path.is_dir():
        raise InputError(f"{name} is a folder: name a CSV or Parquet file")
    if path.suffix.casefold() in (".parquet", ".pq"):
        return _table(_read_parquet(path), name, time, first_line=1)
    return _table(_read_csv(path, columns), name, time, first_line=1 if columns is not None else 2)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise InputError(f"{path}: reading Parquet needs pyarrow: pip install 'lstm-zoo[data]'") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as Parquet: {_first_line(error)}") from error
    if not isinstance(frame.index, pd.RangeIndex | pd.DatetimeIndex):
        frame = frame.reset_index()
    return frame


def _read_csv(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig") as file
        ):
            head = file.readline()
        if not head.strip() and path.stat().st_size == 0:
            raise InputError(f"{path} is empty: it needs a header line and rows of numbers")
        separator = max((",", ";", "\t", "|"), key=head.count)
        how = {
            "sep": separator,
            "encoding": "utf-8-sig",
            "na_values": MISSING_MARKS,
            "skipinitialspace": True,
            "low_memory": False,
        }
        if columns is not None:
            width = len(pd.read_csv(path, header=None, nrows=1, **how).columns)
            if width != len(columns):
                raise InputError(f"--columns must name each of the {width} columns of {path}, got {len(columns)}")
            return pd.read_csv(path, header=None, names=list(columns), index_col=False, **how)
        with warnings.catch_warnings():
            # Rows with more fields than names would lose the last ones; an empty last field is no loss.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, index_col=False, **how)
    except pd.errors.EmptyDataError as error:
        raise InputError(f"{path} is empty: it needs a header line and rows of numbers") from error
    except pd.errors.ParserWarning as error:
        raise InputError(f"{path}: the rows have more fields than the header line has names") from error
    except pd.errors.ParserError as error:
        reason = _first_line(error).removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{path} is not a well-formed CSV: {reason}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save it as UTF-8 (or as .parquet, .csv.gz)") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {_first_line(error)}") from error
    if len(frame.columns) > 0 and all(_is_number(name) for name in frame.columns):
        raise InputError(f"{path} seems to have no header line: name its columns with --columns")
    return frame.rename(columns=str.strip)


def _table(frame: pd.DataFrame, source: str, time: str | None, *, first_line: int) -> Table:
    frame = frame.rename(columns=str)
    if len(frame) == 0 or len(frame.columns) == 0:
        raise InputError(f"{source} is empty: it holds no rows of numbers")
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{source} has two columns called '{twice}': rename one")
    order = find_order(frame, time, source)
    notes = list(order.notes)
    unusable: dict[str, str] = {}
    kept: dict[str, np.ndarray] = {}
    for name in frame.columns:
        if name in order.columns:
            unusable[name] = f"column '{name}' of {source} is the time: it cannot be a channel"
            continue
        numbers, problem, note = _numbers(frame[name], source, first_line)
        notes += [note] if note else []
        if problem and numbers is None:
            notes.append(f"column '{name}' does not hold numbers: left out")
            unusable[name] = problem
            continue
        if problem:
            unusable[name] = problem
        elif time != name and _counts_rows(name, numbers):
            notes.append(f"column '{name}' counts the rows: left out")
            unusable[name] = f"column '{name}' of {source} only counts the rows: it cannot be a channel"
            continue
        kept[name] = np.full(len(frame), np.nan) if numbers is None else numbers
    if not kept:
        raise InputError(f"{source} has no numeric column beside the time: nothing to forecast")
    values = np.column_stack(list(kept.values()))
    times = order.time
    if order.keys is not None:
        times, values, sorting = _sorted(order.keys, times, values, source)
        notes += [sorting] if sorting else []
    return Table(source, tuple(kept), values, times, unusable=unusable, notes=tuple(notes))


def _sorted(
    keys: np.ndarray, times: pd.DatetimeIndex | None, values: np.ndarray, source: str
) -> tuple[pd.DatetimeIndex | None, np.ndarray, str | None]:
    note = None
    if not (keys[1:] >= keys[:-1]).all():
        descending = bool((keys[1:] <= keys[:-1]).all())
        rank = np.arange(len(keys))[::-1] if descending else np.argsort(keys, kind="stable")
        how = "in descending time order" if descending else "not in time order"
        note = f"rows were {how}: sorted ascending"
        keys, values = keys[rank], np.ascontiguousarray(values[rank])
        times = times[rank] if times is not None else None
    same = np.flatnonzero(keys[1:] == keys[:-1])
    if len(same):
        first = times[same[0]] if times is not None else keys[same[0]]
        raise InputError(
            f"{source} has {len(same)} duplicate timestamps, the first at {first}: keep one row for each time "
            "(a file of several series: one file for each)"
        )
    return times, values, note


def _numbers(column: pd.Series, source: str, first_line: int) -> tuple[np.ndarray | None, str | None, str | None]:
    """A column as (float64 or None, why it cannot be used, what was changed to read it)."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), None, None
    name = column.name
    if pd.api.types.is_datetime64_any_dtype(column):
        return None, f"column '{name}' of {source} holds dates, not numbers: it cannot be a channel", None
    filled = column.dropna()
    text = filled.astype(str).str.strip()
    if len(text) and text.map(lambda value: GROUPED.fullmatch(value) is not None).all():
        plain = pd.to_numeric(text.str.replace(r"[$€£,]", "", regex=True))
        return (
            plain.reindex(column.index).to_numpy(np.float64),
            None,
            f"column '{name}': read $ and , as signs",
        )
    parsed = pd.to_numeric(text, errors="coerce")
    bad = parsed.index[parsed.isna().to_numpy()]
    if len(bad) == 0:
        return parsed.reindex(column.index).to_numpy(np.float64), None, None
    row = column.index.get_loc(bad[0])
    problem = (
        f"column '{name}' of {source} holds text: {filled.loc[bad[0]]!r} in line {row + first_line}; "
        "mend it, or leave the column out with --channels"
    )
    if len(bad) * 2 > len(text):
        return None, problem, None
    return parsed.reindex(column.index).to_numpy(np.float64), problem, None


def _counts_rows(name: str, numbers: np.ndarray | None) -> bool:
    # Only a column that says so by its name: a real series may also rise by one each step.
    says_so = name.casefold() in ("", "no", "no.", "index", "id", "row", "nr", "#") or name.startswith("Unnamed:")
    return says_so and numbers is not None and len(numbers) > 1 and bool((np.abs(np.diff(numbers)) == 1).all())


def _is_number(name: object) -> bool:
    try:
        float(re.sub(r"\.\d+$", "", str(name)) or "x")
    except ValueError:
        return False
    return True


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
