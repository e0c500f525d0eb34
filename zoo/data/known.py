"""Known: columns whose coming values are known in advance, such as promotions or holidays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from zoo.data.table import Table, match_columns
from zoo.errors import InputError


def match_known(table: Table, known: Sequence[str], targets: Sequence[str]) -> tuple[str, ...]:
    """The names of columns known in advance as the table spells them; raises InputError for a target."""
    names = match_columns(known, (*table.columns, *table.unusable), table.source)
    both = set(names) & set(match_columns(targets, (*table.columns, *table.unusable), table.source))
    if both:
        raise InputError(f"target '{both.pop()}' cannot be known in advance: leave it out of --known")
    return names


@dataclass(frozen=True)
class Future:
    """What is known of the rows after the last measured one: values [rows, K] of the known columns, and their times."""

    values: np.ndarray
    time: pd.DatetimeIndex | None


def split_future(table: Table, known: tuple[str, ...], channels: tuple[str, ...]) -> tuple[Table, Future]:
    """The rows until the last in which any of the channels beside the known columns has a value, and what follows.

    Raises InputError for a known value that is missing or infinite, and where all channels are known.
    """
    others = [name for name in channels if name not in known]
    if not others:
        raise InputError(f"{table.source} has no column beside those known in advance ({', '.join(known)})")
    seen = np.flatnonzero(~np.isnan(table.select(others)).all(axis=1))
    end = int(seen[-1]) + 1 if len(seen) else 0
    values = table.select(known)
    for name, column in zip(known, values.T, strict=True):
        if not np.isfinite(column).all():
            row = int(np.flatnonzero(~np.isfinite(column))[0])
            when = f"at {table.time[row]}" if table.time is not None else f"in data row {row + 1}"
            raise InputError(
                f"'{name}' of {table.source} has no finite value {when}, and --known needs it in every row"
            )
    time, later = (table.time[:end], table.time[end:]) if table.time is not None else (None, None)
    series = table.series[:end] if table.series is not None else None
    return replace(table, values=table.values[:end], time=time, series=series), Future(values[end:], later)


def known_channels(past: np.ndarray, later: np.ndarray, horizon: int) -> np.ndarray:
    """Known values [rows, K], in each row those of the row `horizon` steps later; where there are none the last ones.

    past: [rows, K]; later: those of the rows that follow. So a window's last `horizon` rows hold what is known of the
    steps to forecast.
    """
    every = np.concatenate([past, later])
    return np.asarray(every[np.minimum(np.arange(len(past)) + horizon, len(every) - 1)])
