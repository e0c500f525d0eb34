"""--missing skip: no window holds a missing value, of any channel, and nothing of a gap is seen anywhere."""

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo.errors import InputError

HOW = {"targets": "close", "lookback": 5, "horizon": 2, "split": (0.6, 0.2, 0.2), "missing": "skip"}


@pytest.fixture
def gappy(prices):
    """Gaps in the target and in another column, at the start too."""
    frame = prices.copy()
    frame["volume"] = frame["volume"].astype(float)
    frame.loc[[0, 40, 41, 200], "volume"] = np.nan
    frame.loc[[90, 250], "close"] = np.nan
    return frame


def spans(windows):
    """The rows that each window holds: [n, L + T]."""
    return windows.starts.numpy()[:, None] + np.arange(windows.lookback + windows.horizon)


def test_windows_are_all_those_without_a_gap(gappy):
    data = zoo.prepare(gappy, **HOW)
    gaps = gappy.isna().any(axis=1).to_numpy()
    for part, (_, first, end) in zip((data.train, data.valid, data.test), data.split.parts(), strict=True):
        every = np.arange(max(first - 5, 0), end - 7 + 1)
        complete = [start for start in every if not gaps[start : start + 7].any()]
        assert part.starts.tolist() == complete and len(complete) < len(every)
    assert not gaps[spans(data.with_lookback(3).test)].any()
    assert not gaps[spans(data.without_test().train)].any()
    assert any("a window that holds a missing value is neither trained on nor scored" in note for note in data.notes)


def test_scaler_and_units_are_of_complete_rows(gappy):
    data = zoo.prepare(gappy, **HOW)
    complete = gappy.iloc[: data.split.train_end].dropna()[list(data.channels)]
    assert data.scaler.center == pytest.approx(complete.mean().to_numpy())
    assert data.train.units.deviation == pytest.approx(complete["close"].std(ddof=0))


def test_a_forecast_needs_a_whole_lookback(gappy, tmp_path):
    data = zoo.prepare(gappy, **HOW)
    model = zoo.create("ridge", data.problem)
    zoo.fit(model, data.train, data.valid)
    zoo.save(model, tmp_path / "model", data, variant="ridge")
    kept = zoo.load_model(tmp_path / "model")
    assert np.isfinite(zoo.forecast_next(kept, zoo.load(gappy))["close"]).all()
    every = zoo.forecast_next(kept, zoo.load(gappy), origin="all")
    gaps = gappy.isna().any(axis=1).to_numpy()
    complete = [end for end in range(5, len(gappy) + 1) if not gaps[end - 5 : end].any()]
    assert len(every) == 2 * len(complete)
    broken = zoo.load(gappy.iloc[:252])
    with pytest.raises(InputError, match="before the forecast hold missing values"):
        zoo.forecast_next(kept, broken)
    assert np.isfinite(zoo.forecast_next(kept, broken, missing="ffill")["close"]).all()


def test_several_series_and_windows_for_scikit_learn(gappy):
    both = pd.concat([gappy.assign(symbol=name) for name in "ab"])
    data = zoo.prepare(zoo.load(both, series="symbol"), **HOW)
    gaps = np.tile(gappy.isna().any(axis=1).to_numpy(), 2)
    assert not gaps[spans(data.train)].any() and not gaps[spans(data.test)].any()
    x, y = zoo.make_windows(gappy, "close", lookback=5, missing="skip")
    whole = zoo.make_windows(gappy.dropna(), "close", lookback=5)[0]
    assert (
        len(x) == len(y) and len(x) < len(whole) and set(map(tuple, x.to_numpy())) <= set(map(tuple, whole.to_numpy()))
    )


def test_a_part_without_a_whole_window_is_refused(gappy):
    gappy.loc[::5, "volume"] = np.nan
    with pytest.raises(InputError, match="every window of the train part holds a missing value: shorten the lookback"):
        zoo.prepare(gappy, **HOW)
    gappy["volume"] = np.nan
    gappy.loc[299, "volume"] = 1.0
    with pytest.raises(InputError, match="no two training rows of DataFrame are complete"):
        zoo.prepare(gappy, **HOW)
