"""forecast_next: the horizon after a table's last row, by a saved model."""

import numpy as np
import pandas as pd
import torch

from zoo.data.calendar import calendar_channels
from zoo.data.known import known_channels, split_future
from zoo.data.scaling import Scaler
from zoo.data.spacing import next_times
from zoo.data.table import Table, clean, match_columns
from zoo.errors import Diverged, InputError, expect
from zoo.layers.direction import Direction
from zoo.train.fit import resolve_device
from zoo.train.predict import predict
from zoo.train.store import ModelScaler, SavedModel, scaler_of


def forecast_next(saved: SavedModel, table: Table, *, missing: str | None = None, device: str = "auto") -> pd.DataFrame:
    """The horizon after the table's last row, in the data's units: columns step, time (if spaced), targets.

    Of several series that after the last row of each that was in the fit, with the column of their names first;
    frame.attrs["left_out"] names the others.

    A model with inputs known in advance needs `horizon` further rows, in which only these have values.

    A model of quantiles gives the median under the target's name, with the others around it: close_q10, close. A
    model of directions gives the probability of a rise: close_up.

    Needs the model's channels, by name, and at least its lookback of rows. missing: see clean (default: the
    policy of the fit). Raises InputError.
    """
    expect("saved", saved, SavedModel, "what zoo.load_model returns")
    expect("table", table, Table, "what zoo.load returns")
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
        return _next_of_one(saved, saved.scaler, saved.file.known_scaler, table, missing, device)
    every = table.of_each_series()
    if not known.keys() & every.keys():
        raise InputError(f"no series of {table.source} was in the fit, which had {', '.join(list(known)[:5])}, ...")
    frames = []
    for name, series in every.items():
        if name not in known:
            continue
        frame = _next_of_one(saved, scaler_of(known[name]), saved.file.known_series.get(name), series, missing, device)
        frame.insert(0, str(saved.file.series_column), name)
        frames.append(frame)
    whole = pd.concat(frames, ignore_index=True)
    whole.attrs["left_out"] = [name for name in every if name not in known]
    return whole


def _next_of_one(
    saved: SavedModel,
    scaler: Scaler,
    known_scaler: ModelScaler | None,
    table: Table,
    missing: str | None,
    device: str,
) -> pd.DataFrame:
    """The horizon after the last row of one series."""
    future = None
    if known_scaler is not None:
        known = match_columns(saved.file.known, (*table.columns, *table.unusable), table.source)
        table, future = split_future(table, known, match_columns(saved.channels, table.columns, table.source))
        _check_future(saved, table, len(future.values))
    names = match_columns(saved.channels, (*table.columns, *table.unusable), table.source)
    cleaned = clean(table.select(names), names, missing or saved.file.missing, table.source)
    values, is_used = cleaned.values, cleaned.is_used
    problem = saved.model.problem
    if len(values) < problem.lookback:
        raise InputError(f"too few rows: {table.source} has {len(values)}, the model's lookback is {problem.lookback}")
    where = resolve_device(device)
    scaled = scaler.transform(values[-problem.lookback :]).astype(np.float32)
    if saved.file.calendar:
        time = table.time[is_used] if table.time is not None else None
        later = future.time if future is not None else None
        ahead = calendar_channels(time, saved.file.calendar, problem.horizon, table.source, later)
        scaled = np.concatenate([scaled, ahead[-problem.lookback :].astype(np.float32)], axis=1)
    if known_scaler is not None and future is not None:
        ahead = known_channels(table.select(known)[is_used], future.values, problem.horizon)[-problem.lookback :]
        scaled = np.concatenate([scaled, scaler_of(known_scaler).transform(ahead).astype(np.float32)], axis=1)
    if saved.file.masked:
        marks = cleaned.is_filled[-problem.lookback :, [names.index(name) for name in saved.file.masked]]
        scaled = np.concatenate([scaled, marks.astype(np.float32)], axis=1)
    forecast = predict(saved.model.to(where), [torch.from_numpy(scaled)[None].to(where)])[0].cpu().double().numpy()
    forecast_TDQ = forecast if problem.quantiles else forecast[..., None]
    targets = list(problem.targets)
    restored = np.moveaxis(scaler.restore(np.moveaxis(forecast_TDQ, -1, 0), targets), 0, -1)
    if isinstance(saved.model, Direction):
        restored = 1 / (1 + np.exp(-forecast_TDQ))
    if not np.isfinite(restored).all():
        raise Diverged("the model's forecasts are not finite numbers")
    levels = problem.quantiles or (0.5,)
    ending = "_up" if problem.task == "direction" else ""
    columns = [
        name + ending if level == 0.5 else f"{name}_q{100 * level:g}" for name in saved.targets for level in levels
    ]
    frame = pd.DataFrame(restored.reshape(problem.horizon, -1), columns=columns)
    times = next_times(table.time[is_used] if table.time is not None else None, problem.horizon)
    if future is not None and future.time is not None:
        times = future.time[: problem.horizon]
    if times is not None:
        frame.insert(0, "time" if "time" not in saved.targets else "timestamp", times)
    frame.insert(0, "step" if "step" not in saved.targets else "horizon_step", range(1, problem.horizon + 1))
    return frame


def _check_future(saved: SavedModel, table: Table, rows: int) -> None:
    """Raise InputError where fewer later rows than the horizon tell what is known of the steps to forecast."""
    horizon = saved.model.problem.horizon
    if rows < horizon:
        after = f"after {table.time[-1]}" if table.time is not None else f"after the {len(table)} rows"
        raise InputError(
            f"{', '.join(saved.file.known)} must be known for the {horizon} steps {after}, and {table.source} has "
            f"{rows}: add rows with the time and these columns, and leave the others empty"
        )
