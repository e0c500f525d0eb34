"""Direction: probabilities that a target rises, learned or derived from a forecast of values."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

import zoo
from zoo.errors import InputError
from zoo.layers.direction import Direction

LITTLE = zoo.FitConfig(max_epochs=3, device="cpu")


def prepared(frame, **settings):
    how = {"targets": ["close"], "lookback": 7, "split": (0.6, 0.2, 0.2), "direction": True, **settings}
    return zoo.prepare(zoo.load(frame), **how)


def fitted(name, data, config=LITTLE, **params):
    model = zoo.create(name, data.problem, **params)
    zoo.fit(model, data.train, data.valid, config)
    return model


@pytest.mark.parametrize("name", zoo.list_models())
def test_every_variant_gives_probabilities(prices, name):
    data = prepared(prices, targets=["close", "high"], horizon=3)
    chances = zoo.forecast(fitted(name, data, zoo.FitConfig(max_epochs=1, device="cpu")), data.test)
    assert chances.shape == (len(data.test), 3, 2)
    assert ((chances > 0) & (chances < 1)).all()


def test_what_is_to_forecast_is_whether_the_value_lies_above_the_last_one(prices):
    data = prepared(prices, horizon=2)
    close = prices["close"].to_numpy()
    rows = data.test.target_rows()
    expected = np.stack([close[rows + step] > close[rows - 1] for step in range(2)], axis=1)[..., None]
    np.testing.assert_array_equal(data.test.truth(), expected.astype(float))
    np.testing.assert_array_equal(data.test.scaled_truth().numpy(), expected.astype("float32"))
    batches = torch.cat([y for _, y in data.test.batches(16)])
    np.testing.assert_array_equal(batches.numpy(), expected.astype("float32"))


def test_a_value_that_stays_did_not_rise():
    close = np.repeat(np.random.default_rng(0).normal(size=150), 2)  # every second step is none
    data = prepared(pd.DataFrame({"close": close}))
    expected = close[data.test.target_rows()] > close[data.test.target_rows() - 1]
    assert 0 < expected.mean() < 0.5
    batches = torch.cat([y for _, y in data.test.batches(16)])
    for labels in (data.test.truth(), data.test.scaled_truth().numpy(), batches.numpy()):
        np.testing.assert_array_equal(labels.ravel(), expected)


def test_naive_forecasts_the_usual_share_of_rises(prices):
    data = prepared(prices, horizon=2)
    chances = zoo.forecast(fitted("naive", data), data.test)
    assert np.ptp(chances, axis=0).max() == 0
    before, after = data.train.truth().mean(axis=0), data.valid.truth().mean(axis=0)
    assert ((chances[0] - before) * (chances[0] - after) <= 0).all()  # between the two
    alone = prepared(prices, horizon=2, split=(0.8, 0, 0.2))
    chances = zoo.forecast(fitted("naive", alone), alone.test)
    np.testing.assert_allclose(chances, np.broadcast_to(alone.train.truth().mean(axis=0), chances.shape), rtol=1e-5)


def test_nobody_gains_by_a_share_of_rises_that_has_changed():
    """Rises become half as frequent after the training part, and nothing else can be forecast."""
    random = np.random.default_rng(0)
    is_up = random.random(4000) < np.where(np.arange(4000) < 2400, 0.7, 0.35)
    data = prepared(pd.DataFrame({"close": 1000 + np.where(is_up, 1.0, -1.0).cumsum()}))
    naive = fitted("naive", data)
    for name in ("gru", "ridge"):
        scores = zoo.evaluate(fitted(name, data, zoo.FitConfig(max_epochs=10, device="cpu")), data.test, naive=naive)
        assert scores["skill"] < 0.01
        assert scores["brier"] < 0.25  # 0.2275 is the least


def test_the_slope_is_that_of_a_logistic_regression(prices):
    """On ridge's forecast of the change, in units of its root mean square, with the usual log-odds as an offset."""
    data = prepared(prices, split=(0.5, 0.3, 0.2))
    model = fitted("ridge", data)
    change, is_up = [], []
    with torch.no_grad():
        for x, y in data.valid.batches(1000):
            change.append((model.model(x) - x[:, -1:, [3]]).flatten())
            is_up.append(y.flatten())
    change, is_up = torch.cat(change).numpy(), torch.cat(is_up).numpy()
    unit = np.sqrt((change**2).mean())
    slopes = np.linspace(0, 5, 5001)
    odds = model.usual_TD.item() + slopes[:, None] * change / unit  # given the usual log-odds that it ended with
    likelihood = np.where(is_up == 1, -np.logaddexp(0, -odds), -np.logaddexp(0, odds)).sum(axis=1) - slopes**2 / 2
    assert model.slope_TD.item() * unit == pytest.approx(slopes[likelihood.argmax()], abs=2e-3)
    assert model.slope_TD.item() > 0
    free = LogisticRegression(C=1.0, fit_intercept=False).fit((change / unit)[:, None], is_up).coef_[0, 0]
    assert model.slope_TD.item() * unit == pytest.approx(free, rel=0.2)  # without the offset


def test_a_forecast_that_tells_nothing_gets_no_slope():
    steps = np.random.default_rng(0).normal(size=4000)
    data = prepared(pd.DataFrame({"close": 100 + steps.cumsum()}))
    chances = zoo.forecast(fitted("drift", data), data.test)
    assert np.abs(chances - chances.mean()).max() < 0.08


def test_a_trained_variant_learns_the_log_odds_by_cross_entropy(prices):
    data = prepared(prices)
    model = zoo.create("lstm", data.problem)
    odds, is_up = torch.randn(5, 1, 1), torch.ones(5, 1, 1)
    assert model.loss(odds, is_up) == functional.binary_cross_entropy_with_logits(odds, is_up)
    history = zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=30, device="cpu"))
    chances, naive = zoo.forecast(model, data.test), fitted("naive", data)
    assert history.epochs[-1].valid_loss < history.initial_valid_loss  # that of the usual share
    scores = zoo.evaluate(model, data.test, naive=naive)
    assert scores["brier"] == pytest.approx(((chances - data.test.truth()) ** 2).mean())
    assert scores["skill"] > 0.1 and scores["accuracy"] > 0.6  # the wave can be learned


def test_the_accuracy_of_a_known_chance_is_reached():
    """The next step has the sign of a column with probability 0.8: no forecast can have a Brier score below 0.16."""
    random = np.random.default_rng(0)
    sign = random.choice([-1.0, 1.0], size=6000)
    follows = np.where(random.random(6000) < 0.8, 1.0, -1.0)
    steps = np.zeros(6000)
    steps[1:] = (sign * follows * random.uniform(0.5, 1.5, size=6000))[:-1]
    data = prepared(pd.DataFrame({"close": 100 + steps.cumsum(), "sign": sign}), normalise="none", scaler="none")
    config = zoo.FitConfig(max_epochs=20, learning_rate=3e-3, device="cpu")
    scores = zoo.evaluate(fitted("lstm", data, config, hidden_size=16), data.test)
    assert 0.15 < scores["brier"] < 0.18 and scores["accuracy"] == pytest.approx(0.8, abs=0.03)


def test_of_40_random_walks_naive_is_beaten_on_at_most_two():
    from zoo.stats.intervals import skill_interval, table_level

    beaten = 0
    for seed in range(40):
        steps = np.random.default_rng(seed).normal(size=900)
        data = prepared(pd.DataFrame({"close": 100 + steps.cumsum()}))
        model, naive = fitted("linear", data, zoo.FitConfig(max_epochs=20, device="cpu")), fitted("naive", data)
        truth = data.test.truth()
        losses = [((zoo.forecast(each, data.test) - truth) ** 2).ravel() for each in (model, naive)]
        interval = skill_interval(losses[0][None], losses[1], horizon=1, level=table_level(1), is_squared=False)
        beaten += interval is not None and interval[0] > 0
    assert beaten <= 2


def test_a_saved_model_of_directions_forecasts_as_before(tmp_path, prices):
    data = prepared(prices, horizon=2)
    model = fitted("ridge", data)
    zoo.save(model, tmp_path / "model", data, variant="ridge")
    loaded = zoo.load_model(tmp_path / "model")
    assert isinstance(loaded.model, Direction)
    np.testing.assert_array_equal(zoo.forecast(model, data.test), zoo.forecast(loaded.model, data.test))
    frame = zoo.forecast_next(loaded, zoo.load(prices))
    assert list(frame.columns) == ["step", "time", "close_up"] and frame["close_up"].between(0, 1).all()


def test_training_sees_no_test_row(prices):
    later = prices.copy()
    later.loc[later.index[240:], "close"] = later["close"].iloc[240:][::-1].to_numpy()
    models = [fitted(name, prepared(frame)) for name in ("ridge", "lstm") for frame in (prices, later)]
    for one, other in (models[:2], models[2:]):
        assert all(
            torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        )


def test_what_makes_no_sense_is_refused(prices):
    with pytest.raises(InputError, match="quantiles or directions, not both"):
        prepared(prices, quantiles=(0.1, 0.5, 0.9))
    with pytest.raises(InputError, match="target 'close' always rises in the training windows"):
        prepared(pd.DataFrame({"close": np.arange(300.0)}))
    data = prepared(prices)
    with pytest.raises(InputError, match="the task direction is learned by cross-entropy, got mse"):
        zoo.fit(zoo.create("linear", data.problem), data.train, data.valid, zoo.FitConfig(loss="mse"))
