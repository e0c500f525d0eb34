"""Known: coming values of columns reach the model at the step that they belong to, and zoo predict asks for them."""

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from tests.conftest import run_zoo_here
from zoo.data.known import known_channels, split_future
from zoo.errors import InputError

HOW = {"targets": ["sales"], "lookback": 4, "horizon": 3, "known": ["promo", "price"], "normalise": "none"}


def shop(rows=400, later=0, seed=0):
    """Sales follow the day's promotion, which no earlier day tells; `later` rows know only what is planned."""
    random = np.random.default_rng(seed)
    promo = random.integers(2, size=rows + later).astype(float)
    price = random.normal(10, 2, size=rows + later)
    sales = 5 * promo + 0.1 * random.normal(size=rows + later)
    frame = pd.DataFrame({"date": pd.date_range("2020-01-01", periods=rows + later), "sales": sales})
    frame.loc[rows:, "sales"] = np.nan
    return frame.assign(promo=promo, price=price)


def test_the_last_rows_of_a_window_hold_what_is_known_of_the_steps_to_forecast():
    frame = shop()
    data = zoo.prepare(zoo.load(frame), **HOW)
    assert data.channels == ("sales",) and data.known == ("promo", "price")
    assert data.problem.channels == 3 and data.problem.plain == (1, 2)
    x, _ = data.test.gather(torch.arange(len(data.test)))
    rows = data.test.target_rows()[:, None] + np.arange(3)
    values = frame[["promo", "price"]].to_numpy()
    train = values[: data.split.train_end]
    expected = (values[rows] - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(x[:, -3:, 1:].numpy(), expected, atol=1e-5)


def test_what_is_known_is_learned_and_without_it_nothing_can_be():
    errors = []
    for known in ([], ["promo"]):
        data = zoo.prepare(zoo.load(shop()), **{**HOW, "known": known, "channels": ["sales"], "horizon": 1})
        model = zoo.create("lstm", data.problem)
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=60, learning_rate=5e-3, device="cpu"))
        errors.append(zoo.evaluate(model, data.test)["rmse"])
    assert errors[1] < 0.4 < 2 < errors[0]


def test_values_of_other_columns_after_a_window_do_not_reach_it():
    frame = shop()
    later = frame.copy()
    later.loc[later.index[300:], "sales"] *= 2
    windows = [zoo.prepare(zoo.load(each), **HOW).train for each in (frame, later)]
    x, other = (each.gather(torch.arange(len(each)))[0] for each in windows)
    assert torch.equal(x, other)


def test_rows_that_know_nothing_else_are_the_future():
    frame = shop(50, later=4).assign(weather=1.0)
    table, future = split_future(zoo.load(frame), ("promo", "price"), ("sales",))
    assert len(table) == 50 == len(table.time) and future.values.shape == (4, 2)
    assert list(future.time) == list(frame["date"][50:])
    past = np.arange(5.0)[:, None]
    assert known_channels(past, np.array([[5.0], [6.0]]), 3).ravel().tolist() == [3, 4, 5, 6, 6]


def test_a_saved_model_needs_the_coming_values_and_uses_them(tmp_path):
    frame = shop(400, later=3)
    data = zoo.prepare(zoo.load(frame), **HOW, split=(0.8, 0.2, 0))
    model = zoo.create("lstm", data.problem)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=60, learning_rate=5e-3, device="cpu"))
    zoo.save(model, tmp_path / "model", data, variant="lstm")
    saved = zoo.load_model(tmp_path / "model")
    forecast = zoo.forecast_next(saved, zoo.load(frame))
    assert list(forecast["time"]) == list(frame["date"][400:])
    np.testing.assert_allclose(forecast["sales"], 5 * frame["promo"][400:], atol=1.0)
    moved = frame.assign(date=frame["date"].mask(frame.index >= 400, frame["date"] + pd.Timedelta(days=30)))
    assert list(zoo.forecast_next(saved, zoo.load(moved))["time"]) == list(moved["date"][400:])
    other = frame.copy()
    other.loc[400:, "promo"] = 1 - other.loc[400:, "promo"]
    np.testing.assert_allclose(zoo.forecast_next(saved, zoo.load(other))["sales"], 5 * other["promo"][400:], atol=1.0)
    with pytest.raises(
        InputError, match="promo, price must be known for the 3 steps after 2021-02-03 .* has 2: add rows"
    ):
        zoo.forecast_next(saved, zoo.load(frame[:-1]))
    with pytest.raises(InputError, match="for the 3 steps after 2021-02-02 .* has 1: add rows"):
        zoo.forecast_next(saved, zoo.load(frame[:400]), origin="2021-02-02")
    past = zoo.forecast_next(saved, zoo.load(frame[:400]), origin="all")  # three origins short of the end
    whole = zoo.forecast_next(saved, zoo.load(frame), origin="all")
    assert past["origin"].max() == frame["date"][396] and whole["origin"].max() == frame["date"][399]
    pd.testing.assert_frame_equal(past, whole[: len(past)], rtol=1e-5)


def test_each_series_has_its_own_known_values_and_scaler(tmp_path):
    frames = [shop(200, later=2, seed=number).assign(shop=f"s{number}") for number in range(3)]
    frames[1]["price"] *= 100
    table = zoo.load(pd.concat(frames), series="shop")
    how = {**HOW, "horizon": 2}
    data = zoo.prepare(table, **how)
    alone = zoo.prepare(zoo.load(frames[1].drop(columns="shop")), **how)
    begin = len(alone.test) * 1
    x, _ = data.test.gather(torch.arange(begin, 2 * begin))
    torch.testing.assert_close(x, alone.test.gather(torch.arange(begin))[0])
    model = zoo.create("linear", data.problem)
    zoo.save(model, tmp_path / "model", data, variant="linear")
    forecast = zoo.forecast_next(zoo.load_model(tmp_path / "model"), table)
    assert list(forecast["shop"]) == ["s0", "s0", "s1", "s1", "s2", "s2"]


def test_what_cannot_be_known_is_refused():
    frame = shop()
    holes = frame.copy()
    holes.loc[7, "promo"] = np.nan
    for table, settings, message in (
        (frame, {"known": ["sales"]}, "target 'sales' cannot be known in advance"),
        (frame, {"known": ["prom"]}, "did you mean 'promo'"),
        (frame, {"lookback": 2}, "lookback must be >= horizon, got 2 and 3"),
        (holes, {}, "'promo' of DataFrame has no finite value at 2020-01-08"),
        (frame.drop(columns="sales"), {"targets": ["price"], "known": ["promo", "price"]}, "cannot be known"),
    ):
        with pytest.raises(InputError, match=message):
            zoo.prepare(zoo.load(table), **{**HOW, **settings})


@pytest.mark.process
def test_bench_fit_and_predict_with_known_columns(tmp_path):
    path = tmp_path / "shop.csv"
    shop(200, later=2).to_csv(path, index=False)
    how = ["--targets", "sales", "--horizon", "2", "--known", "promo,price"]
    quick = ["--set", "fit.max_epochs=1"]
    ended = run_zoo_here("bench", path, *how, "--models", "lstm,naive", "--seeds", "1", "--jobs", "1", *quick, "--out",
                         tmp_path / "out")  # fmt: skip
    assert ended.returncode == 0 and "promo and price known in advance" in ended.stdout, ended.stderr
    assert run_zoo_here("fit", "lstm", path, *how, *quick, "--out", tmp_path / "model").returncode == 0
    ended = run_zoo_here("predict", tmp_path / "model", path)
    assert ended.returncode == 0 and ended.stdout.count("\n") == 3, ended.stderr
