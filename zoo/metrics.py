"""The metrics of a point forecast, in the data's own units and in scaled ones."""

import math
from typing import Any

import numpy as np

from zoo.data.scaling import Units

METRICS = (
    "rmse", "mae", "mse", "r2", "mape", "smape", "mase", "directional_accuracy", "skill", "scaled_mse", "scaled_mae",
)  # fmt: skip


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def forecast_metrics(forecast: np.ndarray, truth: np.ndarray, last: np.ndarray, units: Units) -> dict[str, Any]:
    """Every metric of forecasts [n, T, D] against truth [n, T, D], last observed values being [n, D].

    One target: rmse, mae, mse in the data's units. Several: these are of errors in units of each target's
    training deviation, percentages and ratios are means over targets, and `targets` holds each target's
    own metrics. mape and smape are percentages. None where a metric is undefined: mape with a true value
    of zero, r2 of a constant truth, skill where naive makes no error, directional accuracy where nothing
    moved or the forecast never does.

    mase: MAE over the mean absolute step of the training rows (Hyndman & Koehler 2006, season 1).
    smape: 200 |y - f| / (|y| + |f|) (Makridakis 1993). skill: 1 - rmse / naive's rmse on these windows.
    directional accuracy: the share of steps that moved from the last observed value whose forecast moved
    the same way.
    """
    error = forecast - truth
    naive_error = last[:, None, :] - truth
    per_target = [
        _one_target(forecast[..., d], truth[..., d], last[:, d], float(units.deviation[d]), float(units.step[d]))
        for d in range(len(units.names))
    ]
    per_target = [{name: _finite(value) for name, value in entry.items()} for entry in per_target]
    if len(per_target) == 1:
        return per_target[0]
    scaled, naive_scaled = error / units.deviation, naive_error / units.deviation
    mse, mae = float(np.mean(scaled**2)), float(np.mean(np.abs(scaled)))
    naive_rmse = float(np.sqrt(np.mean(naive_scaled**2)))
    spread = (truth - truth.mean(axis=(0, 1))) / units.deviation
    total = float(np.mean(spread**2))
    means = {
        name: _mean([entry[name] for entry in per_target]) for name in ("mape", "smape", "mase", "directional_accuracy")
    }
    return {
        "rmse": mse**0.5,
        "mae": mae,
        "mse": mse,
        "r2": 1 - mse / total if total > 0 else None,
        **means,
        "skill": 1 - mse**0.5 / naive_rmse if naive_rmse > 0 else None,
        "scaled_mse": mse,
        "scaled_mae": mae,
        "targets": dict(zip(units.names, per_target, strict=True)),
    }


def _one_target(
    forecast: np.ndarray, truth: np.ndarray, last: np.ndarray, deviation: float, step: float
) -> dict[str, Any]:
    error = forecast - truth
    mse, mae = float(np.mean(error**2)), float(np.mean(np.abs(error)))
    total = float(np.mean((truth - truth.mean()) ** 2))
    naive_rmse = float(np.sqrt(np.mean((last[:, None] - truth) ** 2)))
    scale = np.abs(truth) + np.abs(forecast)
    ratio = np.divide(np.abs(error), scale, out=np.zeros_like(error), where=scale > 0)
    moved, predicted = np.sign(truth - last[:, None]), _direction(forecast, last[:, None])
    has_direction = bool(moved.any() and predicted.any())
    return {
        "rmse": mse**0.5,
        "mae": mae,
        "mse": mse,
        "r2": 1 - mse / total if total > 0 else None,
        "mape": float(100 * np.mean(np.abs(error / truth))) if (truth != 0).all() else None,
        "smape": float(200 * np.mean(ratio)),
        "mase": mae / step if step > 0 else None,
        "directional_accuracy": float(np.mean(predicted[moved != 0] == moved[moved != 0])) if has_direction else None,
        "skill": 1 - mse**0.5 / naive_rmse if naive_rmse > 0 else None,
        "scaled_mse": float(np.mean((error / deviation) ** 2)),
        "scaled_mae": mae / deviation,
    }


def _finite(value: float | None) -> float | None:
    """The value, or None where a division by next to nothing left no number."""
    return value if value is not None and math.isfinite(value) else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _direction(forecast: np.ndarray, last: np.ndarray) -> np.ndarray:
    """-1, 0, 1: the way a forecast moves; 0 for a change that float32 rounding alone explains."""
    change = forecast - last
    return np.where(np.abs(change) > 1e-6 * np.abs(last), np.sign(change), 0.0)
