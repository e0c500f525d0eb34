"""forecast_next: the horizon after a table's last row, or after earlier ones, by a saved model."""

import numpy as np
import pandas as pd
import torch

from zoo.ahead import Network, forecast_ahead
from zoo.data.table import Table
from zoo.errors import expect
from zoo.frames import Rows, windows_before
from zoo.layers.classes import Classes
from zoo.layers.direction import Direction
from zoo.layers.moves import Moves
from zoo.train.fit import resolve_device
from zoo.train.predict import predict
from zoo.train.store import SavedModel


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
    nothing. A model of directions gives the probability of a rise, close_up; one of moves also those of
    close_down and close_flat.

    Needs the model's channels, by name, and at least its lookback of rows; with outliers hampel also the 24 rows before
    it. Inputs are cleaned as in the fit, actual values are not. missing: see clean (default: the
    policy of the fit). Raises InputError.
    """
    expect("saved", saved, SavedModel, "what zoo.load_model returns")
    return forecast_ahead(saved.file, network_of(saved, device), table, origin=origin, missing=missing)


def network_of(saved: SavedModel, device: str) -> Network:
    """The model itself, on a device."""
    expect("device", device, str, "text")
    model, where = saved.model, resolve_device(device)
    model.to(where)

    def computed(rows: Rows, ends: np.ndarray, lookback: int) -> np.ndarray:
        x_BLC = torch.from_numpy(windows_before(rows.scaled, ends, lookback)).to(where)
        forecast = predict(model, [x_BLC]).cpu().double().numpy()
        if isinstance(model, Classes):
            return Classes.restored(forecast, None)[:, 0]
        forecast_kTDQ = forecast if forecast.ndim == 4 else forecast[..., None]
        if isinstance(model, Direction | Moves):
            return model.restored(forecast_kTDQ)
        targets = list(model.problem.targets)
        return np.moveaxis(rows.scaler.restore(np.moveaxis(forecast_kTDQ, -1, 0), targets), 0, -1)

    return computed
