"""forecast_next: the horizon after a table's last row, or after earlier ones, by a saved model."""

from datetime import datetime

import numpy as np
import pandas as pd
import torch

from zoo.data.categories import coded
from zoo.data.further import further_channels
from zoo.data.known import split_future
from zoo.data.outliers import Outliers
from zoo.data.scaling import Scaler
from zoo.data.table import Table, clean, match_columns
from zoo.errors import Diverged, InputError, expect
from zoo.frames import FrameNames, Inputs, ends_of, frame_of, windows_before
from zoo.layers.direction import Direction
from zoo.layers.moves import Moves
from zoo.train.adaptive import adapted
from zoo.train.fit import resolve_device
from zoo.train.predict import EVALUATION_BATCH, predict
from zoo.train.store import ModelScaler, SavedModel, outliers_of, scaler_of


def forecast_next(
    saved: SavedModel,
    table: Table,
    *,
    origin: str | pd.Timestamp | None = None,
    missing: str | None = None,
    device: str = "auto",
) -> pd.DataFrame:
    """The horizon after the table's last row, in the data's units: columns step, time (if spaced), targets.

    Of several series that after the last row of each that was in the fit, with the column of their names first;
    frame.attrs["left_out"] names the others.

    origin: a time, to forecast as if the rows after it were not there, or "all", to forecast after every row that has a
    lookback before it; each forecast then has the time (or number) of the last row that it saw, `origin`, and beside
    each target its actual value, `close_actual`, NaN where there is none. The model itself may have learned from
    these rows: only those after its training are a test.

    A model with inputs known in advance needs `horizon` further rows, in which only these have values.

    A model of quantiles gives the median under the target's name, with the others around it: close_q10, close.
    Adaptive ones follow the actual values of the rows since the model's training; a table without these rows moves
    nothing. A model of directions gives the probability of a rise, close_up; one of moves also those of close_down
    and close_flat.

    Needs the model's channels, by name, and at least its lookback of rows; with outliers hampel also the 24 rows before
    it. Inputs are cleaned as in the fit, actual values are not. missing: see clean (default: the
    policy of the fit). Raises InputError.
    """
    expect("saved", saved, SavedModel, "what zoo.load_model returns")
    expect("table", table, Table, "what zoo.load returns")
    expect("origin", origin, (str, pd.Timestamp, None), "a time, or 'all'")
    expect("missing", missing, (str, None), "text")
    expect("device", device, str, "text")
    if saved.file.classes:
        raise InputError(
            f"the model classifies sequences: name the column that tells the cases of {table.source} apart, with --case"
        )
    known = saved.file.series
    if bool(known) != (table.series is not None):
        way_out = f"name their column with --series {saved.file.series_column}" if known else "leave out --series"
        raise InputError(f"the model is of {'several series' if known else 'one series'}: {way_out}")
    if not known:
        own = outliers_of(saved.file.outliers)
        inputs = _inputs_of(saved, saved.scaler, own, saved.file.known_scaler, table, missing)
        return _frame(saved, saved.scaler, inputs, origin, device)
    every = table.of_each_series()
    if not known.keys() & every.keys():
        raise InputError(f"no series of {table.source} was in the fit, which had {', '.join(list(known)[:5])}, ...")
    frames = []
    for name, series in every.items():
        if name not in known:
            continue
        scaler = scaler_of(known[name])
        own = outliers_of(saved.file.series_outliers.get(name))
        inputs = _inputs_of(saved, scaler, own, saved.file.known_series.get(name), series, missing)
        frame = _frame(saved, scaler, inputs, origin, device)
        frame.insert(0, str(saved.file.series_column), name)
        frames.append(frame)
    whole = pd.concat(frames, ignore_index=True)
    whole.attrs["left_out"] = [name for name in every if name not in known]
    return whole


def _inputs_of(
    saved: SavedModel,
    scaler: Scaler,
    outliers: Outliers | None,
    known_scaler: ModelScaler | None,
    table: Table,
    missing: str | None,
) -> Inputs:
    """The inputs from the rows of one series."""
    future = None
    known: tuple[str, ...] = ()
    if saved.file.known:
        known = match_columns(saved.file.known, (*table.columns, *table.unusable), table.source)
        table, future = split_future(table, known, match_columns(saved.channels, table.columns, table.source))
        _check_future(saved, table, len(future.values))
    names = match_columns(saved.channels, (*table.columns, *table.unusable), table.source)
    cleaned = clean(table.select(names), names, missing or saved.file.missing, table.source)
    values, is_used = cleaned.values, cleaned.is_used
    problem = saved.model.problem
    before = 0 if outliers is None else outliers.rows_before
    if len(values) < problem.lookback + before:
        more = f", and outliers hampel looks at the {before} rows before it" if before else ""
        raise InputError(
            f"too few rows: {table.source} has {len(values)}, the model's lookback is {problem.lookback}{more}"
        )
    time = table.time[is_used] if table.time is not None else None
    later = future.time if future is not None else None
    if unread := [name for name in saved.file.categories if name not in table.categories]:
        raise InputError(
            f"the model learned {', '.join(unread)} as names of kinds, and {table.source} was read without: name them "
            f"with categories, as zoo.load(..., categories={list(saved.file.categories)})"
        )
    further = further_channels(
        table, cleaned, names, time, horizon=problem.horizon, calendar=saved.file.calendar, known=known, future=future,
        known_scaler=scaler_of(known_scaler) if known_scaler is not None else None,
        categories=tuple(saved.file.categories), masked=saved.file.masked,
    )  # fmt: skip
    plain = further.values.astype(np.float32)
    for position, (name, learned) in zip(further.coded, saved.file.categories.items(), strict=True):
        codes = plain[:, position - len(names)]
        codes[:] = coded(codes, table.categories[name], learned)
    policy = missing or saved.file.missing
    is_interpolated = policy == "interpolate" and bool(cleaned.is_filled.any())
    read = scaler.scaled(values if outliers is None else outliers.cleaned(values))
    whole = np.concatenate([read, plain], axis=1)
    return Inputs(
        table.source, whole, values, cleaned.is_filled, time, later, is_interpolated, policy == "skip", before
    )


def _frame(
    saved: SavedModel, scaler: Scaler, inputs: Inputs, origin: str | pd.Timestamp | None, device: str
) -> pd.DataFrame:
    """Forecasts of one series from one origin, or from all, a row for each step."""
    problem = saved.model.problem
    ends = ends_of(inputs, origin, problem.lookback)
    restored = _forecasts(saved, scaler, inputs, ends, device)
    if problem.is_adaptive:
        restored = _adapted(saved, scaler, inputs, ends, restored, device)
    return frame_of(
        restored, ends, inputs, origin, FrameNames(saved.targets, problem.targets, problem.quantiles, problem.task)
    )


def _forecasts(saved: SavedModel, scaler: Scaler, inputs: Inputs, ends: np.ndarray, device: str) -> np.ndarray:
    """Forecasts after each of the first `ends` rows, [k, T, D, Q] in the data's units; Q is 1 without quantiles."""
    problem = saved.model.problem
    where = resolve_device(device)
    parts = (ends[first : first + EVALUATION_BATCH] for first in range(0, len(ends), EVALUATION_BATCH))
    batches = (torch.from_numpy(windows_before(inputs.scaled, part, problem.lookback)).to(where) for part in parts)
    forecast = predict(saved.model.to(where), batches).cpu().double().numpy()
    forecast_kTDQ = forecast if forecast.ndim == 4 else forecast[..., None]
    if isinstance(saved.model, Direction | Moves):
        restored = saved.model.restored(forecast_kTDQ)
    else:
        restored = np.moveaxis(scaler.restore(np.moveaxis(forecast_kTDQ, -1, 0), list(problem.targets)), 0, -1)
    if not np.isfinite(restored).all():
        raise Diverged("the model's forecasts are not finite numbers")
    return restored


def _adapted(
    saved: SavedModel, scaler: Scaler, inputs: Inputs, ends: np.ndarray, forecasts: np.ndarray, device: str
) -> np.ndarray:
    """The same forecasts, moved by what those since the model's training would have hit and missed."""
    problem, seen = saved.model.problem, saved.file.seen
    rows = len(inputs.scaled)
    if isinstance(seen, datetime) and inputs.time is not None:
        seen = int((inputs.time <= pd.Timestamp(seen)).sum())
    replayed = np.arange(max(problem.lookback + inputs.before, seen if isinstance(seen, int) else rows), rows + 1)
    if not len(replayed):
        return forecasts
    places = replayed[:, None] + np.arange(problem.horizon)
    actual = np.where((places < rows)[..., None], inputs.values[np.minimum(places, rows - 1)], np.nan)
    actual[inputs.is_filled[np.minimum(places, rows - 1)]] = np.nan
    targets = list(problem.targets)
    quantiles = _forecasts(saved, scaler, inputs, replayed, device)
    moved = adapted(quantiles, actual[..., targets], replayed, problem.quantiles)
    is_replayed = ends >= replayed[0]
    forecasts[is_replayed] = moved[ends[is_replayed] - replayed[0]]
    return forecasts


def _check_future(saved: SavedModel, table: Table, rows: int) -> None:
    """Raise InputError where fewer later rows than the horizon tell what is known of the steps to forecast."""
    horizon = saved.model.problem.horizon
    if rows < horizon:
        after = f"after {table.time[-1]}" if table.time is not None else f"after the {len(table)} rows"
        raise InputError(
            f"{', '.join(saved.file.known)} must be known for the {horizon} steps {after}, and {table.source} has "
            f"{rows}: add rows with the time and these columns, and leave the others empty"
        )
