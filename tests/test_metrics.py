import numpy as np
import pytest
from sklearn import metrics as sk

from zoo.data.scaling import Units
from zoo.metrics import METRICS, forecast_metrics

RANDOM = np.random.default_rng(0)
LAST = 50 + RANDOM.normal(size=(40, 2)) * [1, 10]
TRUTH = LAST[:, None] + RANDOM.normal(size=(40, 3, 2)) * [1, 10]
FORECAST = LAST[:, None] + RANDOM.normal(size=(40, 3, 2)) * [1, 10]
UNITS = Units(("a", "b"), np.zeros(2), np.ones(2), np.array([2.0, 30.0]), np.array([0.5, 4.0]))


def one_target(forecast=FORECAST, truth=TRUTH, last=LAST):
    units = Units(("a",), *(getattr(UNITS, name)[:1] for name in ("center", "scale", "deviation", "step")))
    return forecast_metrics(forecast[..., :1], truth[..., :1], last[:, :1], units)


def test_one_target_agrees_with_scikit_learn_and_definitions():
    metrics = one_target()
    y, f, last = TRUTH[..., 0].ravel(), FORECAST[..., 0].ravel(), np.repeat(LAST[:, 0], 3)
    assert metrics["mse"] == pytest.approx(sk.mean_squared_error(y, f))
    assert metrics["rmse"] == pytest.approx(sk.root_mean_squared_error(y, f))
    assert metrics["mae"] == pytest.approx(sk.mean_absolute_error(y, f))
    assert metrics["r2"] == pytest.approx(sk.r2_score(y, f))
    assert metrics["mape"] == pytest.approx(100 * sk.mean_absolute_percentage_error(y, f))
    assert metrics["smape"] == pytest.approx(
        np.mean([200 * abs(a - b) / (abs(a) + abs(b)) for a, b in zip(y, f, strict=True)])
    )
    assert metrics["mase"] == pytest.approx(sk.mean_absolute_error(y, f) / 0.5)
    assert metrics["skill"] == pytest.approx(1 - sk.root_mean_squared_error(y, f) / sk.root_mean_squared_error(y, last))
    assert metrics["scaled_mse"] == pytest.approx(metrics["mse"] / 4)
    assert metrics["scaled_mae"] == pytest.approx(metrics["mae"] / 2)
    agree = [(b > c) == (a > c) for a, b, c in zip(y, f, last, strict=True)]
    assert metrics["directional_accuracy"] == pytest.approx(np.mean(agree))
    assert set(metrics) == set(METRICS)


def test_several_targets_are_averaged_in_scaled_units():
    metrics = forecast_metrics(FORECAST, TRUTH, LAST, UNITS)
    scaled = (FORECAST - TRUTH) / [2, 30]
    naive = (LAST[:, None] - TRUTH) / [2, 30]
    assert metrics["scaled_mse"] == metrics["mse"] == pytest.approx(np.mean(scaled**2))
    assert metrics["scaled_mae"] == metrics["mae"] == pytest.approx(np.mean(np.abs(scaled)))
    assert metrics["skill"] == pytest.approx(1 - (np.mean(scaled**2) / np.mean(naive**2)) ** 0.5)
    assert metrics["targets"]["a"] == one_target()
    assert metrics["mase"] == pytest.approx((metrics["targets"]["a"]["mase"] + metrics["targets"]["b"]["mase"]) / 2)


def test_naive_has_no_skill_and_calls_no_direction():
    metrics = one_target(forecast=np.repeat(LAST[:, None], 3, axis=1))
    assert metrics["skill"] == 0
    assert metrics["directional_accuracy"] is None


def test_float32_rounding_is_no_direction():
    metrics = one_target(forecast=np.repeat(LAST[:, None], 3, axis=1).astype(np.float32).astype(float))
    assert metrics["directional_accuracy"] is None


def test_perfect_forecast():
    metrics = one_target(forecast=TRUTH)
    assert (metrics["rmse"], metrics["r2"], metrics["skill"], metrics["directional_accuracy"]) == (0, 1, 1, 1)


def test_what_is_undefined_is_none():
    zeros = np.zeros((4, 1, 1))
    units = Units(("a",), np.zeros(1), np.ones(1), np.ones(1), np.zeros(1))
    metrics = forecast_metrics(zeros + 1, zeros, zeros[:, 0], units)
    undefined = [metrics[name] for name in ("mape", "r2", "skill", "mase", "directional_accuracy")]
    assert undefined == [None] * 5
    assert metrics["smape"] == 200
    assert forecast_metrics(zeros, zeros, zeros[:, 0], units)["smape"] == 0


def test_metrics_are_numbers_or_none_for_any_scale():
    tiny = np.full((4, 1, 1), 1e-310)
    units = Units(("a",), np.zeros(1), np.ones(1), np.full(1, 1e-200), np.full(1, 1e-310))
    metrics = forecast_metrics(np.ones((4, 1, 1)), tiny, tiny[:, 0], units)
    assert all(value is None or np.isfinite(value) for value in metrics.values())
    assert metrics["mape"] is None
