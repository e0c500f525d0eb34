"""Panels: the windows of several series are those of each series alone, and nothing of one reaches another."""

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from tests.conftest import price_frame
from zoo.data.split import Fold
from zoo.errors import InputError

HOW = {"targets": ["close"], "lookback": 7, "horizon": 2, "split": (0.6, 0.2, 0.2)}
ROWS = {"AAA": 300, "BBB": 200, "CCC": 260}


def frames():
    """Prices of three symbols, of different lengths and levels."""
    return {
        name: price_frame(rows, seed=number).assign(close=lambda f, k=10.0**number: k * f["close"])
        for number, (name, rows) in enumerate(ROWS.items())
    }


def panel_frame(parts=None, shuffled=True):
    whole = pd.concat([part.assign(symbol=name) for name, part in (parts or frames()).items()])
    return whole.sample(frac=1, random_state=0) if shuffled else whole


def panel(parts=None, **settings):
    return zoo.prepare(zoo.load(panel_frame(parts), series="symbol"), **{**HOW, **settings})


def test_windows_are_those_of_each_series_alone():
    data = panel()
    assert data.panel.names == tuple(ROWS)
    for name in ("train", "valid", "test"):
        windows, place = getattr(data, name), 0
        x, y = windows.gather(torch.arange(len(windows)))
        for number, part in enumerate(frames().values()):
            alone = getattr(zoo.prepare(zoo.load(part), **HOW), name)
            own = slice(place, place + len(alone))
            x_alone, y_alone = alone.gather(torch.arange(len(alone)))
            assert torch.equal(x[own], x_alone) and torch.equal(y[own], y_alone)
            np.testing.assert_array_equal(windows.truth()[own], alone.truth())
            np.testing.assert_array_equal(windows.last()[own], alone.last())
            np.testing.assert_array_equal(windows.units.restore(y.numpy())[own], alone.units.restore(y_alone.numpy()))
            if name == "test":
                assert (data.panel.of_test[own] == number).all()
            place += len(alone)
        assert place == len(windows)
    rows = data.test.target_rows()
    for number, part in enumerate(frames().values()):
        dates = pd.DatetimeIndex(part["date"])
        assert data.time[rows[data.panel.of_test == number]].isin(dates[-len(dates) // 5 :]).all()


def test_what_happens_in_one_series_does_not_reach_another():
    parts = frames()
    parts["BBB"] = parts["BBB"].assign(close=parts["BBB"]["close"] * np.linspace(1, 3, 200))
    before, after = panel(), panel(parts)
    x, other = (data.train.gather(torch.arange(len(data.train)))[0] for data in (before, after))
    counts = [len(zoo.prepare(zoo.load(part), **HOW).train) for part in frames().values()]
    own = slice(counts[0], counts[0] + counts[1])
    assert not torch.equal(x[own], other[own])
    assert torch.equal(x[: own.start], other[: own.start]) and torch.equal(x[own.stop :], other[own.stop :])
    assert before.fingerprint != after.fingerprint


def test_later_rows_change_neither_training_windows_nor_scalers():
    parts = {name: part.copy() for name, part in frames().items()}
    for part in parts.values():
        part.loc[part.index[int(0.8 * len(part)) :], "close"] *= 3
    before, after = panel(), panel(parts)
    np.testing.assert_array_equal(before.scaler.center, after.scaler.center)
    every = [data.train.gather(torch.arange(len(data.train)))[0] for data in (before, after)]
    assert torch.equal(*every)


def test_the_order_of_the_rows_does_not_matter():
    one, other = (zoo.prepare(zoo.load(panel_frame(shuffled=flag), series="symbol"), **HOW) for flag in (True, False))
    assert one.fingerprint == other.fingerprint and torch.equal(one.train.values, other.train.values)


def test_pooled_metrics_are_means_of_scaled_errors():
    data = panel()
    naive = zoo.create("naive", data.problem)
    scores = zoo.evaluate(naive, data.test)
    squared, naive_squared = [], []
    for part in frames().values():
        alone = zoo.prepare(zoo.load(part), **HOW).test
        error = (alone.last()[:, None] - alone.truth()) / alone.units.deviation
        squared.append((error**2).ravel())
        naive_squared.append((error**2).ravel())
    assert scores["scaled_mse"] == pytest.approx(np.concatenate(squared).mean(), rel=1e-5)
    assert scores["rmse"] == pytest.approx(np.concatenate(squared).mean() ** 0.5, rel=1e-5)
    assert scores["skill"] == pytest.approx(0.0, abs=1e-5)
    assert scores["mase"] is None


def test_folds_quantiles_and_directions_work_on_several_series():
    for extra in (
        {"fold": Fold(1, 2)},
        {"quantiles": (0.1, 0.5, 0.9), "conformal": True},
        {"direction": True},
        {"direction": "1%"},
    ):
        data = panel(**extra)
        if "direction" in extra:  # what is learned is what is scored
            np.testing.assert_array_equal(data.test.scaled_truth(), data.test.truth())
        for name in ("ridge", "lstm"):
            model, naive = zoo.create(name, data.problem), zoo.create("naive", data.problem)
            for each in (model, naive):
                zoo.fit(each, data.train, data.valid, zoo.FitConfig(max_epochs=2, device="cpu"))
            assert np.isfinite(zoo.forecast(model, data.test)).all()
            assert zoo.evaluate(model, data.test, naive=naive)["skill"] is not None
    alone = zoo.prepare(zoo.load(frames()["BBB"]), **HOW, fold=Fold(1, 2))
    folded = panel(fold=Fold(1, 2))
    own = folded.panel.of_test == 1
    np.testing.assert_array_equal(folded.test.truth()[own], alone.test.truth())


def test_a_series_that_is_too_short_or_flat_is_left_out_with_a_note():
    parts = {**frames(), "TINY": price_frame(9), "FLAT": price_frame(200).assign(close=1.0)}
    data = panel(parts)
    assert data.panel.names == tuple(ROWS)
    assert any(note.startswith("2 series left out (FLAT, TINY); the first: target 'close'") for note in data.notes)
    with pytest.raises(InputError, match="no series of DataFrame can be used; the first: too few rows"):
        panel({"TINY": price_frame(9)})


def test_a_constant_channel_of_one_series_stays():
    parts = frames()
    parts["AAA"] = parts["AAA"].assign(volume=5)
    assert "volume" in panel(parts).channels


def test_rows_that_cannot_be_told_apart_are_refused():
    whole = panel_frame()
    with pytest.raises(InputError, match="name their column with --series"):
        zoo.load(whole)
    with pytest.raises(InputError, match="of series 'BBB': keep one row for each time"):
        zoo.load(pd.concat([whole, whole[whole["symbol"] == "BBB"].iloc[:1]]), series="symbol")
    with pytest.raises(InputError, match="column 'symbol' of DataFrame is empty in data row 3"):
        zoo.load(whole.assign(symbol=whole["symbol"].where(np.arange(len(whole)) != 2)), series="symbol")
    with pytest.raises(InputError, match="unknown column 'ticker'"):
        zoo.load(whole, series="ticker")
    parts = frames()
    parts["CCC"] = parts["CCC"].assign(close=parts["CCC"]["close"].where(np.arange(260) != 5))
    with pytest.raises(InputError, match="missing values in series 'CCC' of DataFrame"):
        panel(parts)
