"""zoo.Forecaster: the same models, figures and folders as the commands, in a few lines."""

import inspect
import json

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from tests.cases import made_cases
from tests.conftest import price_frame, run_zoo_here

QUICK = {"max_epochs": 3}


def quick(name="lstm", **settings):
    return zoo.Forecaster(name, **{"targets": "close", "fit": QUICK, **settings})


def test_it_is_the_command_bit_for_bit(prices_csv, tmp_path):
    how = [
        "--targets",
        "close",
        "--lookback",
        "9",
        "--horizon",
        "2",
        "--scaler",
        "log",
        "--interval",
        "80",
        "--adaptive",
    ]
    sets = ["--set", "fit.max_epochs=3", "--set", "gru.hidden_size=16", "--seed", "3", "--refit"]
    ended = run_zoo_here("fit", "gru", prices_csv, *how, *sets, "--out", tmp_path / "command")
    assert ended.returncode == 0, ended.stderr
    own = quick("gru", lookback=9, horizon=2, quantiles=(0.1, 0.5, 0.9), adaptive=True, scaler="log", hidden_size=16)
    own.fit(prices_csv, seed=3, refit=True).save(tmp_path / "own")
    weights = [(tmp_path / folder / "weights.safetensors").read_bytes() for folder in ("command", "own")]
    assert weights[0] == weights[1]
    command, written = (json.loads((tmp_path / name / "model.json").read_text()) for name in ("command", "own"))
    for file in (command, written):
        del file["checksum"], file["about"]["command"], file["about"]["train_seconds"]
    assert command == written and own.scores == command["about"]["metrics"]
    # Either folder serves both.
    loaded = zoo.Forecaster.load(tmp_path / "command")
    pd.testing.assert_frame_equal(loaded.predict(prices_csv), own.predict(), check_exact=True)
    printed = run_zoo_here("predict", tmp_path / "own", prices_csv).stdout
    assert printed == own.predict().to_csv(index=False, float_format="%.7g")
    assert list(own.predict().columns) == ["step", "time", "close_q10", "close", "close_q90"]
    again = loaded.fit(prices_csv, seed=3)  # with the settings that it was saved with
    assert again.scores == own.scores


@pytest.mark.process
@pytest.mark.parametrize("settings", [{"horizon": 3}, {"quantiles": (0.1, 0.5, 0.9), "series": "symbol"}], ids=str)
def test_a_backtest_has_the_figures_of_a_bench(settings):
    data = price_frame()
    if "series" in settings:
        data = pd.concat([price_frame(120, seed=number).assign(symbol=f"S{number}") for number in range(2)])
    run = zoo.bench(data, "close", models=["naive", "gru"], seeds=1, jobs=1, fit=QUICK, folds=2, **settings)
    past = quick("gru", **settings).backtest(data, folds=2)
    rows = run.rows[run.rows["variant"] == "gru"].sort_values("fold", na_position="first")  # 0 is left out
    assert [scores["rmse"] for scores in past.fold_scores] == rows["rmse"].tolist()
    assert [scores["skill"] for scores in past.fold_scores] == rows["skill"].tolist()
    assert past.scores["rmse"] == pytest.approx(run.table.loc["gru", "rmse"])
    assert past.scores["skill"] == pytest.approx(run.table.loc["gru", "skill"])
    stored = run.forecasts().query("variant == 'gru'").reset_index(drop=True)
    np.testing.assert_allclose(past.forecasts["forecast"], stored["forecast"], rtol=1e-6)
    np.testing.assert_allclose(past.forecasts["actual"], stored["actual"])
    assert past.forecasts["fold"].tolist() == sorted(past.forecasts["fold"]) and "in 2 folds" in repr(past)


def test_past_forecasts_stand_beside_actual_values_and_naive(prices):
    own = quick(targets=["close", "open"], horizon=2).fit(prices, refit=True)
    past = own.backtest()
    frame = past.forecasts
    assert list(frame.columns) == ["row", "time", "step", "target", "actual", "forecast", "naive"]
    assert len(frame) == 59 * 2 * 2
    for target in ("close", "open"):
        part = frame[frame["target"] == target]
        values = prices[target].to_numpy()
        np.testing.assert_array_equal(part["actual"], values[part["row"]])
        np.testing.assert_array_equal(part["naive"], values[part["row"] - part["step"]])
        assert list(part["time"]) == list(pd.DatetimeIndex(prices["date"])[part["row"]])
        rmse = np.sqrt(((part["forecast"] - part["actual"]) ** 2).mean())
        assert past.scores["targets"][target]["rmse"] == pytest.approx(rmse)
    assert past.scores == own.scores and past.fold_scores == (past.scores,)
    before = own.predict()
    assert own.backtest(folds=2).forecasts["row"].tolist() != frame["row"].tolist()  # trained anew
    assert quick(targets=["close", "open"], horizon=2).backtest(prices).scores == past.scores
    pd.testing.assert_frame_equal(own.predict(), before, check_exact=True)


def test_directions_and_classes(prices):
    own = quick(direction=True, calendar="weekday").fit(prices)
    past = own.backtest().forecasts
    assert past["forecast"].between(0, 1).all() and set(past["actual"]) == {0.0, 1.0}
    assert own.scores["brier"] == pytest.approx(((past["forecast"] - past["actual"]) ** 2).mean())
    assert list(own.predict().columns) == ["step", "time", "close_up"]
    moves = quick(direction="1%").fit(prices)
    past = moves.backtest().forecasts
    np.testing.assert_allclose(past[["down", "flat", "up"]] @ [-1, 0, 1], past["forecast"])
    fall, rise = past["down"] - (past["actual"] == -1), past["up"] - (past["actual"] == 1)
    assert moves.scores["rps"] == pytest.approx(((fall**2 + rise**2) / 2).mean())
    assert list(moves.predict().columns) == ["step", "time", "close_down", "close_flat", "close_up"]
    made = made_cases(60, (6, 9))
    classifier = zoo.Forecaster("gru", fit={"max_epochs": 2})
    past = classifier.fit(made).backtest().forecasts
    labels = dict(zip(made.names, made.labels, strict=True))
    assert [labels[name] for name in past["case"]] == past["actual"].tolist()
    assert classifier.scores["accuracy"] == pytest.approx((past["actual"] == past["forecast"]).mean())
    assert len(classifier.predict(made)) == 60
    for call, rule in ((classifier.plot, "plot draws forecasts"), (lambda: classifier.predict(origin="all"), "origin")):
        with pytest.raises(zoo.InputError, match=rule):
            call()


def test_data_in_memory_need_no_names(prices):
    close = prices.set_index(pd.DatetimeIndex(prices["date"]))["close"]
    expected = zoo.Forecaster("ridge").fit(close)
    assert expected.predict()["time"][0] == pd.Timestamp("2021-02-24") and list(expected.predict()) == [
        "step", "time", "close",
    ]  # fmt: skip
    assert zoo.Forecaster("ridge").fit(close.to_numpy()).scores == expected.scores


def test_epochs_are_told_and_random_state_stays(prices):
    epochs = []
    before = torch.random.get_rng_state()
    own = quick().fit(prices, on_epoch=epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2, 3] and torch.equal(before, torch.random.get_rng_state())
    assert quick().fit(prices).scores == own.scores != quick().fit(prices, seed=1).scores


def test_a_picture_shows_the_forecasts_behind_the_last_values(prices, tmp_path):
    own = quick(horizon=5, quantiles=(0.1, 0.5, 0.9), targets=["close", "open"]).fit(prices)
    figure = own.plot()
    actual, forecast = figure.axes[0].get_lines()
    assert len(figure.axes) == 2 and len(actual.get_ydata()) == 60
    np.testing.assert_array_equal(actual.get_ydata(), prices["close"].to_numpy()[-60:])
    np.testing.assert_array_equal(forecast.get_ydata(), own.predict()["close"])
    assert forecast.get_xdata()[0] > actual.get_xdata()[-1] and len(figure.axes[0].collections) == 2  # points, band
    figure.savefig(tmp_path / "p.png")
    stocks = pd.concat([prices.assign(symbol=name) for name in "AB"])
    assert len(zoo.Forecaster("ridge", targets="close", series="symbol").fit(stocks).plot().axes) == 1


def test_one_of_several_series(prices, tmp_path):
    stocks = pd.concat([price_frame(seed=1).assign(symbol="A"), prices.assign(symbol="B")])
    own = zoo.Forecaster("ridge", targets="close", series="symbol", only="B").fit(stocks)
    alone = zoo.Forecaster("ridge", targets="close").fit(prices)
    assert own.scores == alone.scores and len(own.plot().axes) == 1
    own.save(tmp_path)
    loaded = zoo.Forecaster.load(tmp_path)
    expected = alone.predict()["close"]
    for forecasts in (own.predict(), loaded.predict(stocks), loaded.fit(stocks).predict()):
        np.testing.assert_array_equal(forecasts["close"], expected)


def test_what_is_shown_of_it_is_one_line(prices):
    own = quick(lookback=9, hidden_size=8)
    shown = "Forecaster('lstm', lookback=9, targets='close', fit={'max_epochs': 3}, hidden_size=8)"
    assert repr(own) == f"{shown}, not fitted"
    skill = own.fit(prices).scores["skill"]
    assert repr(own) == f"{shown}, fitted on DataFrame, test skill {100 * skill:+.2f} %"


@pytest.mark.process
def test_the_best_of_a_run_becomes_a_forecaster(prices, tmp_path):
    run = zoo.bench(prices, "close", models=["naive", "gru"], seeds=1, jobs=1, fit=QUICK, lookback=9, out=tmp_path)
    best = run.rows.loc[run.rows["valid_skill"].idxmax()]
    assert best["variant"] == "gru"
    own = zoo.Forecaster.from_run(tmp_path).fit(prices)
    assert own.scores["rmse"] == best["rmse"] and own.model.file.problem.lookback == 9
    assert zoo.Forecaster.from_run(tmp_path, "naive").name == "naive"


def test_no_variant_has_a_parameter_that_the_forecaster_takes_itself():
    own = set(inspect.signature(zoo.Forecaster).parameters)
    for name in zoo.list_models(classifiers=True):
        assert not own & set(zoo.variant(name).parameters), name


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda _: zoo.Forecaster("ltsm"), "unknown variant 'ltsm'; did you mean 'lstm'"),
        (lambda _: zoo.Forecaster("lstm", hiden_size=3), "unknown parameter 'hiden_size' of variant 'lstm'; did you"),
        (lambda _: zoo.Forecaster("lstm", max_epochs=3), "max_epochs is a setting of training: give fit={'max_epochs'"),
        (lambda _: zoo.Forecaster("lstm", fit={"max_epoch": 3}), "unknown parameter 'max_epoch' of fit; did you"),
        (lambda _: zoo.Forecaster("lstm", fit=3), "fit must be a dict of settings"),
        (lambda _: zoo.Forecaster("lstm").predict(), "there are no data here: give them, or call fit"),
        (lambda frame: zoo.Forecaster("lstm").predict(frame), r"Forecaster\('lstm'\), not fitted: call fit\(data\)"),
        (lambda frame: zoo.Forecaster("lstm").fit(frame), "name at least one target column of DataFrame"),
        (lambda frame: quick(targets="closing").fit(frame), "unknown column 'closing'"),
        (lambda frame: quick().fit(frame, seed=-1), "seed"),
        (lambda _: quick().fit([1, 2]), "data must be what zoo.load takes or returns, got list"),
        (lambda frame: quick(split=(0.9, 0.1, 0)).fit(frame).backtest(), "the split leaves no test rows"),
        (lambda frame: quick().backtest(frame, folds=0), "folds must be >= 1"),
        (lambda _: zoo.Forecaster.load("nowhere"), "no model in nowhere"),
    ],
)
def test_a_wrong_request_is_one_line(prices, call, rule):
    with pytest.raises(zoo.InputError, match=rule) as caught:
        call(prices)
    assert "\n" not in str(caught.value)
