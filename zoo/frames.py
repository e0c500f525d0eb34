"""Frames: forecasts from one origin or from many as a table, beside the actual values; nothing here needs torch."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from zoo.data.moves import MOVES
from zoo.data.scaling import Scaler
from zoo.data.spacing import next_times
from zoo.errors import InputError
from zoo.model_file import ModelFile


@dataclass(frozen=True)
class Rows:
    """What a network reads, row by row: scaled float32 [rows, C], or raw float64 [rows, C], in the data's units.

    Further channels are the same in both. scaler: from one to the other; place: of the series among those of the model.
    """

    scaled: np.ndarray
    raw: np.ndarray
    scaler: Scaler
    place: int = 0


@dataclass(frozen=True)
class Inputs:
    """What a model sees of one series: the values of its channels and which of them were
    filled in [rows, channels], the times of the rows, and of the known rows that follow; is_whole: it takes no window
    with a filled value; before: rows before a lookback without which its outliers are not cleaned; ahead: how many
    later rows tell what is known in advance, None: nothing needs to be known."""

    source: str
    rows: Rows
    values: np.ndarray
    is_filled: np.ndarray
    time: pd.DatetimeIndex | None
    later: pd.DatetimeIndex | None
    is_interpolated: bool = False
    is_whole: bool = False
    before: int = 0
    ahead: int | None = None


def ends_of(inputs: Inputs, origin: str | pd.Timestamp | None, lookback: int) -> np.ndarray:
    """How many rows each forecast sees, int64 [k]; raises InputError for an origin without a lookback before it, where
    a fill knows what came later, and where the lookback must be whole and holds a gap."""
    ends = _every_end(inputs, origin, lookback + inputs.before)
    if not inputs.is_whole:
        return ends
    filled_before = np.concatenate([[0], np.cumsum(inputs.is_filled.any(axis=1))])
    whole = ends[filled_before[ends] == filled_before[ends - lookback]]
    if not len(whole):
        raise InputError(
            f"the {lookback} rows of {inputs.source} before the forecast hold missing values, and the model learned "
            "whole windows: complete them, or choose --missing ffill"
        )
    return whole


def _every_end(inputs: Inputs, origin: str | pd.Timestamp | None, lookback: int) -> np.ndarray:
    rows = len(inputs.values)
    if origin is not None and inputs.is_interpolated:
        raise InputError(
            "an interpolated gap knows the value behind it, so no earlier origin can be honest: choose --missing ffill"
        )
    if origin is None:
        return np.array([rows])
    if origin == "all":
        return np.arange(lookback, rows + 1)
    if inputs.time is None:
        raise InputError(f"{inputs.source} has no times, so no origin can be named: use 'all', or cut the rows")
    try:
        moment = pd.Timestamp(origin)
    except ValueError as error:
        raise InputError(f"origin must be a time such as {inputs.time[-1]}, or 'all', got '{origin}'") from error
    if moment.tzinfo is not None:  # as the times of tables are: UTC, without a zone
        moment = moment.tz_convert("UTC").tz_localize(None)
    end = int((inputs.time <= moment).sum())
    if end < lookback or moment > inputs.time[-1]:
        raise InputError(
            f"origin must lie between {inputs.time[lookback - 1]} and {inputs.time[-1]}, so that the lookback of "
            f"{lookback} rows of {inputs.source} lies before it, got {moment}"
        )
    return np.array([end])


def windows_before(rows: np.ndarray, ends: np.ndarray, lookback: int) -> np.ndarray:
    """The `lookback` rows before each end: [k, L, C] of rows [n, C]."""
    every = np.lib.stride_tricks.sliding_window_view(rows, lookback, axis=0)
    return np.ascontiguousarray(every[ends - lookback].transpose(0, 2, 1))


def frame_of(
    forecasts_kTDQ: np.ndarray, ends: np.ndarray, inputs: Inputs, origin: object, file: ModelFile
) -> pd.DataFrame:
    """A row for each origin and step. Columns: origin (where one is named), step, time (where the rows are spaced), the
    targets with their quantiles, and with an origin their actual values, NaN where there are none yet or one was
    filled in."""
    rows, horizon = len(inputs.values), forecasts_kTDQ.shape[1]
    levels = file.problem.quantiles or (0.5,)
    endings = ["" if level == 0.5 else f"_q{100 * level:g}" for level in levels]
    if file.problem.task in ("direction", "move"):
        endings = [f"_{move}" for move in (MOVES if file.problem.flat else ("up",))]
    columns = [name + ending for name in file.targets for ending in endings]
    beside = ["origin", *(f"{name}_actual" for name in file.targets)] if origin is not None else []
    twice = [name for name, count in Counter([*columns, *beside]).items() if count > 1]
    if twice:
        raise InputError(f"two columns of the forecasts would have the name {twice[0]}: rename the target {twice[0]}")
    frame = pd.DataFrame(forecasts_kTDQ.reshape(len(ends) * horizon, -1), columns=columns)
    steps = np.tile(np.arange(1, horizon + 1), len(ends))
    places = np.repeat(ends, horizon) + steps - 1  # the row of each step
    if origin is not None:
        for name, target in zip(file.targets, file.problem.targets, strict=True):
            actual = inputs.values[np.minimum(places, rows - 1), target]
            is_measured = (places < rows) & ~inputs.is_filled[np.minimum(places, rows - 1), target]
            frame[f"{name}_actual"] = np.where(is_measured, actual, np.nan)
    times = next_times(inputs.time, horizon) if inputs.later is None else inputs.later[:horizon]
    if inputs.time is not None and times is not None:
        whole = inputs.time.append(times)
        frame.insert(0, "time" if "time" not in file.targets else "timestamp", whole[places])
    frame.insert(0, "step" if "step" not in file.targets else "horizon_step", steps)
    if origin is not None:
        seen = inputs.time[ends - 1] if inputs.time is not None else ends
        frame.insert(0, "origin", np.repeat(np.asarray(seen), horizon))
    return frame
