"""evaluate: a fitted model's forecasts and their metrics."""

import itertools
from typing import Any

import numpy as np

from zoo.adaptive import adapted
from zoo.data.dataset import Samples
from zoo.data.scaling import Units
from zoo.data.windows import Windows
from zoo.errors import Diverged, InputError
from zoo.layers.model import WITH_TASK, Model
from zoo.metrics import class_metrics, direction_metrics, forecast_metrics, move_metrics, quantile_metrics
from zoo.problem import Problem
from zoo.train.predict import check_windows, predict_windows


def forecast(model: Model, windows: Samples) -> np.ndarray:
    """Forecasts of every window, float64 [n, *output_shape] in the data's units, of directions the probabilities of a
    rise, of moves those of a fall, of staying flat and of a rise, of classes those of each class; the model is left in
    eval mode.

    Adaptive quantiles follow the actual values of the earlier windows. Runs where the model's parameters lie. Raises
    InputError for no windows, Diverged when a forecast is not a finite number.
    """
    check_windows(model, windows, "windows")
    if len(windows) == 0:
        raise InputError("there are no windows to forecast: the split leaves this part empty")
    tensor = next(itertools.chain(model.parameters(), model.buffers()), None)
    windows = windows.to(tensor.device if tensor is not None else windows.values.device)
    scaled = predict_windows(model, windows).cpu().numpy()
    units = windows.units
    restored = model.restored(scaled, units) if isinstance(model, WITH_TASK) else units.restore(scaled)
    if not np.isfinite(restored).all():
        raise Diverged("the model's forecasts are not finite numbers")
    if model.problem.is_adaptive:
        assert isinstance(windows, Windows)
        return adapted(restored, windows.truth(), windows.target_rows(), model.problem.quantiles)
    return restored


def evaluate(model: Model, windows: Samples, *, naive: Model | None = None) -> dict[str, Any]:
    """Every metric of the model's forecasts of these windows, in the data's own units and in scaled ones.

    zoo.metrics defines each one. They do not depend on a batch size. naive: the
    fitted naive that skill is measured against; a point forecast needs none.
    """
    return scores(forecast(model, windows), None if naive is None else forecast(naive, windows), windows, model)


def scores(forecasts: np.ndarray, naive: np.ndarray | None, windows: Samples, model: Model) -> dict[str, Any]:
    """The metrics of forecasts [n, *output_shape] of all windows, by a model; naive: its forecasts, as in evaluate."""
    return metrics_of(model.problem, forecasts, naive, windows.truth(), windows.last(), windows.units)


def metrics_of(
    problem: Problem,
    forecasts: np.ndarray,
    naive: np.ndarray | None,
    truth: np.ndarray,
    last: np.ndarray,
    units: Units,
) -> dict[str, Any]:
    """The metrics of a problem's task, of forecasts and naive's [n, *output_shape] and actual values [n, T, D]."""
    if problem.task == "classify":
        return class_metrics(forecasts, naive, truth)
    if problem.task == "quantile":
        return quantile_metrics(forecasts, naive, truth, last, units, problem.quantiles)
    if problem.task == "direction":
        return direction_metrics(forecasts, naive, truth, units)
    if problem.task == "move":
        return move_metrics(forecasts, naive, truth, units)
    return forecast_metrics(forecasts, truth, last, units)
