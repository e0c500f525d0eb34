import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from zoo.data.scaling import Units
from zoo.metrics import (
    DIRECTION_METRICS,
    METRICS,
    MOVE_METRICS,
    QUANTILE_METRICS,
    direction_metrics,
    forecast_metrics,
    median_of,
    move_losses,
    move_metrics,
    quantile_metrics,
)

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


LEVELS = (0.1, 0.5, 0.9)
QUANTILES = FORECAST[..., None] + np.array([-1.0, 0.0, 1.5]) * np.array([1.0, 10.0])[:, None]  # [n, T, D, Q]
NAIVE = LAST[:, None, :, None] + np.array([-2.0, 0.0, 2.0]) + np.zeros((1, 3, 1, 1))


def test_quantiles_of_one_target_agree_with_scikit_learn_and_definitions():
    units = Units(("a",), *(getattr(UNITS, name)[:1] for name in ("center", "scale", "deviation", "step")))
    metrics = quantile_metrics(QUANTILES[:, :, :1], NAIVE[:, :, :1], TRUTH[..., :1], LAST[:, :1], units, LEVELS)
    y = TRUTH[..., 0].ravel()

    def crps(quantiles):
        return 2 * np.mean(
            [sk.mean_pinball_loss(y, quantiles[:, :, 0, q].ravel(), alpha=level) for q, level in enumerate(LEVELS)]
        )

    low, high = QUANTILES[:, :, 0, 0].ravel(), QUANTILES[:, :, 0, 2].ravel()
    assert metrics["crps"] == pytest.approx(crps(QUANTILES))
    assert metrics["skill"] == pytest.approx(1 - crps(QUANTILES) / crps(NAIVE))
    assert metrics["weighted_quantile_loss"] == pytest.approx(crps(QUANTILES) / np.abs(y).mean())
    assert metrics["coverage"] == pytest.approx(np.mean([a <= b <= c for a, b, c in zip(low, y, high, strict=True)]))
    assert metrics["width"] == pytest.approx(2.5)
    alpha = 0.2  # both tails together
    penalties = [(2 / alpha) * (max(a - b, 0) + max(b - c, 0)) for a, b, c in zip(low, y, high, strict=True)]
    assert metrics["winkler"] == pytest.approx(2.5 + np.mean(penalties))
    assert metrics["rmse"] == pytest.approx(one_target()["rmse"])  # of the median
    assert set(metrics) == {*METRICS, *QUANTILE_METRICS}


def test_quantiles_of_several_targets_are_averaged_in_scaled_units():
    metrics = quantile_metrics(QUANTILES, NAIVE, TRUTH, LAST, UNITS, LEVELS)
    each = [metrics["targets"][name] for name in UNITS.names]
    assert metrics["crps"] == pytest.approx(np.mean([each[0]["crps"] / 2, each[1]["crps"] / 30]))
    assert metrics["width"] == pytest.approx(np.mean([2.5 / 2, 25 / 30]))
    assert metrics["coverage"] == pytest.approx(np.mean([entry["coverage"] for entry in each]))
    assert metrics["skill"] != each[0]["skill"]
    without = quantile_metrics(QUANTILES, None, TRUTH, LAST, UNITS, LEVELS)
    assert without["skill"] is None and without["targets"]["a"]["skill"] is None


def test_the_quantile_score_of_a_normal_distribution_tends_to_its_crps():
    """CRPS of a standard normal forecast of y = 0 is (sqrt(2) - 1) / sqrt(pi) (Gneiting et al. 2005)."""
    levels = (np.arange(999) + 1) / 1000
    units = Units(("a",), np.zeros(1), np.ones(1), np.ones(1), np.ones(1))
    quantiles = stats.norm.ppf(levels)[None, None, None]
    metrics = quantile_metrics(quantiles, None, np.zeros((1, 1, 1)), np.zeros((1, 1)), units, tuple(levels))
    assert metrics["crps"] == pytest.approx((2**0.5 - 1) / np.pi**0.5, rel=2e-3)
    assert median_of(quantiles, levels) == pytest.approx(0.0, abs=1e-12)


def test_directions_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    chances, truth = random.uniform(0.05, 0.95, size=(60, 2, 2)), (random.random((60, 2, 2)) < 0.6).astype(float)
    naive = np.full_like(chances, 0.55)
    metrics = direction_metrics(chances, naive, truth, UNITS)
    assert set(metrics) == {*METRICS, *DIRECTION_METRICS, "targets"}
    for d, name in enumerate(UNITS.names):
        y, p = truth[..., d].ravel(), chances[..., d].ravel()
        own = metrics["targets"][name]
        assert own["brier"] == pytest.approx(sk.brier_score_loss(y, p))
        assert own["log_loss"] == pytest.approx(sk.log_loss(y, p))
        assert own["accuracy"] == pytest.approx(sk.accuracy_score(y, p > 0.5))
        assert own["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, p > 0.5))
        assert own["roc_auc"] == pytest.approx(sk.roc_auc_score(y, p))
        assert own["skill"] == pytest.approx(
            1 - sk.brier_score_loss(y, p) / sk.brier_score_loss(y, np.full_like(p, 0.55))
        )
        assert metrics["brier"] == pytest.approx(np.mean([metrics["targets"][each]["brier"] for each in UNITS.names]))
    one = Units(("a",), *(getattr(UNITS, name)[:1] for name in ("center", "scale", "deviation", "step")))
    always = direction_metrics(chances[..., :1], None, np.ones((60, 2, 1)), one)
    assert always["roc_auc"] is None and always["balanced_accuracy"] is None and always["skill"] is None


def test_moves_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    chances, truth = random.dirichlet([1, 2, 1], size=(60, 2, 2)), random.choice([-1, 0, 1], size=(60, 2, 2))
    naive = np.broadcast_to([0.3, 0.4, 0.3], chances.shape)
    metrics = move_metrics(chances, naive, truth, UNITS)
    assert set(metrics) == {*METRICS, *MOVE_METRICS, "targets"}
    for d, name in enumerate(UNITS.names):
        y, p, own = truth[..., d].ravel(), chances[..., d, :].reshape(-1, 3), metrics["targets"][name]
        chosen = p.argmax(axis=1) - 1
        errors = [[sk.brier_score_loss(y == move, p[:, place]) for place, move in ((0, -1), (2, 1))],
                  [sk.brier_score_loss(y == move, np.full(len(y), 0.3)) for move in (-1, 1)]]  # fmt: skip
        assert own["rps"] == pytest.approx(np.mean(errors[0]))
        assert own["skill"] == pytest.approx(1 - np.mean(errors[0]) / np.mean(errors[1]))
        assert own["log_loss"] == pytest.approx(sk.log_loss(y, p))
        assert own["accuracy"] == pytest.approx(sk.accuracy_score(y, chosen))
        assert own["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, chosen))
        assert own["macro_f1"] == pytest.approx(sk.f1_score(y, chosen, average="macro"))
        assert own["roc_auc"] == pytest.approx(sk.roc_auc_score(y, p, multi_class="ovr"))
    assert metrics["rps"] == pytest.approx(np.mean([metrics["targets"][name]["rps"] for name in UNITS.names]))
    near, far = (move_losses(np.array(p), np.array(1)) for p in ([0, 1, 0], [1, 0, 0]))
    assert near == 0.5 and far == 1.0  # flat is nearer to a rise than a fall is


def test_a_value_that_stays_lies_in_an_interval_without_width():
    truth = np.full((20, 1, 1), 1234.5678)
    forecast = np.repeat(np.float32(truth)[..., None], 3, axis=3).astype(float)  # as float32 rounds it
    one = Units(("a",), *(getattr(UNITS, name)[:1] for name in ("center", "scale", "deviation", "step")))
    metrics = quantile_metrics(forecast, None, truth, truth[:, 0], one, LEVELS)
    assert (forecast != truth).all() and metrics["coverage"] == 1.0 and metrics["width"] == 0.0
