"""Advice is right where the truth is known, and the test part has no say in it."""

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo.data.advice import advice_on, advised_settings, autoregressive_order, season_strength
from zoo.errors import InputError

SEEDS = range(5)


def settings(values, season=None):
    return {each.option: each.value for each in advice_on(values, season) if each.option}


def autoregression(weights, rows, seed):
    noise = np.random.default_rng(seed).normal(size=rows + 100)
    series = np.zeros(rows + 100)
    for place in range(len(weights), len(series)):
        series[place] = series[place - len(weights) : place][::-1] @ weights + noise[place]
    return series[100:]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_walk_wanders_and_a_short_memory_returns(seed):
    walk = np.random.default_rng(seed).normal(size=1500).cumsum()
    assert settings(walk)["normalise"] == "last"
    assert settings(autoregression([0.5], 1500, seed))["normalise"] == "none"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_an_autoregression_is_found(seed):
    assert autoregressive_order(autoregression([0.3, 0.0, 0.5], 3000, seed), 20) == 3
    assert autoregressive_order(np.random.default_rng(seed).normal(size=3000), 20) == 0


def test_the_strength_of_a_season_is_its_share_of_the_variance():
    random = np.random.default_rng(0)
    wave = np.tile(random.normal(size=12), 200)
    noise = random.normal(size=2400) * wave.std()
    assert season_strength(wave + noise, 12) == pytest.approx(0.5, abs=0.05)
    assert season_strength(noise, 12) < 0.02
    assert season_strength(wave + np.arange(2400.0), 12) > 0.99


def test_a_lookback_holds_whole_seasons_where_there_is_one():
    rows = np.arange(2000)
    noise = np.random.default_rng(0).normal(size=2000)
    assert int(settings(3 * np.sin(2 * np.pi * rows / 24) + noise, 24)["lookback"]) % 24 == 0
    assert settings(noise.cumsum(), 24)["lookback"] == "7"
    assert int(settings(3 * np.sin(2 * np.pi * rows[:300] / 40) + noise[:300], 40)["lookback"]) == 30


def test_a_spike_hides_no_season():
    rows = np.arange(2000)
    values = 3 * np.sin(2 * np.pi * rows / 24) + np.random.default_rng(0).normal(size=2000)
    values[700] = 5000
    assert int(settings(values, 24)["lookback"]) % 24 == 0
    assert not any("drift" in each.reason for each in advice_on(values, 24))


def test_growth_is_asked_for_where_steps_grow_with_the_level():
    steps = np.random.default_rng(0).normal(0.002, 0.01, size=2000)
    assert settings(100 * np.exp(steps.cumsum()))["scaler"] == "log"
    assert "scaler" not in settings(100 + 100 * steps.cumsum())
    assert "scaler" not in settings(-100 * np.exp(steps.cumsum()))


def test_long_gaps_are_marked_and_short_ones_filled():
    values = np.random.default_rng(0).normal(size=1000)
    values[100:102] = np.nan
    assert settings(values)["missing"] == "ffill"
    values[200:230] = np.nan
    assert settings(values)["missing"] == "mask"


def test_the_test_part_has_no_say():
    values = autoregression([0.5], 1000, 0)
    changed = values.copy()
    changed[800:] = 50 + 10 * np.arange(200)
    assert settings(values) == settings(changed)
    reasons = [each.reason for each in advice_on(changed, None)]
    assert any(reason.startswith("drift: 100 % of the newest fifth of the values lie outside") for reason in reasons)


def test_few_or_constant_rows_get_no_advice():
    assert advice_on(np.ones(500), 7) == []
    assert advice_on(np.arange(20.0), 7) == []
    assert advice_on(np.full(100, np.nan), None)[0].option == "missing"


def test_settings_suit_the_whole_table():
    growth = 100 * np.exp(np.random.default_rng(0).normal(0.01, 0.02, size=1000).cumsum())
    table = pd.DataFrame({"close": growth, "volume": np.arange(1000.0), "open": growth})
    table.loc[3, "open"] = np.nan
    alone, reasons = advised_settings(zoo.load(table), ["CLOSE"], ["close"], 1)
    assert alone["scaler"] == "log" and "missing" not in alone and set(alone) <= set(reasons)
    whole, _ = advised_settings(zoo.load(table), ["close"], None, 12)
    assert whole["scaler"] == "log" and whole["channels"] == ["close", "open"]  # a volume of 0 has no logarithm
    assert whole["missing"] == "ffill" and whole["lookback"] == 12
    for targets, channels in ((["close"], ["close", "volume"]), (["close", "volume"], None)):
        given, _ = advised_settings(zoo.load(table), targets, channels, 1)
        assert "scaler" not in given and "channels" not in given
    with pytest.raises(InputError, match="unknown column 'high'"):
        advised_settings(zoo.load(table), ["high"], None, 1)
