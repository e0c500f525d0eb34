"""Nothing that lies after a window's last lookback row, or outside the train part, reaches where it must not."""

import numpy as np
import pytest
import torch

import zoo

TRAINABLE = [name for name in zoo.list_models() if name != "naive"]
SETTINGS = {"targets": ["close"], "lookback": 10, "horizon": 3, "split": (200, 40, 60)}


def prepared(frame, **settings):
    return zoo.prepare(zoo.load(frame), **{**SETTINGS, **settings})


def changed(frame, first, end=None):
    """The frame with every price in rows [first, end) turned into something else."""
    other = frame.copy()
    numbers = other.columns.drop("date")
    noise = np.random.default_rng(1).uniform(2, 3, size=(len(other), len(numbers)))
    rows = slice(first, end)
    other[numbers] = other[numbers].astype(float)
    other.loc[other.index[rows], numbers] *= noise[rows]
    return other


@pytest.mark.parametrize(
    ("normalise", "channels"),
    [("last", None), ("none", None), ("instance", None), ("last", ["volume", "close", "open"])],
)
@pytest.mark.parametrize("name", zoo.list_models())
def test_forecast_ignores_everything_after_the_last_lookback_row(name, normalise, channels, prices):
    data = prepared(prices, normalise=normalise, channels=channels)
    model = zoo.create(name, data.problem, seed=1)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=2), seed=1)
    before = zoo.forecast(model, data.test)
    for window in (0, 17):
        cut = int(data.test.target_rows()[window])
        after = zoo.forecast(model, prepared(changed(prices, cut), normalise=normalise, channels=channels).test)
        np.testing.assert_array_equal(after[: window + 1], before[: window + 1])
        assert not np.array_equal(after[window + 7], before[window + 7])


@pytest.mark.parametrize("name", TRAINABLE)
def test_fitted_model_ignores_test_rows(name, prices):
    weights = []
    for frame in (prices, changed(prices, 240)):
        data = prepared(frame)
        model = zoo.create(name, data.problem, seed=1)
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=2), seed=1)
        weights.append(model.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust"])
def test_scaler_and_units_ignore_validation_and_test_rows(scaler, prices):
    before = prepared(prices, scaler=scaler)
    after = prepared(changed(prices, 200), scaler=scaler)
    np.testing.assert_array_equal(before.scaler.center, after.scaler.center)
    np.testing.assert_array_equal(before.scaler.scale, after.scaler.scale)
    np.testing.assert_array_equal(before.train.units.deviation, after.train.units.deviation)
    elsewhere = prepared(changed(prices, 100), scaler=scaler)
    assert not np.array_equal(before.scaler.scale, elsewhere.scaler.scale)
