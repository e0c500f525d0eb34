"""Calendar: what is known of the steps to forecast reaches the model, at the right step and unchanged."""

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from zoo.errors import InputError

HOW = {"targets": ["close"], "lookback": 5, "horizon": 3}


def weekday_of(channels):
    """Weekdays 0 to 6 from their sine and cosine [..., 2]."""
    angle = np.arctan2(channels[..., 0], channels[..., 1])
    return np.round(angle / (2 * np.pi) * 7) % 7


@pytest.mark.parametrize("normalise", ["last", "none", "instance"])
def test_the_last_rows_of_a_window_hold_the_weekdays_of_the_steps_to_forecast(prices, normalise):
    data = zoo.prepare(zoo.load(prices), **HOW, calendar=["weekday"], normalise=normalise)
    assert data.problem.channels == 7 and data.problem.plain == (5, 6)
    x, _ = data.test.gather(torch.arange(len(data.test)))
    rows = data.test.target_rows()[:, None] + np.arange(3)
    np.testing.assert_array_equal(
        weekday_of(x[:, -3:, 5:].numpy()), pd.DatetimeIndex(prices["date"]).day_of_week.to_numpy()[rows]
    )
    model = zoo.create("lstm", data.problem)
    inner = next(model.inside(data.test, 1000))[0]
    torch.testing.assert_close(inner[..., 5:], x[..., 5:])  # no level is taken from them
    assert normalise == "none" or not torch.allclose(inner[..., :5], x[..., :5])


def test_holidays_of_a_country_are_marked_on_their_day():
    pytest.importorskip("holidays")
    frame = pd.DataFrame({"date": pd.date_range("2019-01-01", periods=800), "value": range(800)})
    data = zoo.prepare(zoo.load(frame), targets=["value"], lookback=5, horizon=3, calendar=["holiday:DE"])
    x, _ = data.test.gather(torch.arange(len(data.test)))
    rows = data.test.target_rows()[:, None] + np.arange(3)
    days = {(day.month, day.day) for day in pd.DatetimeIndex(frame["date"].to_numpy()[rows[x[:, -3:, 1].numpy() == 1]])}
    assert {(12, 25), (12, 26), (10, 3), (1, 1)} <= days and (12, 24) not in days
    assert set(np.unique(x[..., 1])) == {0, 1}


def test_a_calendar_tells_what_a_short_lookback_does_not():
    """The level depends on the weekday alone, and two days back do not tell which weekday comes next for certain."""
    random = np.random.default_rng(0)
    dates = pd.date_range("2015-01-01", periods=1500)
    level = np.array([0.0, 3.0, 0.0, 3.0, 3.0, 0.0, 0.0])[dates.day_of_week]
    frame = pd.DataFrame({"date": dates, "value": level + 0.1 * random.normal(size=1500)})
    skills = {}
    for calendar in ([], ["weekday"]):
        how = {"targets": ["value"], "lookback": 2, "normalise": "none", "calendar": calendar}
        data = zoo.prepare(zoo.load(frame), **how)
        model = zoo.create("lstm", data.problem)
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=40, device="cpu"))
        skills[len(calendar)] = zoo.evaluate(model, data.test)["rmse"]
    assert skills[1] < 0.2 < 0.5 < skills[0]


@pytest.mark.parametrize("name", {zoo.variant(name).family: name for name in zoo.list_models()}.values())
def test_a_variant_of_each_family_works_with_a_calendar(prices, name):
    data = zoo.prepare(zoo.load(prices), **HOW, calendar=["weekday", "month"])
    model = zoo.create(name, data.problem)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=1, device="cpu"))
    assert zoo.forecast(model, data.test).shape == (len(data.test), 3, 1)


def test_values_after_a_window_do_not_reach_it_through_the_calendar(prices):
    later = prices.copy()
    later.loc[later.index[240:], "close"] *= 2
    windows = [zoo.prepare(zoo.load(frame), **HOW, calendar=["weekday"]).train for frame in (prices, later)]
    x, other = (each.gather(torch.arange(len(each)))[0] for each in windows)
    assert torch.equal(x, other)


def test_a_saved_model_forecasts_with_the_calendar_of_the_days_to_come(tmp_path, prices):
    data = zoo.prepare(zoo.load(prices), **HOW, calendar=["weekday"], split=(0.8, 0.2, 0))
    model = zoo.create("linear", data.problem)
    seen = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=1, device="cpu"))
    zoo.save(model, tmp_path / "model", data, variant="linear")
    loaded = zoo.load_model(tmp_path / "model")
    loaded.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    frame = zoo.forecast_next(loaded, zoo.load(prices))
    expected = pd.DatetimeIndex(frame["time"]).day_of_week.to_numpy()
    np.testing.assert_array_equal(weekday_of(seen[-1][0, -3:, 5:].numpy()), expected)
    assert list(expected) == [2, 3, 4]  # the prices end on a Tuesday


def test_what_makes_no_calendar_is_refused(prices):
    table = zoo.load(prices)
    for settings, message in (
        ({"calendar": ["weekdays"]}, "did you mean 'weekday'"),
        ({"calendar": ["holiday:QQ"]}, "names no country that the package holidays knows"),
        ({"calendar": ["weekday", "weekday"]}, "calendar names a period twice"),
        ({"calendar": ["hour"]}, "calendar hour is the same in every row"),
        ({"calendar": ["weekday"], "lookback": 2}, "with a calendar .* lookback must be >= horizon, got 2 and 3"),
    ):
        with pytest.raises(InputError, match=message):
            zoo.prepare(table, **{**HOW, **settings})
    with pytest.raises(InputError, match="a calendar needs times, and DataFrame has no time column"):
        zoo.prepare(zoo.load(prices.drop(columns="date")), **HOW, calendar=["weekday"])
