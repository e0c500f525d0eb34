"""The scaler log: logarithms inside, the data's own units outside."""

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from zoo.errors import InputError

HOW = {"targets": ["close"], "lookback": 7, "horizon": 2, "scaler": "log"}
LITTLE = zoo.FitConfig(max_epochs=3, device="cpu")


def fitted(data, name="lstm"):
    model = zoo.create(name, data.problem)
    zoo.fit(model, data.train, data.valid, LITTLE)
    return model


def test_windows_hold_standardised_logarithms_and_forecasts_come_back(prices):
    data = zoo.prepare(zoo.load(prices), **HOW)
    logs = np.log(prices[list(data.channels)].to_numpy())
    train = logs[: data.split.train_end]
    x, y = data.test.gather(torch.arange(3))
    row = data.test.target_rows()[0]
    expected = (logs[row - 7 : row] - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(x[0], expected, atol=1e-4)
    np.testing.assert_allclose(data.test.units.restore(y.numpy()), data.test.truth()[:3], rtol=1e-5)
    naive = zoo.evaluate(fitted(data, "naive"), data.test)
    assert naive["skill"] == pytest.approx(0, abs=1e-5)


def test_forecasts_are_positive_and_grow_with_the_level(prices):
    """A currency that is worth a thousandth makes all values a thousand times as large, and nothing else."""
    larger = prices.assign(**{name: 1000 * prices[name] for name in ("open", "high", "low", "close")})
    one, other = (zoo.prepare(zoo.load(frame), **HOW) for frame in (prices, larger))
    forecasts = [zoo.forecast(fitted(data), data.test) for data in (one, other)]
    assert (forecasts[0] > 0).all()
    np.testing.assert_allclose(forecasts[1], 1000 * forecasts[0], rtol=2e-3)


@pytest.mark.parametrize("task", [{}, {"quantiles": (0.1, 0.5, 0.9)}, {"direction": True}])
def test_a_saved_model_forecasts_the_same(prices, tmp_path, task):
    data = zoo.prepare(zoo.load(prices), **HOW, **task, split=(200, 60, 40))
    model = fitted(data)
    zoo.save(model, tmp_path / "model", data, variant="lstm")
    last = int(data.test.target_rows()[-1])
    frame = zoo.forecast_next(zoo.load_model(tmp_path / "model"), zoo.load(prices[:last]))
    expected = zoo.forecast(model, data.test)[-1].reshape(2, -1)
    np.testing.assert_allclose(frame.filter(like="close").to_numpy(), expected, rtol=1e-5)


def test_series_of_different_size_are_restored_by_their_own_scaler(prices):
    both = pd.concat([prices.assign(symbol="a"), prices.assign(symbol="b", close=50 * prices["close"])])
    data = zoo.prepare(zoo.load(both, series="symbol"), **HOW)
    y = next(data.test.batches(10_000))[1]
    np.testing.assert_allclose(data.test.units.restore(y.numpy()), data.test.truth(), rtol=1e-5)


def test_a_value_that_has_no_logarithm_is_refused(prices):
    with pytest.raises(
        InputError, match="the scaler log needs values above 0, and 'volume' of DataFrame holds 0: choose"
    ):
        zoo.prepare(zoo.load(prices.assign(volume=prices["volume"].where(prices.index > 5, 0))), **HOW)


def test_log1p_takes_counts_with_zeros_and_gives_them_back(tmp_path):
    random = np.random.default_rng(0)
    counts = random.poisson(np.exp(1 + np.sin(np.arange(400) / 4)))
    table = zoo.load(pd.DataFrame({"close": counts.astype(float)}))
    data = zoo.prepare(table, **{**HOW, "scaler": "log1p"})
    train = np.log1p(counts[: data.split.train_end])
    x, y = data.test.gather(torch.arange(3))
    row = data.test.target_rows()[0]
    np.testing.assert_allclose(x[0, :, 0], (np.log1p(counts[row - 7 : row]) - train.mean()) / train.std(), atol=1e-5)
    np.testing.assert_allclose(data.test.units.restore(y.numpy()), data.test.truth()[:3], atol=1e-4)
    assert (counts == 0).any() and zoo.evaluate(fitted(data, "naive"), data.test)["skill"] == pytest.approx(0, abs=1e-5)
    model = fitted(data)
    zoo.save(model, tmp_path / "model", data, variant="lstm")
    frame = zoo.forecast_next(
        zoo.load_model(tmp_path / "model"), zoo.load(pd.DataFrame({"close": counts[:-2].astype(float)}))
    )
    np.testing.assert_allclose(frame["close"], zoo.forecast(model, data.test)[-1, :, 0], rtol=1e-5)
    assert (frame["close"] > -1).all()


@pytest.mark.parametrize(
    ("scaler", "least", "rule"),
    [
        ("log", 0, "the scaler log needs values above 0, and 'close' of .* holds 0: choose log1p, which takes 0"),
        ("log", -1, "the scaler log needs values above 0, and 'close' of .* holds -1: choose another scaler"),
        ("log1p", -1, "the scaler log1p needs values 0 or more, and 'close' of .* holds -1: choose another scaler"),
    ],
)
def test_a_logarithm_that_there_is_not_is_named_with_the_way_out(prices, scaler, least, rule):
    with pytest.raises(InputError, match=rule):
        zoo.prepare(prices.assign(close=prices["close"].where(prices.index != 3, least)), **{**HOW, "scaler": scaler})
