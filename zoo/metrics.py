"""The metrics of a forecast, of points or of quantiles, in the data's own units and in scaled ones."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.data.moves import MOVES
from zoo.data.scaling import Units

METRICS = (
    "rmse", "mae", "mse", "r2", "mape", "smape", "mase", "directional_accuracy", "skill", "scaled_mse", "scaled_mae",
)  # fmt: skip
DIRECTION_METRICS = ("brier", "log_loss", "accuracy", "balanced_accuracy", "roc_auc")
MOVE_METRICS = ("rps", "log_loss", "accuracy", "balanced_accuracy", "macro_f1", "roc_auc")
CLASS_METRICS = (
    "error_rate", "accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "log_loss", "brier", "calibration_error",
)  # fmt: skip
QUANTILE_METRICS = ("crps", "weighted_quantile_loss", "coverage", "width", "winkler")


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def forecast_metrics(forecast: np.ndarray, truth: np.ndarray, last: np.ndarray, units: Units) -> dict[str, Any]:
    """Every metric of forecasts [n, T, D] against truth [n, T, D], last observed values being [n, D].

    One target: rmse, mae, mse in the data's units. Several targets, or several series: these are of errors in units of
    each target's training deviation in its series; percentages and ratios are means over targets, and `targets` holds
    each target's own metrics. mape and smape are percentages. None where a metric is undefined: mape with a true value
    of zero, r2 of a constant truth, skill where naive makes no error, directional accuracy where nothing
    moved or the forecast never does.

    mase: MAE over the mean absolute step of the training rows (Hyndman & Koehler 2006, season 1).
    smape: 200 |y - f| / (|y| + |f|) (Makridakis 1993). skill: 1 - rmse / naive's rmse on these windows.
    directional accuracy: the share of steps that moved from the last observed value whose forecast moved
    the same way.
    """
    if units.deviation.ndim > 1:
        forecast, truth, last = (values / unit for values, unit in _by_deviation((forecast, truth, last), units))
        units = _unit_of_panel(units)
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


def _by_deviation(arrays: Sequence[np.ndarray], units: Units) -> list[tuple[np.ndarray, np.ndarray]]:
    """Arrays [n, T, D], [n, T, D, Q] or [n, D] of several series, each with the deviations to divide it by."""
    places = {2: units.deviation[:, 0], 3: units.deviation, 4: units.deviation[..., None]}
    return [(values, places[values.ndim]) for values in arrays]


def _unit_of_panel(units: Units) -> Units:
    """The units of values that have been divided by their deviations; the step differs from series to series: none."""
    ones = np.ones(len(units.names))
    return Units(units.names, 0 * ones, ones, ones, 0 * ones)


def points_of(whole: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """[n, T, D]: the medians of quantiles [n, T, D, Q], the means of moves by their probabilities [n, T, D, 3], or the
    forecasts as they are."""
    if levels:
        return median_of(whole, levels)
    return whole[..., 2] - whole[..., 0] if whole.ndim == 4 else whole


def median_of(forecast: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """The point of a forecast [..., Q] of quantiles: the median [...]."""
    return np.asarray(forecast[..., list(levels).index(0.5)])


def pinball(forecast: np.ndarray, truth: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """The pinball loss of quantiles [..., Q] against truth [...], averaged over levels: [...]."""
    above, level = truth[..., None] - forecast, np.asarray(levels)
    return np.asarray(np.maximum(level * above, (level - 1) * above).mean(axis=-1))


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def quantile_metrics(
    forecast: np.ndarray,
    naive: np.ndarray | None,
    truth: np.ndarray,
    last: np.ndarray,
    units: Units,
    levels: Sequence[float],
) -> dict[str, Any]:
    """The metrics of the median, see forecast_metrics, and those of quantiles [n, T, D, Q], of which skill is one.

    naive: the quantiles of naive on the same windows, None: skill is None. Units and means over targets are those of
    forecast_metrics.

    crps: twice the mean pinball loss over levels, which is the continuous ranked probability score as more levels are
    taken (Gneiting & Ranjan 2011). weighted_quantile_loss: the same relative to the mean absolute actual value.
    coverage: the share of actual values between the lowest and the highest quantile; width: the mean distance of these;
    winkler: their interval score (Winkler 1972; Gneiting & Raftery 2007, equation 43). skill: 1 - crps / naive's.
    """
    if units.deviation.ndim > 1:
        forecast, truth, last = (values / unit for values, unit in _by_deviation((forecast, truth, last), units))
        naive = None if naive is None else naive / units.deviation[..., None]
        units = _unit_of_panel(units)
    metrics = forecast_metrics(median_of(forecast, levels), truth, last, units)
    per_target = []
    for d in range(len(units.names)):
        own_naive = None if naive is None else naive[:, :, d]
        per_target.append(_one_target_of_quantiles(forecast[:, :, d], own_naive, truth[..., d], levels))
    if len(per_target) == 1:
        return {**metrics, **per_target[0]}
    scale = units.deviation[None, None, :]
    crps, skill = float(2 * pinball(forecast / scale[..., None], truth / scale, levels).mean()), None
    if naive is not None:
        base = float(2 * pinball(naive / scale[..., None], truth / scale, levels).mean())
        skill = _finite(1 - crps / base) if base > 0 else None
    means = {name: _mean([entry[name] for entry in per_target]) for name in ("weighted_quantile_loss", "coverage")}
    scaled = {
        name: _mean([entry[name] / unit for entry, unit in zip(per_target, units.deviation.tolist(), strict=True)])
        for name in ("width", "winkler")
    }
    targets = {name: {**metrics["targets"][name], **entry} for name, entry in zip(units.names, per_target, strict=True)}
    return {**metrics, "crps": crps, **means, **scaled, "skill": skill, "targets": targets}


def direction_metrics(
    forecast: np.ndarray, naive: np.ndarray | None, truth: np.ndarray, units: Units
) -> dict[str, Any]:
    """The metrics of probabilities of a rise [n, T, D] against directions [n, T, D], 1 or 0.

    naive: the usual share of rises on the same windows, None: skill is None. Several targets: means over targets.

    brier: the mean squared error of the probability (Brier 1950), which mse is too; log_loss: the mean of -log of the
    probability of what happened; accuracy: the share of directions that got the larger probability; balanced_accuracy:
    the mean of that share among rises and among the others; roc_auc: the share of pairs of a rise and another in which
    the rise has the larger probability, None without both. skill: 1 - brier / naive's.
    """
    per_target = []
    for d in range(len(units.names)):
        base = None if naive is None else float(np.mean((naive[..., d] - truth[..., d]) ** 2))
        per_target.append(_one_target_of_directions(forecast[..., d].ravel(), truth[..., d].ravel(), base))
    return _over_targets(per_target, units)


def move_metrics(forecast: np.ndarray, naive: np.ndarray | None, truth: np.ndarray, units: Units) -> dict[str, Any]:
    """The metrics of probabilities of a fall, of staying flat and of a rise, [n, T, D, 3], against moves [n, T, D], -1,
    0 or 1.

    naive: the usual shares on the same windows, None: skill is None. Several targets: means over targets.

    rps: the ranked probability score (Epstein 1969), here the mean of two squared errors, that of the probability of a
    fall and that of the probability of a rise; a fall that is forecast as a rise costs more than one that is forecast
    as flat. skill: 1 - rps / naive's. The others are those of three classes, see class_metrics.
    """
    per_target = []
    for d in range(len(units.names)):
        chances, actual = forecast[..., d, :].reshape(-1, 3), truth[..., d].ravel()
        is_move = (actual[:, None] == list(MOVES.values())).astype(float)
        own = class_metrics(chances[:, None], None, is_move[:, None])
        rps = float(move_losses(chances, actual).mean())
        base = None if naive is None else float(move_losses(naive[..., d, :].reshape(-1, 3), actual).mean())
        own |= {"rps": rps, "skill": _finite(1 - rps / base) if base else None}
        per_target.append({name: own[name] for name in (*MOVE_METRICS, "skill")})
    return _over_targets(per_target, units)


def move_losses(chances: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """The ranked probability scores [...] of probabilities [..., 3] of moves [...], -1, 0 or 1."""
    fall, rise = chances[..., 0] - (moves == -1), chances[..., 2] - (moves == 1)
    return np.asarray((fall**2 + rise**2) / 2)


def _over_targets(per_target: list[dict[str, Any]], units: Units) -> dict[str, Any]:
    """Means over targets, and the metrics of each where there are several."""
    whole = {name: _mean([entry[name] for entry in per_target]) for name in per_target[0]}
    nothing = dict.fromkeys(METRICS)
    if len(per_target) == 1:
        return {**nothing, **whole}
    targets = {name: {**nothing, **entry} for name, entry in zip(units.names, per_target, strict=True)}
    return {**nothing, **whole, "targets": targets}


def class_metrics(forecast: np.ndarray, naive: np.ndarray | None, truth: np.ndarray) -> dict[str, Any]:
    """The metrics of probabilities of classes [n, 1, K] against the actual classes [n, 1, K], 1 or 0.

    naive: the usual shares of the classes, [n, 1, K], None: skill is None.

    accuracy: the share of cases whose class got the largest probability; error_rate: 1 - accuracy; balanced_accuracy:
    the mean of that share over classes; macro_f1: the mean over classes of F1, the harmonic mean of precision and
    recall; roc_auc: the mean over classes of the share of pairs of a case of the class and another in which the first
    has the larger probability of it; log_loss: the mean of -log of the probability of the actual class; brier: the mean
    over cases of the summed squared errors of the probabilities (Brier 1950), from 0 to 2; calibration_error: the mean
    distance of the largest probability from the share of cases in which it is right, over ten bins (Guo et al. 2017,
    On calibration of modern neural networks). Classes without a test case count in none of the means. skill: 1 -
    error_rate / naive's.
    """
    chances, is_class = forecast[:, 0], truth[:, 0] == 1
    chosen, actual = chances.argmax(axis=1), is_class.argmax(axis=1)
    is_right = chosen == actual
    present = np.flatnonzero(is_class.any(axis=0))
    recalls = [is_right[actual == label].mean() for label in present]
    f1 = [2 * (is_right & (actual == k)).sum() / ((actual == k).sum() + (chosen == k).sum()) for k in present]
    areas = [area for k in present if (area := _area(chances[:, k], is_class[:, k])) is not None]
    base = None if naive is None else float((naive[:, 0].argmax(axis=1) != actual).mean())
    error = float((~is_right).mean())
    return {
        **dict.fromkeys(METRICS),
        "error_rate": error,
        "accuracy": float(is_right.mean()),
        "balanced_accuracy": float(np.mean(recalls)),
        "macro_f1": float(np.mean(f1)),
        "roc_auc": float(np.mean(areas)) if areas else None,
        "log_loss": float(-np.log(np.clip(chances[is_class], 1e-12, 1.0)).mean()),
        "brier": float(((chances - is_class) ** 2).sum(axis=1).mean()),
        "calibration_error": _calibration_error(chances.max(axis=1), is_right),
        "skill": _finite(1 - error / base) if base else None,
    }


def _area(chances: np.ndarray, is_class: np.ndarray) -> float | None:
    """The area under the ROC curve; None without cases both of the class and of others."""
    from sklearn.metrics import roc_auc_score  # slow to import

    return float(roc_auc_score(is_class, chances)) if is_class.any() and not is_class.all() else None


def _calibration_error(chances: np.ndarray, is_right: np.ndarray) -> float:
    bins = np.minimum((10 * chances).astype(int), 9)
    gaps = [abs(float((chances[bins == each] - is_right[bins == each]).sum())) for each in np.unique(bins)]
    return sum(gaps) / len(chances)


def _one_target_of_directions(forecast: np.ndarray, truth: np.ndarray, base: float | None) -> dict[str, Any]:
    brier, is_up = float(np.mean((forecast - truth) ** 2)), truth == 1
    of_truth = np.clip(np.where(is_up, forecast, 1 - forecast), 1e-12, 1.0)
    is_right = (forecast > 0.5) == is_up
    has_both = bool(is_up.any() and not is_up.all())
    return {
        "brier": brier,
        "mse": brier,
        "rmse": brier**0.5,
        "mae": float(np.mean(np.abs(forecast - truth))),
        "log_loss": float(-np.log(of_truth).mean()),
        "accuracy": float(is_right.mean()),
        "balanced_accuracy": float((is_right[is_up].mean() + is_right[~is_up].mean()) / 2) if has_both else None,
        "roc_auc": _area(forecast, is_up),
        "skill": _finite(1 - brier / base) if base else None,
    }


def _one_target_of_quantiles(
    forecast: np.ndarray, naive: np.ndarray | None, truth: np.ndarray, levels: Sequence[float]
) -> dict[str, Any]:
    crps, size = float(2 * pinball(forecast, truth, levels).mean()), float(np.abs(truth).mean())
    base = None if naive is None else float(2 * pinball(naive, truth, levels).mean())
    low, high = forecast[..., 0], forecast[..., -1]
    outside = np.maximum(low - truth, 0) / levels[0] + np.maximum(truth - high, 0) / (1 - levels[-1])
    rounding = 1e-6 * float(np.abs(truth).max())  # of float32: what stays the same lies in an interval without width
    return {
        "crps": crps,
        "weighted_quantile_loss": _finite(crps / size if size > 0 else None),
        "coverage": float(np.mean((low - rounding <= truth) & (truth <= high + rounding))),
        "width": float(np.mean(high - low)),
        "winkler": float(np.mean(high - low + outside)),
        "skill": _finite(1 - crps / base if base else None),
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
