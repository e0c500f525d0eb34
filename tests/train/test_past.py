"""Forecasts from earlier origins are those that the model would have made then."""

import numpy as np
import pandas as pd
import pytest

import zoo
from tests.conftest import run_zoo_here


@pytest.fixture
def saved(prices, tmp_path):
    """A fitted model of two steps, with a calendar, and the data that it was fitted to."""
    data = zoo.prepare(zoo.load(prices), targets=["close"], horizon=2, calendar=["weekday"])
    model = zoo.create("gru", data.problem, hidden_size=8)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=2))
    zoo.save(model, tmp_path / "model", data, variant="gru", params={"hidden_size": 8})
    return zoo.load_model(tmp_path / "model"), data, model


def test_all_origins_repeat_the_forecasts_of_the_test_part_beside_actual_values(saved, prices):
    kept, data, model = saved
    every = zoo.forecast_next(kept, zoo.load(prices), origin="all")
    assert list(every.columns) == ["origin", "step", "time", "close", "close_actual"]
    assert len(every) == 2 * (300 - 7 + 1)
    expected, truth = zoo.forecast(model, data.test), data.test.truth()
    first = data.split.valid_end - 7
    own = every.iloc[2 * first : 2 * first + 2 * len(expected)]
    np.testing.assert_allclose(own["close"].to_numpy().reshape(-1, 2), expected[..., 0], rtol=1e-4)
    np.testing.assert_allclose(own["close_actual"].to_numpy().reshape(-1, 2), truth[..., 0])
    assert every["close_actual"].isna().sum() == 3  # two steps after the last row, one after the last but one


@pytest.mark.parametrize("rows", [7, 150, 299])
def test_one_origin_is_what_was_known_then(saved, prices, rows):
    kept, _, _ = saved
    then = zoo.forecast_next(kept, zoo.load(prices.head(rows)))
    later = prices.copy()
    later.loc[rows:, ["open", "high", "low", "close", "volume"]] *= 2
    day = prices["date"][rows - 1]
    for table in (prices, later):
        past = zoo.forecast_next(kept, zoo.load(table), origin=day)
        np.testing.assert_allclose(past["close"], then["close"], rtol=1e-6)
        assert (past["origin"] == pd.Timestamp(day)).all() and list(past["time"]) == list(then["time"])
        np.testing.assert_allclose(past["close_actual"][0], table["close"][rows])


def test_each_series_has_origins_of_its_own(tmp_path, prices):
    panel = pd.concat([prices.assign(symbol="a"), prices.head(200).assign(symbol="b", close=2 * prices["close"])])
    table = zoo.load(panel, series="symbol")
    data = zoo.prepare(table, targets=["close"])
    zoo.save(zoo.create("naive", data.problem), tmp_path / "m", data, variant="naive")
    every = zoo.forecast_next(zoo.load_model(tmp_path / "m"), table, origin="all")
    assert every.groupby("symbol").size().to_dict() == {"a": 294, "b": 194}
    own = every[every["symbol"] == "b"]
    np.testing.assert_allclose(own["close"], 2 * prices["close"][6:200], rtol=1e-5)
    np.testing.assert_allclose(own["close_actual"][:-1], 2 * prices["close"][7:200], rtol=1e-6)


def test_rows_without_times_have_numbers_for_origins(tmp_path):
    table = zoo.load(pd.DataFrame({"value": np.arange(60.0) ** 1.5}))
    data = zoo.prepare(table, targets=["value"])
    zoo.save(zoo.create("naive", data.problem), tmp_path / "m", data, variant="naive")
    kept = zoo.load_model(tmp_path / "m")
    assert list(zoo.forecast_next(kept, table, origin="all")["origin"]) == list(range(7, 61))
    with pytest.raises(zoo.InputError, match="has no times, so no origin can be named"):
        zoo.forecast_next(kept, table, origin="2020-01-01")


def test_intervals_and_directions_have_origins_too(prices, tmp_path):
    for how, columns in (
        ({"quantiles": (0.1, 0.5, 0.9)}, ["close_q10", "close", "close_q90"]),
        ({"direction": True}, ["close_up"]),
        ({"direction": "1%"}, ["close_down", "close_flat", "close_up"]),
    ):
        data = zoo.prepare(zoo.load(prices), targets=["close"], **how)
        model = zoo.create("ridge", data.problem)
        zoo.fit(model, data.train, data.valid)
        out = tmp_path / columns[0]
        zoo.save(model, out, data, variant="ridge")
        every = zoo.forecast_next(zoo.load_model(out), zoo.load(prices), origin="all")
        assert list(every.columns) == ["origin", "step", "time", *columns, "close_actual"]


def test_a_filled_value_is_no_actual_value_and_an_interpolated_gap_no_past(tmp_path, prices):
    prices.loc[100:104, "close"] = np.nan
    table = zoo.load(prices)
    for policy in ("ffill", "interpolate"):
        data = zoo.prepare(table, targets=["close"], missing=policy)
        zoo.save(zoo.create("naive", data.problem), tmp_path / policy, data, variant="naive")
    every = zoo.forecast_next(zoo.load_model(tmp_path / "ffill"), table, origin="all")
    assert every.loc[every["close_actual"].isna(), "origin"].tolist() == [*table.time[99:104], table.time[-1]]
    with pytest.raises(zoo.InputError, match="choose --missing ffill"):
        zoo.forecast_next(zoo.load_model(tmp_path / "interpolate"), table, origin="all")


def test_an_origin_may_have_a_time_zone(saved, prices):
    kept, _, _ = saved
    one, other = (
        zoo.forecast_next(kept, zoo.load(prices), origin=f"2020-05-04{zone}") for zone in ("", "T02:00+02:00")
    )
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        ("2020-01-02", "origin must lie between 2020-01-09 00:00:00 and 2021-02-23"),
        ("2030-01-01", "origin must lie between 2020-01-09 00:00:00 and 2021-02-23"),
        ("soon", "origin must be a time such as 2021-02-23 00:00:00, or 'all', got 'soon'"),
    ],
)
@pytest.mark.usefixtures("saved")
def test_a_wrong_origin_is_refused(prices, tmp_path, origin, message):
    path = tmp_path / "prices.csv"
    prices.to_csv(path, index=False)
    ended = run_zoo_here("predict", tmp_path / "model", path, "--origin", origin)
    assert (ended.returncode, ended.stdout) == (2, "") and message in ended.stderr


@pytest.mark.usefixtures("saved")
def test_the_command_writes_past_forecasts(prices, tmp_path):
    path = tmp_path / "prices.csv"
    prices.to_csv(path, index=False)
    ended = run_zoo_here("predict", tmp_path / "model", path, "--origin", "all", "--out", tmp_path / "past.csv")
    assert ended.returncode == 0, ended.stderr
    past = pd.read_csv(tmp_path / "past.csv")
    assert list(past.columns) == ["origin", "step", "time", "close", "close_actual"] and len(past) == 588


@pytest.mark.parametrize(("names", "twice"), [(["a", "a_actual"], "a_actual"), (["origin"], "origin")])
def test_two_columns_of_the_same_name_are_refused(tmp_path, names, twice):
    frame = pd.DataFrame({name: np.arange(100.0) + place for place, name in enumerate(names)})
    data = zoo.prepare(zoo.load(frame), targets=names)
    zoo.save(zoo.create("naive", data.problem), tmp_path / "m", data, variant="naive")
    saved = zoo.load_model(tmp_path / "m")
    assert list(zoo.forecast_next(saved, zoo.load(frame))) == ["step", *names]
    with pytest.raises(zoo.InputError, match=f"two columns of the forecasts would have the name {twice}: rename"):
        zoo.forecast_next(saved, zoo.load(frame), origin="all")
