"""evaluate: a fitted model's forecasts and their metrics."""

from typing import Any

import numpy as np

from zoo.data.windows import Windows
from zoo.errors import Diverged, InputError
from zoo.layers.normalised import Normalised
from zoo.metrics import forecast_metrics
from zoo.train.predict import check_windows, predict_windows


def forecast(model: Normalised, windows: Windows) -> np.ndarray:
    """Forecasts of every window, float64 [n, T, D] in the data's units; the model is left in eval mode.

    Runs where the model's parameters lie. Raises InputError for no windows, Diverged when a
    forecast is not a finite number.
    """
    check_windows(model, windows, "windows")
    if len(windows) == 0:
        raise InputError("there are no windows to forecast: the split leaves this part empty")
    parameter = next(model.parameters(), None)
    windows = windows.to(parameter.device if parameter is not None else windows.values.device)
    restored = windows.units.restore(predict_windows(model, windows).cpu().numpy())
    if not np.isfinite(restored).all():
        raise Diverged("the model's forecasts are not finite numbers")
    return restored


def evaluate(model: Normalised, windows: Windows) -> dict[str, Any]:
    """Every metric of the model's forecasts of these windows, in the data's own units and in scaled ones.

    zoo.metrics.forecast_metrics defines each one. They do not depend on a batch size.
    """
    return forecast_metrics(forecast(model, windows), windows.truth(), windows.last(), windows.units)
