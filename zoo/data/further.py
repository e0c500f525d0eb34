"""Further channels, after the columns: the calendar, what is known in advance, categories, marks of filled values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from zoo.data.calendar import calendar_channels
from zoo.data.known import Future, known_channels
from zoo.data.scaling import Scaler
from zoo.data.table import Cleaned, Table


@dataclass(frozen=True)
class Further:
    """values: float64 [rows, F]; coded: the positions, among all channels, of categories, whose values are positions in
    their names, NaN where missing."""

    values: np.ndarray
    coded: tuple[int, ...]


def known_numbers(table: Table, known: Sequence[str]) -> list[str]:
    """Those of the columns known in advance that hold numbers, which are scaled."""
    return [name for name in known if name not in table.categories]


def further_channels(
    table: Table,
    cleaned: Cleaned,
    columns: Sequence[str],
    time: pd.DatetimeIndex | None,
    *,
    horizon: int,
    calendar: Sequence[str],
    known: Sequence[str],
    future: Future | None,
    known_scaler: Scaler | None,
    categories: Sequence[str],
    masked: Sequence[str],
) -> Further:
    """The further channels of the rows of one series that are used, in the one order that all models know.

    columns: the channels that come before; time: of the used rows; future: what is known of later rows, where columns
    are known in advance. Raises InputError for a calendar without times.
    """
    parts = []
    if calendar:
        later = future.time if future is not None else None
        parts.append(calendar_channels(time, calendar, horizon, table.source, later))
    ahead: dict[str, np.ndarray] = {}
    if future is not None:
        shifted = known_channels(table.select(known)[cleaned.is_used], future.values, horizon)
        ahead = dict(zip(known, shifted.T, strict=True))
        if known_scaler is not None:
            parts.append(
                known_scaler.transform(np.stack([ahead[name] for name in known_numbers(table, known)], axis=1))
            )
    first = len(columns) + sum(part.shape[1] for part in parts)
    for name in categories:
        places = ahead[name] if name in ahead else table.select([name])[cleaned.is_used, 0]
        parts.append(places[:, None])
    if masked:
        parts.append(cleaned.is_filled[:, [list(columns).index(name) for name in masked]])
    values = np.concatenate([np.empty((len(cleaned.values), 0)), *parts], axis=1)
    return Further(values, tuple(range(first, first + len(categories))))
