"""load: a built-in name, a CSV, Parquet or .npy file or a DataFrame becomes a Table, labelled sequences Cases."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from zoo.data import builtin, case_sets
from zoo.data.case_table import case_table
from zoo.data.cases import Cases
from zoo.data.categories import named
from zoo.data.csv_file import as_numbers, read_csv
from zoo.data.npy_file import array_names, read_npy
from zoo.data.table import Table, match_columns
from zoo.data.times import find_order, is_named_like_time
from zoo.data.ts_file import read_ts
from zoo.errors import InputError, expect, expect_names, first_line, nearest, plain, unknown
from zoo.files import LARGEST, read_input, too_large

NAMES = (*builtin.NAMES, *case_sets.NAMES)
Source: TypeAlias = str | Path | pd.DataFrame | pd.Series | np.ndarray
SOURCES = (str, Path, pd.DataFrame, pd.Series, np.ndarray)
READING = ("columns", "time", "series", "only", "case", "label", "test", "categories")  # settings of load
SOURCE = "a path, a built-in name, a pandas DataFrame or Series, or an array"


def load(
    source: Source,
    *,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    series: str | None = None,
    only: str | None = None,
    case: str | None = None,
    label: str | None = None,
    test: str | Path | None = None,
    categories: Sequence[str] | None = None,
) -> Table | Cases:
    """Read numbers over time from a built-in name, a CSV (.gz too), Parquet or .npy file, or what is in memory.

    source: of a DataFrame or Series the index may be the time; an array is [rows] or [rows, columns]. A .npy file is
    not read but mapped into memory, so that it may be larger: one array of numbers in row order. columns: names for a
    file without a header line, or of an array. time: the time column, where find_order does not find it. series: the
    column that tells series apart, where the source holds several; only: the name of the one to read; categories:
    columns that name kinds, as text or as numbers, such as a type of day (or that of `series`); a model learns a vector
    for each kind. Rows come back in ascending time order, series by series; Table.notes lists what was changed. To read
    a file with the name of a built-in, write ./NAME.

    Sequences to classify become Cases: a .ts file of the UCR and UEA archives (NAME_TEST.ts beside NAME_TRAIN.ts is its
    test part), or a table with a row for each step, in which `case` is the column that tells cases apart, and `label`
    the column of their classes (None: their classes are not known). test: a further file, whose cases are the test
    part.

    Raises InputError for a source that is missing, empty, unreadable or has duplicate timestamps.
    """
    expect("source", source, SOURCES, SOURCE)
    source = in_memory(source)
    expect_names("columns", columns)
    expect_names("categories", categories)
    expect("time", time, (str, None), "the name of a column")
    for argument, value in (("series", series), ("case", case), ("label", label)):
        expect(argument, value, (str, None), "the name of a column")
    expect("only", only, (str, None), "the name of a series")
    if only is not None and series is None:
        raise InputError(f"only chooses the series '{only}': name the column that tells series apart with series too")
    if label is not None and case is None:
        raise InputError("label names the classes of cases: name the column that tells cases apart with case too")
    if test is not None:
        return _with_test(source, test, columns=columns, time=time, case=case, label=label)
    name = "DataFrame" if isinstance(source, pd.DataFrame) else str(source)
    if name.casefold().endswith(".npy"):
        of_tables = {"time": time, "series": series, "case": case, "categories": categories}
        if wrong := next((option for option, value in of_tables.items() if value is not None), None):
            raise InputError(
                f"{wrong} names a column, and {name} is an array in row order: leave it out, or take Parquet"
            )
        return read_npy(_existing(name), columns)
    if case is not None:
        if categories:
            raise InputError("categories are inputs of a forecast: leave them out for sequences to classify")
        if series is not None:
            raise InputError("case and series exclude each other: a case is classified, a series is forecast")
        frame, where, first = _frame(source, columns)
        return case_table(frame, where, case=case, label=label, time=time, first_line=first)
    if name in case_sets.NAMES or name.casefold().endswith(".ts"):
        given = {"columns": columns, "time": time, "series": series, "categories": categories}
        if wrong := next((option for option, value in given.items() if value is not None), None):
            raise InputError(f"{wrong} cannot be named for {name}, which says itself what is a case: leave it out")
        return case_sets.cases_of(name) if name in case_sets.NAMES else read_ts(_existing(name))
    missing = builtin.BUILT_IN[name].missing if name in builtin.NAMES else "refuse"
    frame, where, first = _frame(source, columns)
    table = replace(_table(frame, where, time, series, categories or (), first_line=first), missing=missing)
    return table if only is None else _one_of(table, only)


def _one_of(table: Table, name: str) -> Table:
    """The one series of a table that is called so."""
    every = table.of_each_series()
    if name not in every:
        raise unknown("series", name, list(every), f"of {table.source}")
    return replace(every[name], notes=table.notes, only=name)


def in_memory(source: Source) -> str | Path | pd.DataFrame:
    """A Series or an array as a DataFrame, whose columns are called value, or column0, column1, ... where they have no
    name; anything else as it is. Raises InputError."""
    if isinstance(source, np.ndarray):
        if source.ndim not in (1, 2):
            raise InputError(f"an array must have the shape [rows] or [rows, columns], got {list(source.shape)}")
        frame = pd.DataFrame(source.reshape(len(source), -1))
        return frame.set_axis(list(array_names(frame.shape[1])), axis=1)
    if isinstance(source, pd.Series):
        return source.to_frame(name=source.name if source.name is not None else "value")
    return source


def _with_test(source: Any, test: str | Path, **how: Any) -> Cases:
    """The cases of a source, and those of a further file as their test part."""
    if not isinstance(source, pd.DataFrame) and Path(source).resolve() == Path(test).resolve():
        raise InputError(f"{test} cannot be both the data and the test part: name another file")
    train, held_out = (load(each, **how) for each in (source, test))
    if not (isinstance(train, Cases) and isinstance(held_out, Cases)):
        raise InputError("test names a file with cases to classify: name their columns with case and label too")
    if train.is_test is not None or held_out.is_test is not None:
        raise InputError(f"{train.source} has its own test file beside it: leave test out")
    return train.followed_by(held_out)


def _frame(source: str | Path | pd.DataFrame, columns: Sequence[str] | None) -> tuple[pd.DataFrame, str, int]:
    """The table that a source holds, what it is called, and the line of its first row."""
    if isinstance(source, pd.DataFrame):
        return _flat(source), "DataFrame", 1
    name = str(source)
    if name in builtin.NAMES:
        if columns is not None:
            raise InputError(f"--columns is for files without a header line; '{name}' is built in and has column names")
        return builtin.frame(name), name, 1
    path = _existing(name)
    if path.suffix.casefold() in (".xlsx", ".xls", ".xlsm", ".ods"):
        raise InputError(f"{name} is a workbook: export the sheet as CSV or Parquet")
    if path.suffix.casefold() in (".parquet", ".pq"):
        return _flat(_read_parquet(path)), name, 1
    return read_csv(path, columns), name, 1 if columns is not None else 2


def _existing(name: str) -> Path:
    """The file of this name; raises InputError where there is none."""
    path = Path(name)
    try:
        exists, is_folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:  # a name that is too long, or that holds a null byte
        raise InputError(f"{name[:100]!r} cannot be read: {first_line(error)}") from error
    if not exists:
        guess = nearest(name, NAMES)
        hint = f"; did you mean the built-in '{guess}'?" if guess else f" (built in: {', '.join(NAMES)})"
        raise InputError(f"no such file: {name}{hint}")
    if is_folder:
        raise InputError(f"{name} is a folder: name a CSV or Parquet file")
    return path


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(f"{path}: reading Parquet needs pyarrow: pip install 'lstm-zoo[data]'") from error
    try:
        content = io.BytesIO(read_input(path))
        groups = pyarrow.parquet.read_metadata(content)
        size = sum(groups.row_group(number).total_byte_size for number in range(groups.num_row_groups))
        if size > LARGEST:
            raise too_large(f"{path} has {size / 2**20:,.0f} MiB once unpacked")
        return pd.read_parquet(content)
    except InputError:
        raise
    except Exception as error:  # of a damaged file pyarrow raises errors of many kinds
        raise InputError(f"{path} cannot be read as Parquet: {first_line(error)}") from error


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with one level of column names and an index of timestamps or of row numbers.

    An index that is neither (text, periods) becomes a column, since it may be the time; one of plain
    numbers without a name is left over from filtering, and is dropped.
    """
    if frame.columns.nlevels > 1:
        first = frame.columns.get_level_values(0)
        joined = [" ".join(str(part) for part in name if str(part)) for name in frame.columns]
        frame = frame.set_axis(joined if first.has_duplicates else first, axis=1)
    index = frame.index
    if isinstance(index, pd.DatetimeIndex):
        return frame
    if isinstance(index, pd.PeriodIndex):
        return frame.set_axis(index.to_timestamp(), axis=0)
    is_row_number = pd.api.types.is_numeric_dtype(index) and index.nlevels == 1 and index.name is None
    is_taken = any(name in frame.columns for name in index.names)
    return frame.reset_index(drop=is_row_number or is_taken)


def _table(
    frame: pd.DataFrame,
    source: str,
    time: str | None,
    series: str | None,
    categories: Sequence[str],
    *,
    first_line: int,
) -> Table:
    frame = frame.rename(columns=lambda name: plain(str(name)))
    if len(frame) == 0 or len(frame.columns) == 0:
        raise InputError(f"{source} is empty: it holds no rows of numbers")
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{source} has two columns called '{twice}': rename one")
    has_decimal_comma = bool(frame.attrs.get("has_decimal_comma"))
    labels = None
    kinds = {name: named(frame[name]) for name in match_columns(categories, list(frame.columns), source)}
    if series is not None:
        (column_of_series,) = match_columns([series], list(frame.columns), source)
        labels = _labels(frame[column_of_series], source)
        frame = frame.drop(columns=column_of_series)
    frame = frame.drop(columns=list(kinds), errors="ignore")
    order = find_order(frame, time, source)
    frame = frame.reset_index(drop=True) if isinstance(frame.index, pd.DatetimeIndex) else frame
    notes = list(order.notes)
    unusable: dict[str, str] = {}
    usable: dict[str, np.ndarray] = {}
    for name in frame.columns:
        if name in order.columns:
            unusable[name] = f"column '{name}' of {source} is the time: it cannot be a channel"
            continue
        column = as_numbers(frame[name], source, first_line, has_decimal_comma=has_decimal_comma)
        notes += [column.note] if column.note else []
        if column.problem:
            unusable[name] = column.problem
        if column.values is None:
            continue
        objection = _objection(name, column.values)
        if objection:
            notes.append(f"column '{name}' {objection}: left out")
            unusable[name] = f"column '{name}' of {source} {objection}: it cannot be a channel"
            continue
        usable[name] = column.values
    if not usable:
        reason = next((why for name, why in unusable.items() if name not in order.columns), "")
        raise InputError(f"{source} has no numeric column beside the time: nothing to forecast. {reason}".strip(". "))
    usable |= {name: places for name, (places, _) in kinds.items()}
    values = np.column_stack(list(usable.values()))
    times = order.time
    if labels is not None:
        rank = np.argsort(labels, kind="stable")
        if order.keys is not None:
            rank = np.lexsort((order.keys, labels))
            _check_distinct(order.keys[rank], times[rank] if times is not None else None, source, labels[rank])
        labels, values = labels[rank], np.ascontiguousarray(values[rank])
        times = times[rank] if times is not None else None
    elif order.keys is not None:
        times, values, sorting = _sorted(order.keys, times, values, source)
        notes += [sorting] if sorting else []
    return Table(
        source,
        tuple(usable),
        values,
        times,
        unusable=unusable,
        categories={name: names for name, (_, names) in kinds.items()},
        notes=tuple(notes),
        series=labels,
        series_column=series,
    )


def _labels(column: pd.Series, source: str) -> np.ndarray:
    """The names of the rows' series as text [rows]."""
    if column.isna().any():
        row = int(np.flatnonzero(column.isna().to_numpy())[0]) + 1
        raise InputError(
            f"series column '{column.name}' of {source} is empty in data row {row}: fill it or drop the row"
        )
    return column.map(str).to_numpy(dtype=str)


def _objection(name: str, numbers: np.ndarray) -> str | None:
    """Why a column of numbers is not a series to learn from, or None."""
    if is_named_like_time(name):
        return "is named like a time"
    # The name must agree, since a real series may also rise by one at each step.
    is_named_like_counter = name.casefold() in ("", "no", "no.", "index", "id", "row", "nr", "#") or name.startswith(
        "Unnamed:"
    )
    is_countable = len(numbers) > 1 and bool(np.isfinite(numbers).all())
    if is_named_like_counter and is_countable and bool((np.abs(np.diff(numbers)) == 1).all()):
        return "counts the rows"
    return None


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
    _check_distinct(keys, times, source, None)
    return times, values, note


def _check_distinct(keys: np.ndarray, times: pd.DatetimeIndex | None, source: str, labels: np.ndarray | None) -> None:
    """Raise InputError where two neighbouring rows of a series have one time."""
    is_same = keys[1:] == keys[:-1]
    if labels is not None:
        is_same &= labels[1:] == labels[:-1]
    same = np.flatnonzero(is_same)
    if not len(same):
        return
    first = times[same[0]] if times is not None else keys[same[0]]
    of = f" of series '{labels[same[0]]}'" if labels is not None else ""
    hint = "" if labels is not None else " (where the file holds several series, name their column with --series)"
    raise InputError(
        f"{source} has {len(same)} duplicate timestamps, the first at {first}{of}: keep one row for each time{hint}"
    )
