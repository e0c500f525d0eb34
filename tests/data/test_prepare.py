import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from tests.cases import made_cases
from tests.conftest import price_frame, shared


def test_reference_figures_of_naive_on_sp500_and_nasdaq():
    pytest.importorskip("arch")
    for name, rmse, mae, r2 in (("sp500", 19.975, 13.496, 0.99544), ("nasdaq", 61.981, 42.247, 0.99665)):
        data = zoo.prepare(zoo.load(name), targets=["close"], split=(0.7, 0.1, 0.2))
        scores = zoo.evaluate(zoo.create("naive", data.problem), data.test)
        assert len(data.test) == 1007
        assert round(scores["rmse"], 3) == rmse
        assert round(scores["mae"], 3) == mae
        assert round(scores["r2"], 5) == r2
        assert scores["skill"] == pytest.approx(0, abs=1e-6)


def test_reference_figures_of_baselines_on_etth1():
    data = zoo.prepare(
        zoo.load(shared("ETTh1.csv")), targets=["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"],
        lookback=96, horizon=96, split=(8640, 2880, 2880),
    )  # fmt: skip
    assert len(data.test) == 2785
    naive = zoo.evaluate(zoo.create("naive", data.problem), data.test)
    assert (round(naive["scaled_mse"], 4), round(naive["scaled_mae"], 4)) == (1.2944, 0.7132)
    seasonal = zoo.evaluate(zoo.create("seasonal-naive", data.problem, period=24), data.test)
    assert (round(seasonal["scaled_mse"], 4), round(seasonal["scaled_mae"], 4)) == (0.5122, 0.4333)
    ridge = zoo.create("ridge", data.problem)
    zoo.fit(ridge, data.train, data.valid)
    assert zoo.evaluate(ridge, data.test)["scaled_mse"] == pytest.approx(0.3840, rel=0.01)


def test_every_test_row_is_scored(prices):
    data = zoo.prepare(zoo.load(prices), targets=["close"], horizon=3, split=(200, 40, 60))
    rows = data.test.target_rows()
    assert sorted({row + step for row in rows for step in range(3)}) == list(range(240, 300))
    assert (data.train.target_rows() + 2).max() == 199
    assert data.valid.target_rows().min() == 200


def test_empty_parts_are_allowed(prices):
    data = zoo.prepare(zoo.load(prices), targets=["close"], split=(0.9, 0.1, 0))
    assert len(data.test) == 0
    assert zoo.prepare(zoo.load(prices), targets=["close"], split=(0.8, 0, 0.2)).valid is None
    with pytest.raises(zoo.InputError, match="no windows to forecast"):
        zoo.evaluate(zoo.create("naive", data.problem), data.test)


def test_names_match_without_regard_to_case(prices):
    data = zoo.prepare(zoo.load(prices), targets=["CLOSE"], channels=["Open", "close"])
    assert data.channels == ("open", "close")
    assert data.targets == ("close",)
    assert data.problem.targets == (1,)
    both = zoo.load(prices.rename(columns={"open": "Close"}))
    with pytest.raises(zoo.InputError, match="'CLOSE' is ambiguous in DataFrame: spell it as one of Close, close"):
        zoo.prepare(both, targets=["CLOSE"])


def test_fingerprint_is_of_the_values_used(prices):
    def fingerprint(frame, **settings):
        return zoo.prepare(zoo.load(frame), targets=["close"], split=(200, 40, 50), **settings).fingerprint

    first = fingerprint(prices)
    assert fingerprint(prices.iloc[::-1]) == first
    assert fingerprint(prices.iloc[:290]) == first
    assert fingerprint(price_frame(seed=1)) != first
    assert fingerprint(prices, channels=["close"]) != first


@pytest.mark.parametrize("channels", [["close", "open"], ["volume", "close", "low"], ["open", "high", "low", "close"]])
def test_chosen_channels_come_in_their_order_and_leave_naive_as_it_is(prices, channels):
    data = zoo.prepare(zoo.load(prices), targets=["close"], channels=channels)
    x, y = data.test.gather(torch.arange(len(data.test)))
    raw = prices[channels].to_numpy()
    for n, row in enumerate(data.test.target_rows()):
        np.testing.assert_allclose(x[n].numpy() * data.scaler.scale + data.scaler.center, raw[row - 7 : row], rtol=1e-4)
    np.testing.assert_allclose(data.test.units.restore(y.numpy()), data.test.truth(), rtol=1e-5)
    assert zoo.evaluate(zoo.create("naive", data.problem), data.test)["skill"] == pytest.approx(0, abs=1e-6)


def test_unused_columns_may_have_gaps(prices):
    prices["open"] = prices["open"].where(prices.index != 7)
    with pytest.raises(zoo.InputError, match="missing values in DataFrame: open 1"):
        zoo.prepare(zoo.load(prices), targets=["close"])
    assert zoo.prepare(zoo.load(prices), targets=["close"], channels=["close", "high"]).rows == 300
    assert zoo.prepare(zoo.load(prices), targets=["close"], missing="drop").rows == 299


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"targets": ["clsoe"]}, "unknown column 'clsoe' of DataFrame; did you mean 'close'"),
        ({"targets": []}, "name at least one target"),
        ({"targets": ["date"]}, "column 'date' of DataFrame is the time"),
        ({"targets": ["close"], "channels": ["open"]}, "'close' must be among the channels"),
        ({"targets": ["close", "Close"]}, "'close' is named twice"),
        ({"targets": ["close"], "lookback": 0}, "lookback must be a whole number >= 1, got 0"),
        ({"targets": ["close"], "horizon": 1.5}, "horizon must be a whole number >= 1, got 1.5"),
        ({"targets": ["close"], "lookback": 500}, "too few rows: the train part has 210, one window needs 501"),
        ({"targets": ["close"], "horizon": 50}, "too few rows: the validation part has 30, the horizon is 50"),
        ({"targets": ["close"], "normalise": "lst"}, "unknown normalise 'lst'; did you mean 'last'"),
        ({"targets": ["flat"]}, r"target 'flat' of DataFrame is constant \(4\) over the 210 training rows"),
    ],
)
def test_impossible_request_is_refused(prices, settings, rule):
    prices["flat"] = np.where(prices.index < 250, 4.0, 5.0)
    with pytest.raises(zoo.InputError, match=rule):
        zoo.prepare(zoo.load(prices), **settings)


def test_constant_channel_is_no_harm(prices):
    prices["flat"] = 4.0
    data = zoo.prepare(zoo.load(prices), targets=["close"])
    assert np.isfinite(data.train.values.numpy()).all()


@pytest.mark.parametrize("lookback", [1, 4, 30])
@pytest.mark.parametrize("horizon", [1, 5])
def test_other_lookback_is_what_prepare_gives_and_keeps_the_target_rows(lookback, horizon, prices):
    settings = {"targets": ["close", "open"], "horizon": horizon, "split": (200, 40, 60)}
    data = zoo.prepare(zoo.load(prices), lookback=9, **settings)
    other, expected = data.with_lookback(lookback), zoo.prepare(zoo.load(prices), lookback=lookback, **settings)
    assert other.problem == expected.problem
    for part in ("train", "valid", "test"):
        windows, wanted = getattr(other, part), getattr(expected, part)
        assert torch.equal(windows.starts, wanted.starts)
        assert torch.equal(windows.values, wanted.values)
        x, y = windows.gather(torch.arange(len(windows)))
        assert x.shape == (len(windows), lookback, 5)
        assert y.shape == (len(windows), horizon, 2)
    for part in ("valid", "test"):
        np.testing.assert_array_equal(getattr(other, part).target_rows(), getattr(data, part).target_rows())
    with pytest.raises(zoo.InputError, match="too few rows"):
        data.with_lookback(200)
    with pytest.raises(zoo.InputError, match="lookback must be a whole number >= 1, got 0"):
        data.with_lookback(0)


@pytest.mark.parametrize("horizon", [1, 5])
def test_data_without_its_test_part_holds_no_test_row(horizon, prices):
    data = zoo.prepare(zoo.load(prices), targets=["close"], horizon=horizon, split=(200, 40, 60))
    cut = data.without_test()
    assert len(cut.train.values) == len(cut.train.raw) == len(cut.time) == 240
    assert len(cut.train.values.untyped_storage()) == 4 * cut.train.values.numel()  # not hidden behind a view
    assert len(cut.test) == 0
    for part in ("train", "valid"):
        before, after = getattr(data, part), getattr(cut, part)
        for batch, wanted in zip(after.gather(torch.arange(len(after))), before.gather(torch.arange(len(before))),
                                strict=True):  # fmt: skip
            assert torch.equal(batch, wanted)


@pytest.mark.parametrize("horizon", [1, 2, 9])
def test_test_part_may_be_empty_at_any_horizon(horizon, prices):
    data = zoo.prepare(zoo.load(prices), targets=["close"], horizon=horizon, split=(250, 50, 0))
    assert len(data.test) == 0
    assert len(data.valid) == 50 - horizon + 1


def with_gaps(prices, column="close"):
    """Gaps of three rows in train, two in validation, five in test, of a split into 200, 40 and 60 rows."""
    gaps = [50, 51, 52, 210, 211, 250, 251, 252, 253, 254]
    prices[column] = prices[column].where(~prices.index.isin(gaps))
    return zoo.load(prices), gaps


@pytest.mark.parametrize("missing", ["ffill", "interpolate"])
@pytest.mark.parametrize("horizon", [1, 4])
def test_window_with_a_filled_target_row_is_in_no_part(prices, missing, horizon):
    table, gaps = with_gaps(prices)
    data = zoo.prepare(table, targets=["close"], horizon=horizon, split=(200, 40, 60), missing=missing)
    bounds = {"train": (7, 200), "valid": (200, 240), "test": (240, 300)}
    for other in (data, data.with_lookback(5).with_lookback(7)):
        for part, (first, end) in bounds.items():
            rows = range(first, end - horizon + 1)
            wanted = [row for row in rows if not set(range(row, row + horizon)) & set(gaps)]
            assert getattr(other, part).target_rows().tolist() == wanted
    cut = data.without_test()
    assert len(cut.test) == 0 and torch.equal(cut.train.starts, data.train.starts)
    assert torch.equal(cut.valid.starts, data.valid.starts)


def test_naive_is_not_exact_inside_a_gap(prices):
    table, gaps = with_gaps(prices)
    data = zoo.prepare(table, targets=["close"], split=(200, 40, 60), missing="ffill")
    error = zoo.forecast(zoo.create("naive", data.problem), data.test) - data.test.truth()
    assert len(error) == 55 and np.abs(error).min() > 1e-3
    assert set(data.test.target_rows()).isdisjoint(gaps)


def test_note_counts_the_windows_that_are_left_out(prices):
    table, _ = with_gaps(prices)
    data = zoo.prepare(table, targets=["close"], split=(200, 40, 60), missing="ffill")
    assert data.notes[-1] == (
        "a window with a filled target is neither trained on nor scored: left out 3 of 193 train, 2 of 40 validation, "
        "5 of 60 test windows"
    )


def test_filled_input_that_is_no_target_leaves_windows_and_fingerprint_alone(prices):
    whole = prices.ffill().copy()
    table, _ = with_gaps(prices, "open")
    whole["open"] = prices["open"].ffill()
    how = {"targets": ["close"], "split": (200, 40, 60)}
    filled, plain = zoo.prepare(table, missing="ffill", **how), zoo.prepare(zoo.load(whole), **how)
    assert filled.fingerprint == plain.fingerprint and len(filled.test) == 60
    assert not any("left out" in note for note in filled.notes)
    other = zoo.prepare(table, missing="ffill", **{**how, "targets": ["open"]})
    assert other.fingerprint != plain.fingerprint and len(other.test) == 55


def test_part_of_filled_targets_alone_is_refused(prices):
    prices["close"] = prices["close"].where((prices.index < 240) | (prices.index % 2 == 0))
    how = {"targets": ["close"], "split": (200, 40, 60), "missing": "ffill"}
    assert len(zoo.prepare(zoo.load(prices), **how).test) == 30
    with pytest.raises(zoo.InputError, match=r"every window of the test part has a filled target \(close\)"):
        zoo.prepare(zoo.load(prices), horizon=2, **how)


def test_constant_channel_is_fed_to_no_model(prices):
    plain = zoo.prepare(zoo.load(prices), targets=["close"])
    prices["flat"] = 4.0
    prices.loc[290:, "flat"] = 5.0  # it varies in the test rows alone
    data = zoo.prepare(zoo.load(prices), targets=["close"])
    assert (data.channels, data.fingerprint) == (plain.channels, plain.fingerprint)
    assert "constant over the training rows, so no model sees them: flat" in data.notes


def test_target_of_two_whole_numbers_is_named_as_a_class(prices):
    prices["up"] = (prices["close"].diff() > 0).astype(int)
    assert any(
        note.startswith("target 'up' is 0 or 1 in every training row: it looks like a class")
        for note in zoo.prepare(zoo.load(prices), targets=["up"]).notes
    )
    assert not any("class" in note for note in zoo.prepare(zoo.load(prices), targets=["close"]).notes)


def test_text_target_is_named_as_a_class(prices):
    prices["mood"] = ["good" if row % 3 else "bad" for row in range(len(prices))]
    with pytest.raises(zoo.InputError, match=r"mood.* a text label is a class, and zoo forecasts numbers"):
        zoo.prepare(zoo.load(prices), targets=["mood"], channels=["close", "mood"])


def test_prepare_takes_what_load_takes(prices, prices_csv, tmp_path):
    loaded = zoo.prepare(zoo.load(prices, time="date"), targets="close")
    for source, how in ((prices, {"time": "date"}), (prices_csv, {"time": "date"}), (str(prices_csv), {})):
        assert zoo.prepare(source, targets="close", **how).fingerprint == loaded.fingerprint
    stocks = pd.concat([prices.assign(symbol=name) for name in "AB"])
    assert zoo.prepare(stocks, targets="close", series="symbol").panel.names == ("A", "B")
    bare = tmp_path / "bare.csv"
    prices[["date", "close"]].to_csv(bare, index=False, header=False)
    assert zoo.prepare(bare, targets="close", columns=["date", "close"]).channels == ("close",)
    steps = made_cases(30).frame()
    assert zoo.prepare(steps, case="case", label="class").classes == ("falling", "flat", "rising")
    with pytest.raises(zoo.InputError, match="time says how DataFrame is read, and it is read already: give time to"):
        zoo.prepare(zoo.load(prices), targets="close", time="date")


def test_the_only_column_is_the_target(prices):
    close = prices.set_index(pd.DatetimeIndex(prices["date"]))["close"]
    expected = zoo.prepare(prices[["close"]], targets="close").fingerprint
    for data in (close, close.to_numpy(), close.to_numpy()[:, None], close.to_frame()):
        assert zoo.prepare(data).fingerprint == expected
    assert zoo.prepare(close).targets == ("close",) and zoo.prepare(close).time[0] == close.index[0]
    assert zoo.prepare(close.to_numpy()).targets == ("value",)
    with pytest.raises(zoo.InputError, match=r"name at least one target column of DataFrame \(open, high, low"):
        zoo.prepare(prices)
    with pytest.raises(zoo.InputError, match=r"an array must have the shape \[rows\] or \[rows, columns\], got"):
        zoo.prepare(np.zeros((2, 2, 2)))


def test_what_is_shown_of_data_is_small(prices):
    data = zoo.prepare(prices, targets="close", lookback=12, split=(200, 40, 60))
    head, *parts = repr(data).splitlines()
    assert head == "Data: close of DataFrame, 1 ahead from the last 12 of open, high, low, close, volume"
    first, last = prices["date"].iloc[[240, 299]]
    assert len(parts) == 3 and parts[2].split() == f"test 60 rows, 60 windows, {first} to {last}".split()
    assert parts[0].split()[1:5] == ["200", "rows,", "188", "windows,"]
    assert repr(data.problem) == "Problem(lookback=12, channels=5, targets=(3,), output_shape=(1, 1))"
    assert "task='direction'" in repr(zoo.prepare(prices, targets="close", direction=True).problem)
    made = made_cases(30)
    classes = zoo.prepare(made)
    model = zoo.create("linear", data.problem)
    history = zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=1))
    assert repr(model) == "Linear: forecast, [B, 12, 5] -> [B, 1, 1], 13 weights, normalise last"
    others = ({"direction": True}, {"direction": "0.5%"}, {"quantiles": (0.1, 0.5, 0.9)}, {"known": "volume"})
    models = [zoo.create("linear", zoo.prepare(prices, targets="close", **other).problem) for other in others]
    one_line = (data.train, zoo.load(prices), made, classes.train, history, *models, zoo.create("gru", classes.problem))
    assert all(len(repr(each).splitlines()) == 1 and len(repr(each)) < 150 for each in one_line)
    assert "3 classes" in repr(classes) and "30 sequences of 16 steps" in repr(made)
