"""A column that holds what comes next is named, and no honest one is."""

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo.data.leaks import leaks, shares_explained


@pytest.fixture
def walk():
    """A random walk with noise beside it, as a column that knows nothing."""
    random = np.random.default_rng(0)
    return pd.DataFrame({"close": 100 + random.normal(size=800).cumsum(), "volume": random.integers(1, 9, size=800)})


def noted(frame, **settings):
    data = zoo.prepare(zoo.load(frame.dropna().reset_index(drop=True)), targets="close", **settings)
    return [note for note in data.notes if "a leak" in note]


@pytest.mark.parametrize(
    "leaky",
    [
        lambda close: close.shift(-1),
        lambda close: 3 - 2 * close.shift(-1),
        lambda close: close.pct_change().shift(-1),
        lambda close: close.rolling(5, center=True).mean(),
    ],
    ids=["next", "mapped", "return", "smoothed"],
)
def test_a_column_that_knows_what_comes_next_is_named(walk, leaky):
    (note,) = noted(walk.assign(signal=leaky(walk["close"])))
    assert note.startswith("channel 'signal' tells ") and "of what 'close' does next" in note


def test_honest_columns_are_not(walk):
    past = walk.assign(
        before=walk["close"].shift(1), smooth=walk["close"].rolling(5).mean(), twin=2 * walk["close"] + 1,
        change=walk["close"].diff(),
    )  # fmt: skip
    assert noted(past) == []


def test_the_share_is_that_of_least_squares(walk):
    random = np.random.default_rng(1)
    walk["signal"] = walk["close"].diff().shift(-1).fillna(0) + random.normal(size=800) * 0.8
    close, signal = walk["close"].to_numpy(), walk["signal"].to_numpy()
    change = np.diff(close)[1:]
    own = np.column_stack([np.ones(798), close[1:-1], close[:-2]])
    whole = np.column_stack([own, signal[1:-1]])
    left = [np.sum((change - each @ np.linalg.lstsq(each, change, rcond=None)[0]) ** 2) for each in (own, whole)]
    (note,) = leaks(walk[["close", "signal"]].to_numpy(), ("close", "signal"), (0,))
    assert f"tells {100 * (1 - left[1] / left[0]):.0f} % of" in note


def test_only_training_rows_are_looked_at(walk):
    late = walk.assign(signal=walk["close"].shift(-1).where(walk.index > 600, 0.0))
    assert noted(late, split=(0.7, 0.1, 0.2)) == []


def test_no_note_on_few_rows_or_a_smooth_line():
    line = pd.DataFrame({"close": np.arange(800.0), "twin": np.arange(800.0) ** 2})
    assert noted(line) == [] and leaks(line.to_numpy()[:20], ("close", "twin"), (0,)) == ()


@pytest.mark.parametrize(
    ("name", "target", "low", "high"),
    [("sp500", "Close", 0.0, 0.01), ("nasdaq", "Close", 0.0, 0.01), ("narma", "value", 0.3, 0.45)],
)
def test_honest_columns_tell_as_little_as_the_pages_say(name, target, low, high):
    """README and docs/guides/quant.md: of prices less than a hundredth; the drive of narma is the most of all."""
    data = zoo.prepare(name, targets=target)
    rows = data.train.raw[: data.split.train_end]
    place = data.channels.index(target)
    assert low <= shares_explained(rows[:, place], np.delete(rows, place, axis=1)).max() < high
