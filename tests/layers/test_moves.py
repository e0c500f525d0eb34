"""Moves: probabilities that a target falls, stays flat or rises, learned or derived from a forecast of values."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

import zoo
from zoo.data.moves import flat_of
from zoo.data.origins import origins
from zoo.errors import InputError
from zoo.layers.moves import Moves
from zoo.metrics import move_losses
from zoo.stats.intervals import skill_interval, table_level

LITTLE = zoo.FitConfig(max_epochs=3, device="cpu")
MOVES = (-1, 0, 1)


def prepared(frame, flat="1%", **settings):
    how = {"targets": ["close"], "lookback": 7, "split": (0.6, 0.2, 0.2), "direction": flat, **settings}
    return zoo.prepare(zoo.load(frame), **how)


def fitted(name, data, config=LITTLE, **params):
    model = zoo.create(name, data.problem, **params)
    zoo.fit(model, data.train, data.valid, config)
    return model


def shares(part):
    return np.stack([(part.truth() == move).mean(axis=0) for move in MOVES], axis=-1)


@pytest.mark.parametrize("scaler", ["standard", "log", "minmax", "none"])
@pytest.mark.parametrize(("flat", "size", "share"), [("2", 2.0, 0.0), ("1.5%", 0.0, 0.015)])
def test_a_move_is_a_change_beyond_the_band_around_the_last_value(prices, flat, size, share, scaler):
    data = prepared(prices, flat, targets=["close", "high"], horizon=3, scaler=scaler)
    values = prices[["close", "high"]].to_numpy()
    for part in (data.train, data.valid, data.test):
        x, y = part.gather(torch.arange(len(part)))
        for window, row in enumerate(part.target_rows()):
            last, later = values[row - 1], values[row : row + 3]
            band = size + share * np.abs(last)
            expected = np.where(later > last + band, 1, np.where(later < last - band, -1, 0))
            np.testing.assert_array_equal(part.truth()[window], expected)
            np.testing.assert_array_equal(y[window], expected)
        np.testing.assert_array_equal(part.scaled_truth(), y)
        assert x.shape[1:] == (7, 5) and set(y.unique().tolist()) == set(MOVES)


def test_a_change_of_just_the_size_is_flat():
    values = np.tile([10.0, 12.0, 14.0, 11.0, 11.5], 60)
    data = prepared(pd.DataFrame({"close": values}), "2", scaler="none")
    changes = np.diff(values)[data.test.target_rows() - 1]
    np.testing.assert_array_equal(data.test.truth().ravel(), np.sign(changes) * (np.abs(changes) > 2))
    np.testing.assert_array_equal(data.test.scaled_truth().ravel(), data.test.truth().ravel())


def test_nothing_falls_below_zero_by_a_logarithm(prices):
    limits = flat_of("150%").limits(np.array([100.0]))
    np.testing.assert_array_equal(np.concatenate(limits), [-50.0, 250.0])
    units = prepared(prices, scaler="log").test.units
    low, high = flat_of("150%").scaled_limits(np.array([[100.0]]), units)[0, 0]
    assert low == -np.inf and high == pytest.approx(((np.log(250.0) - units.center) / units.scale)[0], rel=1e-5)


@pytest.mark.parametrize("name", zoo.list_models())
def test_every_variant_gives_probabilities(prices, name):
    data = prepared(prices, targets=["close", "high"], horizon=3)
    try:
        chances = zoo.forecast(fitted(name, data, zoo.FitConfig(max_epochs=1, device="cpu")), data.test)
    except zoo.errors.Unsuitable:
        assert zoo.variant(name).is_classifier
        return
    assert chances.shape == (len(data.test), 3, 2, 3)
    assert (chances > 0).all()
    np.testing.assert_allclose(chances.sum(axis=-1), 1, rtol=1e-6)


def test_naive_forecasts_the_usual_shares_of_train_and_validation(prices):
    data = prepared(prices, horizon=2)
    chances = zoo.forecast(fitted("naive", data), data.test)
    counts = 100 * shares(data.train) + len(data.valid) * shares(data.valid)  # as if train had 100 windows
    expected = counts / counts.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(chances, np.broadcast_to(expected, chances.shape), rtol=1e-4)
    alone = prepared(prices, horizon=2, split=(0.8, 0, 0.2))
    chances = zoo.forecast(fitted("naive", alone), alone.test)
    np.testing.assert_allclose(chances, np.broadcast_to(shares(alone.train), chances.shape), rtol=1e-4)


def test_the_slope_is_that_of_a_logistic_regression(prices):
    """With as few flat values as can be, it is the slope of rises against falls on ridge's forecast of the change."""
    data = prepared(prices, "0.0001%", split=(0.5, 0.3, 0.2))
    model = fitted("ridge", data)
    pairs = list(data.valid.batches(1000))
    with torch.no_grad():
        change = torch.cat([(model.model(x) - x[:, -1:, [3]]).flatten() for x, _ in pairs]).numpy()
    is_up = torch.cat([y.flatten() for _, y in pairs]).numpy() == 1
    unit = np.sqrt((change**2).mean())
    slopes = np.linspace(0, 5, 5001)
    usual = model.usual_TDK[0, 0].numpy()
    odds = usual[2] - usual[0] + 2 * slopes[:, None] * change / unit  # log-odds of a rise against a fall
    likelihood = np.where(is_up, -np.logaddexp(0, -odds), -np.logaddexp(0, odds)).sum(axis=1) - slopes**2 / 2
    assert model.slope_TD.item() * unit == pytest.approx(slopes[likelihood.argmax()], abs=5e-3)
    free = LogisticRegression(C=4.0, fit_intercept=False).fit((2 * change / unit)[:, None], is_up).coef_[0, 0]
    assert model.slope_TD.item() * unit == pytest.approx(free, rel=0.2) and free > 0


def test_a_forecast_that_tells_nothing_gets_no_slope():
    steps = np.random.default_rng(0).normal(size=4000)
    data = prepared(pd.DataFrame({"close": 100 + steps.cumsum()}), "0.5")
    for name in ("drift", "last-sign"):
        model = fitted(name, data)
        assert model.slope_TD.item() >= 0
        chances = zoo.forecast(model, data.test)
        assert np.abs(chances - chances.mean(axis=0)).max() < 0.05


def test_a_trained_variant_learns_both_scores_by_cross_entropy(prices):
    data = prepared(prices)
    model = zoo.create("lstm", data.problem)
    assert model.has_both and not zoo.create("nlinear", data.problem).has_both  # one map for all targets
    odds, moves = torch.randn(5, 1, 1, 3), torch.tensor([-1.0, 0, 1, 1, -1])[:, None, None]
    expected = functional.cross_entropy(odds.flatten(0, 2), (moves.flatten() + 1).long(), label_smoothing=0.1)
    assert model.loss(odds, moves, smoothing=0.1) == pytest.approx(float(expected), rel=1e-6)
    model.begin(data.train)
    weights = 1 / (3 * torch.from_numpy(shares(data.train))[0, 0]).float()
    parts = functional.cross_entropy(odds.flatten(0, 2), (moves.flatten() + 1).long(), weights, reduction="none")
    assert model.loss(odds, moves, is_balanced=True) == pytest.approx(float(parts.mean()), rel=1e-5)
    history = zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=30, device="cpu"))
    assert history.epochs[-1].valid_loss < history.initial_valid_loss  # that of the usual shares
    scores = zoo.evaluate(model, data.test, naive=fitted("naive", data))
    assert scores["skill"] > 0.1 and scores["balanced_accuracy"] > 0.45  # the wave can be learned


def test_how_restless_a_series_is_can_be_learned():
    """Steps have no direction, but their size comes in calm and in wild stretches: only flat can be told."""
    random = np.random.default_rng(0)
    size = np.where(np.arange(6000) // 60 % 2, 2.0, 0.4)
    data = prepared(pd.DataFrame({"close": 1000 + (size * random.normal(size=6000)).cumsum()}), "1")
    naive = fitted("naive", data)
    skills = {}
    for name in ("lstm", "ridge"):
        model = fitted(name, data, zoo.FitConfig(max_epochs=20, learning_rate=3e-3, device="cpu"))
        skills[name] = zoo.evaluate(model, data.test, naive=naive)["skill"]
    assert skills["lstm"] > 0.1 and abs(skills["ridge"]) < 0.02


def test_of_40_random_walks_naive_is_beaten_on_at_most_two():
    beaten = 0
    for seed in range(40):
        steps = np.random.default_rng(seed).normal(size=900)
        data = prepared(pd.DataFrame({"close": 100 + steps.cumsum()}), "0.5")
        model, naive = fitted("linear", data, zoo.FitConfig(max_epochs=10, device="cpu")), fitted("naive", data)
        truth = data.test.truth()
        losses = [move_losses(zoo.forecast(each, data.test), truth).ravel() for each in (model, naive)]
        interval = skill_interval(losses[0][None], losses[1], horizon=1, level=table_level(1), is_squared=False)
        beaten += interval is not None and interval[0] > 0
    assert beaten <= 2


def test_the_scores_of_known_chances_are_reached():
    """A column tells whether the next step is a fall, flat or a rise with probability 0.8, 0.1 and 0.1."""
    random = np.random.default_rng(0)
    kind = random.choice(MOVES, size=6000)
    is_told = random.random(6000) < 0.8
    other = np.where(random.random(6000) < 0.5, (kind + 2) % 3 - 1, (kind + 3) % 3 - 1)
    steps = np.zeros(6000)
    steps[1:] = (np.where(is_told, kind, other) * random.uniform(1, 2, size=6000))[:-1]
    frame = pd.DataFrame({"close": 100 + steps.cumsum(), "kind": kind.astype(float)})
    data = prepared(frame, "0.5", normalise="none")
    config = zoo.FitConfig(max_epochs=20, learning_rate=3e-3, device="cpu")
    scores = zoo.evaluate(fitted("lstm", data, config, hidden_size=16), data.test)
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.1))
    assert scores["accuracy"] == pytest.approx(0.8, abs=0.03)
    assert entropy - 0.05 < scores["log_loss"] < entropy + 0.05


def test_training_sees_no_test_row(prices):
    later = prices.copy()
    later.loc[later.index[240:], "close"] = later["close"].iloc[240:][::-1].to_numpy()
    for name in ("ridge", "lstm"):
        one, other = (fitted(name, prepared(frame)).state_dict().values() for frame in (prices, later))
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_saved_model_of_moves_forecasts_as_before(tmp_path, prices):
    data = prepared(prices, horizon=2)
    for name in ("ridge", "lstm"):
        model = fitted(name, data)
        zoo.save(model, tmp_path / name, data, variant=name)
        loaded = zoo.load_model(tmp_path / name)
        assert isinstance(loaded.model, Moves) and loaded.model.problem.flat == "1%"
        np.testing.assert_array_equal(zoo.forecast(model, data.test), zoo.forecast(loaded.model, data.test))
        frame = zoo.forecast_next(loaded, zoo.load(prices))
        assert list(frame.columns) == ["step", "time", "close_down", "close_flat", "close_up"]
        assert frame[["close_down", "close_flat", "close_up"]].sum(axis=1).to_numpy() == pytest.approx(1)


def test_earlier_origins_and_a_part_without_test_have_the_same_moves(prices):
    data = prepared(prices)
    without = data.without_test()
    np.testing.assert_array_equal(without.valid.scaled_truth(), data.valid.scaled_truth())
    assert len(without.train.limits) == len(without.train.values)  # of later rows nothing is left
    for part in origins(without, 2)[1:]:
        np.testing.assert_array_equal(part.valid.scaled_truth().numpy(), part.valid.truth())
    longer = data.with_lookback(12)
    np.testing.assert_array_equal(longer.test.scaled_truth(), data.test.scaled_truth())


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ({"flat": ""}, "flat must be a size above 0"),
        ({"flat": "x"}, "flat must be a size above 0, such as 0.5% of the last value, or 2 in its units, got 'x'"),
        ({"flat": "0"}, "flat must be a size above 0"),
        ({"flat": "-1%"}, "flat must be a size above 0"),
        ({"flat": "inf"}, "flat must be a size above 0"),
        ({"flat": 0.5}, "direction must be True, False, or a size of flat such as '0.5%'"),
        ({"flat": "99%"}, "target 'close' always counts as 'flat' in the training windows by this size of flat"),
        ({"quantiles": (0.1, 0.5, 0.9)}, "quantiles or directions, not both"),
    ],
)
def test_what_makes_no_sense_is_refused(prices, how, rule):
    with pytest.raises(InputError, match=rule):
        prepared(prices, **how)
