"""Missing values marked: the model is told which inputs are repeated values."""

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from tests.conftest import run_zoo_here, shared

HOW = {"targets": ["close"], "lookback": 5, "missing": "mask"}


@pytest.fixture
def gappy(prices):
    random = np.random.default_rng(0)
    return prices.assign(
        volume=prices["volume"].where(random.random(300) > 0.2), open=prices["open"].where(np.arange(300) != 250)
    )


@pytest.mark.parametrize("normalise", ["last", "none", "instance"])
def test_a_channel_marks_the_values_that_were_repeated(gappy, normalise):
    data = zoo.prepare(zoo.load(gappy), **HOW, normalise=normalise)
    assert data.masked == ("volume",)  # the gap of open lies in the test part
    assert data.problem.channels == 6 and data.problem.plain == (5,)
    filled = zoo.prepare(zoo.load(gappy), **{**HOW, "missing": "ffill"}, normalise=normalise)
    x, plain = (each.train.gather(torch.arange(len(each.train)))[0] for each in (data, filled))
    assert torch.equal(x[..., :5], plain)
    rows = data.train.target_rows()[:, None] - np.arange(5, 0, -1)
    expected = gappy["volume"].isna().to_numpy()[rows]
    np.testing.assert_array_equal(x[..., 5].numpy(), expected)
    inner = next(zoo.create("lstm", data.problem).inside(data.train, 1000))[0]
    np.testing.assert_array_equal(inner[..., 5].numpy(), expected)  # no level is taken from it


def test_a_window_with_a_missing_target_is_left_out(prices):
    gaps = prices.assign(close=prices["close"].where(np.arange(300) % 50 != 10))
    data = zoo.prepare(zoo.load(gaps), **HOW)
    for part in (data.train, data.valid, data.test):
        assert not gaps["close"].isna().to_numpy()[part.target_rows()].any()
    assert any("left out" in note for note in data.notes)


def test_later_gaps_do_not_reach_a_training_window(gappy):
    later = gappy.copy()
    later.loc[later.index[230:], "volume"] = np.nan
    x, other = (
        each.gather(torch.arange(len(each)))[0]
        for each in (zoo.prepare(zoo.load(frame), **HOW).train for frame in (gappy, later))
    )
    assert torch.equal(x, other)


def test_several_series_have_marks_of_all_channels(gappy, prices):
    whole = pd.concat([gappy.assign(symbol="A"), prices.assign(symbol="B")])
    data = zoo.prepare(zoo.load(whole, series="symbol"), **HOW)
    assert data.masked == data.channels and data.problem.channels == 10
    x, _ = data.test.gather(torch.arange(len(data.test)))
    own = torch.from_numpy(data.panel.of_test == 0)
    assert x[own][..., 5:].sum() > 0 and x[~own][..., 5:].sum() == 0


def test_a_saved_model_marks_the_gaps_of_new_rows(gappy, tmp_path):
    data = zoo.prepare(zoo.load(gappy), **HOW)
    model = zoo.create("linear", data.problem)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=1, device="cpu"))
    zoo.save(model, tmp_path / "model", data, variant="linear")
    loaded, seen = zoo.load_model(tmp_path / "model"), []
    loaded.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    new = gappy.assign(volume=gappy["volume"].where(np.arange(300) != 298).fillna(1.0))
    new.loc[new.index[298], "volume"] = np.nan
    zoo.forecast_next(loaded, zoo.load(new))
    assert seen[0][0, :, 5].tolist() == [0.0, 0.0, 0.0, 1.0, 0.0]


@pytest.mark.process
def test_pollution_one_hour_ahead_with_marks(tmp_path):
    """Hourly air quality from its first 8,760 hours: 5 % of the target is missing, and no filled value is scored."""
    ended = run_zoo_here(
        "bench", shared("pollution.csv"), "--targets", "pm2.5", "--missing", "mask", "--models", "naive,ridge",
        "--split", "7008,1752,35040", "--out", tmp_path / "out",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "left out 589 of 7001 train, 80 of 1752 validation, 1374 of 35040 test windows" in ended.stderr
    frame = zoo.results(tmp_path / "out")
    assert 23 < float(frame.loc[frame["variant"] == "naive", "rmse"].iloc[0]) < 24
