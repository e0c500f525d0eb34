"""Quantiles: what the loss is, that they never cross, and that residuals put them where they belong."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.metrics import mean_pinball_loss

import zoo
from zoo.errors import InputError
from zoo.layers.quantiles import Quantiles, ranks

LEVELS = (0.1, 0.5, 0.9)
LITTLE = zoo.FitConfig(max_epochs=3, device="cpu")


def prepared(frame, **settings):
    how = {"targets": ["close"], "lookback": 7, "split": (0.6, 0.2, 0.2), "quantiles": LEVELS, **settings}
    return zoo.prepare(zoo.load(frame), **how)


def fitted(name, data, config=LITTLE, **params):
    model = zoo.create(name, data.problem, **params)
    zoo.fit(model, data.train, data.valid, config)
    return model


def walk(rows, seed, deviation=1.0):
    """A random walk with a normal step of that deviation."""
    steps = np.random.default_rng(seed).normal(size=rows) * deviation
    return pd.DataFrame({"close": 100 + steps.cumsum()})


@pytest.fixture
def quantile_data(prices):
    return prepared(prices, targets=["close", "high"], horizon=3)


@pytest.mark.parametrize("name", zoo.list_models())
def test_every_variant_trains_on_quantiles_that_never_cross(quantile_data, name):
    model = fitted(name, quantile_data, replace(LITTLE, max_epochs=1))
    forecast = zoo.forecast(model, quantile_data.test)
    assert forecast.shape == (len(quantile_data.test), 3, 2, 3)
    assert (np.diff(forecast, axis=3) >= 0).all()
    assert (np.diff(forecast, axis=3) > 0).mean() > 0.9


def test_the_loss_is_the_pinball_loss_of_scikit_learn(quantile_data):
    model = zoo.create("lstm", quantile_data.problem)
    random = torch.Generator().manual_seed(0)
    forecast = torch.randn(20, 3, 2, 3, generator=random, dtype=torch.float64)
    actual = torch.randn(20, 3, 2, generator=random, dtype=torch.float64)
    expected = np.mean(
        [
            mean_pinball_loss(actual.flatten(), forecast[..., place].flatten(), alpha=level)
            for place, level in enumerate(LEVELS)
        ]
    )
    assert float(model.double().loss(forecast, actual)) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "expected"), [(9, [0, 4, 8]), (99, [9, 49, 89]), (100, [9, 50, 90]), (4, [0, 2, 3])])
def test_ranks_are_rounded_away_from_the_median(count, expected):
    assert ranks(LEVELS, count) == expected


def test_residual_quantiles_of_naive_on_a_random_walk_are_those_of_its_steps():
    data = prepared(walk(20_000, 0, deviation=2.0))
    model = fitted("naive", data)
    widths = np.diff(zoo.forecast(model, data.test), axis=3).mean(axis=(0, 1, 2))
    expected = 2.0 * stats.norm.ppf(0.9)
    assert widths == pytest.approx([expected, expected], rel=0.05)
    assert zoo.evaluate(model, data.test)["coverage"] == pytest.approx(0.8, abs=0.03)
    assert float(model.share) == 0.0  # every window is as restless as any other, so their steps tell nothing


def test_residuals_widen_where_the_window_was_restless():
    random = np.random.default_rng(0)
    calm = np.repeat(random.choice([0.3, 3.0], size=200), 50)
    data = prepared(pd.DataFrame({"close": 100 + (calm * random.normal(size=10_000)).cumsum()}))
    model = fitted("naive", data)
    forecast = zoo.forecast(model, data.test)
    widths = (forecast[..., -1] - forecast[..., 0]).ravel()
    restless = calm[data.test.target_rows() - 4] > 1
    assert widths[restless].mean() > 3 * widths[~restless].mean()
    steady = fitted("naive", data)
    steady.share.zero_()
    assert zoo.evaluate(model, data.test)["crps"] < 0.95 * zoo.evaluate(steady, data.test)["crps"]


@pytest.mark.parametrize("name", ["naive", "ridge", "hybrid-lstm", "lstm"])
def test_calibration_puts_the_share_of_its_windows_below_each_quantile(prices, name):
    data = prepared(prices, conformal=True, horizon=2)
    model = fitted(name, data)
    below = (data.valid.truth()[..., None] <= zoo.forecast(model, data.valid) + 1e-5).mean(axis=0)  # [T, D, Q]
    assert np.abs(below - LEVELS).max() <= 2.5 / len(data.valid)


def test_calibration_sees_validation_alone(prices):
    later = prices.copy()
    later.loc[later.index[240:], ["open", "high", "low", "close"]] *= 3
    models = [fitted("lstm", prepared(frame, conformal=True)) for frame in (prices, later)]
    assert all(torch.equal(a, b) for a, b in zip(*(model.state_dict().values() for model in models), strict=True))


def test_a_trained_variant_learns_quantiles_that_depend_on_its_input():
    """The deviation of the next step is in a channel, which residuals of naive do not know."""
    random = np.random.default_rng(0)
    deviation = random.choice([0.2, 2.0], size=6000)
    close = np.zeros(6000)
    close[1:] = (deviation[:-1] * random.normal(size=5999)).cumsum()
    data = prepared(pd.DataFrame({"close": close, "deviation": deviation}), normalise="last")
    config = zoo.FitConfig(max_epochs=15, learning_rate=3e-3, device="cpu")
    model, naive = fitted("lstm", data, config, hidden_size=16), fitted("naive", data)
    scores = zoo.evaluate(model, data.test, naive=naive)
    assert scores["coverage"] == pytest.approx(0.8, abs=0.05)
    best = np.mean([mean_pinball_loss(*_normal(deviation, level)) for level in LEVELS]) * 2
    assert scores["crps"] < 1.1 * best
    assert scores["skill"] > 0.1


def _normal(deviation, level):
    """Draws of a normal with such deviations, and their true quantile."""
    draws = np.random.default_rng(1).normal(size=(200, len(deviation))) * deviation
    return draws.ravel(), np.broadcast_to(deviation * stats.norm.ppf(level), draws.shape).ravel()


def test_of_40_random_walks_naive_is_beaten_on_at_most_two():
    from zoo.metrics import pinball
    from zoo.stats.intervals import skill_interval, table_level

    beaten = 0
    for seed in range(40):
        data = prepared(walk(900, seed))
        model, naive = fitted("linear", data, replace(LITTLE, max_epochs=20)), fitted("naive", data)
        losses = [pinball(zoo.forecast(each, data.test), data.test.truth(), LEVELS).ravel() for each in (model, naive)]
        interval = skill_interval(losses[0][None], losses[1], horizon=1, level=table_level(1), is_squared=False)
        beaten += interval is not None and interval[0] > 0
    assert beaten <= 2


def test_a_saved_model_of_quantiles_forecasts_as_before(tmp_path, prices):
    data = prepared(prices, targets=["close", "high"], horizon=2, conformal=True)
    model = fitted("gru", data)
    zoo.save(model, tmp_path / "model", data, variant="gru")
    loaded = zoo.load_model(tmp_path / "model")
    assert isinstance(loaded.model, Quantiles)
    np.testing.assert_array_equal(zoo.forecast(model, data.test), zoo.forecast(loaded.model, data.test))
    frame = zoo.forecast_next(loaded, zoo.load(prices))
    expected = ["close_q10", "close", "close_q90", "high_q10", "high", "high_q90"]
    assert list(frame.columns) == ["step", "time", *expected]
    assert (frame["close_q10"] < frame["close"]).all() and (frame["close"] < frame["close_q90"]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quantiles": (0.1, 0.9)}, "quantiles must contain 0.5"),
        ({"quantiles": (0.5,)}, "levels below and above it"),
        ({"quantiles": (0.1, 0.5, 1.5)}, "quantiles must lie between 0 and 1"),
        ({"quantiles": (0.1, 0.1, 0.5, 0.9)}, "quantiles must differ"),
        ({"quantiles": (), "conformal": True}, "conformal calibrates quantiles"),
        ({"conformal": True, "split": (0.8, 0, 0.2)}, "the split leaves it empty"),
    ],
)
def test_levels_that_make_no_sense_are_refused(prices, settings, message):
    with pytest.raises(InputError, match=message):
        prepared(prices, **settings)


def test_another_loss_is_refused_rather_than_ignored(quantile_data):
    model = zoo.create("linear", quantile_data.problem)
    with pytest.raises(
        InputError, match="fit.loss must be left out: the task quantile is learned by the pinball loss, got mse"
    ):
        zoo.fit(model, quantile_data.train, quantile_data.valid, zoo.FitConfig(loss="mse"))


def test_a_variant_with_one_map_for_all_targets_gets_its_quantiles_from_residuals(quantile_data):
    model = zoo.create("dlinear", quantile_data.problem)
    assert model.is_trainable and not model.is_trained
    before = [parameter.clone() for parameter in model.parameters()]
    zoo.fit(model, quantile_data.train, None, LITTLE)
    assert not all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert (model.offsets_TDQ[..., 0] < 0).all() and (model.offsets_TDQ[..., 2] > 0).all()
