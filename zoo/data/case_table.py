"""Long tables of labelled sequences: a row for each step, with columns for the case, its class, and the channels."""

import numpy as np
import pandas as pd

from zoo.data.cases import Cases
from zoo.data.csv_file import as_numbers
from zoo.data.table import match_columns
from zoo.data.times import find_order, is_named_like_time
from zoo.errors import InputError, plain

COUNTERS = ("step", "t", "index")  # names of columns that number the steps of a case


def case_table(
    frame: pd.DataFrame, source: str, *, case: str, label: str | None, time: str | None, first_line: int
) -> Cases:
    """The cases of a long table: the rows of a case in time order (without a time column as they stand).

    case, label: the columns that tell to which case a row belongs, and to which class the case; without label the
    classes are empty, as new cases have none. A column of numbers that is named like a time, or `step`, gives the order
    of a case's rows where no other does. Raises InputError.
    """
    frame = frame.rename(columns=lambda name: plain(str(name)))
    if frame.empty:
        raise InputError(f"{source} is empty: it holds no rows")
    if frame.columns.has_duplicates:
        raise InputError(
            f"{source} has two columns called '{frame.columns[frame.columns.duplicated()][0]}': rename one"
        )
    case, *labelled = match_columns([case, *([label] if label is not None else [])], list(frame.columns), source)
    for name in (case, *labelled):
        if frame[name].isna().any():
            row = int(np.flatnonzero(frame[name].isna().to_numpy())[0]) + 1
            raise InputError(f"column '{name}' of {source} is empty in data row {row}: fill it or drop the row")
    names = frame[case].map(str).to_numpy(dtype=str)
    labels = frame[labelled[0]].map(str).to_numpy(dtype=str) if labelled else np.full(len(frame), "")
    columns = frame.drop(columns=[case, *labelled])
    order = find_order(columns, time or _counter(columns), source)
    channels: dict[str, np.ndarray] = {}
    notes = list(order.notes)
    has_decimal_comma = bool(frame.attrs.get("has_decimal_comma"))
    for name in columns.columns:
        if name in order.columns:
            continue
        column = as_numbers(
            columns[name].reset_index(drop=True), source, first_line, has_decimal_comma=has_decimal_comma
        )
        notes += [column.note] if column.note else []
        if column.values is None:
            problem = (column.problem or f"column '{name}' of {source} holds no numbers").split(";")[0]
            way_out = "drop the column" if labelled else "name it with --label if it is the class, or drop it"
            raise InputError(f"{problem}; {way_out}")
        channels[name] = column.values
    if not channels:
        raise InputError(f"{source} has no numeric column beside {' and '.join(map(repr, (case, *labelled)))}")
    _, first, number = np.unique(names, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))[number]  # cases in the order in which they begin
    rank = np.argsort(place, kind="stable") if order.keys is None else np.lexsort((order.keys, place))
    names, labels, is_same_case = names[rank], labels[rank], np.diff(place[rank]) == 0
    if order.keys is not None:
        keys = order.keys[rank]
        if (twice := np.flatnonzero(is_same_case & (keys[1:] == keys[:-1]))).size:
            raise InputError(
                f"case '{names[twice[0]]}' of {source} has two rows of one time, in column "
                f"'{', '.join(order.columns)}': keep one row for each step"
            )
    if (mixed := np.flatnonzero(is_same_case & (labels[1:] != labels[:-1]))).size:
        raise InputError(
            f"case '{names[mixed[0]]}' of {source} has two classes, '{labels[mixed[0]]}' and '{labels[mixed[0] + 1]}': "
            "a case belongs to one"
        )
    begins = np.flatnonzero(np.r_[True, ~is_same_case])
    return Cases(
        source,
        tuple(channels),
        np.column_stack(list(channels.values()))[rank],
        np.diff(np.r_[begins, len(rank)]).astype(np.int64),
        labels[begins],
        names[begins],
        label=labelled[0] if labelled else "class",
        notes=tuple(notes),
    )


def _counter(columns: pd.DataFrame) -> str | None:
    """A column of numbers that is named like a time or counts steps: in each case it may begin anew."""
    for name in columns.columns:
        is_number = pd.api.types.is_numeric_dtype(columns[name]) and not columns[name].isna().any()
        if is_number and (is_named_like_time(name) or name.casefold() in COUNTERS):
            return str(name)
    return None
