"""Long tables of labelled sequences: a row for each step, with columns for the case, its class, and the channels."""

import numpy as np
import pandas as pd

from zoo.data.cases import Cases
from zoo.data.csv_file import as_numbers
from zoo.data.table import match_columns
from zoo.data.times import find_order
from zoo.errors import InputError, plain


def case_table(frame: pd.DataFrame, source: str, *, case: str, label: str, time: str | None, first_line: int) -> Cases:
    """The cases of a long table: the rows of a case in time order (without a time column as they stand).

    case, label: the columns that tell to which case a row belongs, and to which class the case. Raises InputError.
    """
    frame = frame.rename(columns=lambda name: plain(str(name))).reset_index(drop=True)
    if frame.empty:
        raise InputError(f"{source} is empty: it holds no rows")
    case, label = match_columns([case, label], list(frame.columns), source)
    for name in (case, label):
        if frame[name].isna().any():
            row = int(np.flatnonzero(frame[name].isna().to_numpy())[0]) + 1
            raise InputError(f"column '{name}' of {source} is empty in data row {row}: fill it or drop the row")
    names, labels = (frame[name].map(str).to_numpy(dtype=str) for name in (case, label))
    columns = frame.drop(columns=[case, label])
    order = find_order(columns, time, source)
    channels: dict[str, np.ndarray] = {}
    notes = list(order.notes)
    for name in columns.columns:
        if name in order.columns:
            continue
        column = as_numbers(
            columns[name], source, first_line, has_decimal_comma=bool(frame.attrs.get("has_decimal_comma"))
        )
        notes += [column.note] if column.note else []
        if column.values is None:
            raise InputError(f"{column.problem or f'column {name!r} of {source} is no number'}; drop the column")
        channels[name] = column.values
    if not channels:
        raise InputError(f"{source} has no numeric column beside '{case}' and '{label}'")
    _, first, number = np.unique(names, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))[number]  # cases in the order in which they begin
    rank = np.argsort(place, kind="stable") if order.keys is None else np.lexsort((order.keys, place))
    begins = np.flatnonzero(np.r_[True, np.diff(place[rank]) > 0])
    own = labels[rank]
    mixed = np.flatnonzero((own[1:] != own[:-1]) & (np.diff(place[rank]) == 0))
    if len(mixed):
        raise InputError(
            f"case '{names[rank][mixed[0]]}' of {source} has two classes, '{own[mixed[0]]}' and '{own[mixed[0] + 1]}': "
            "a case belongs to one"
        )
    return Cases(
        source,
        tuple(channels),
        np.column_stack(list(channels.values()))[rank],
        np.diff(np.r_[begins, len(rank)]).astype(np.int64),
        own[begins],
        names[rank][begins],
        label=label,
        notes=tuple(notes),
    )
