"""Adaptive quantiles: what moves them, what must not, and that they hold what they claim after a break."""

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo.adaptive import adapted
from zoo.errors import InputError

LEVELS = (0.1, 0.5, 0.9)


def bands(rows, horizon, width):
    """The same quantiles -width, 0, width for every window: [n, T, 1, 3]."""
    return np.tile(np.array([-width, 0.0, width]), (rows, horizon, 1, 1))


def test_a_miss_and_a_hit_move_a_quantile_as_the_rule_says():
    actual = np.array([5.0, 0.0, 0.0]).reshape(3, 1, 1)
    moved = adapted(bands(3, 1, 1.0), actual, np.arange(10, 13), LEVELS, rate=0.1)[:, 0, 0]
    # Above both: up by rate * level * band = 0.1 * 0.1 * 2 and 0.1 * 0.9 * 2. Then between them, the lower goes up by
    # the same again, and the upper down by 0.1 * 0.1 * 2.
    assert moved[0] == pytest.approx([-1.0, 0.0, 1.0])
    assert moved[1] == pytest.approx([-0.98, 0.0, 1.18])
    assert moved[2] == pytest.approx([-0.96, 0.0, 1.16])


def test_what_is_known_later_moves_less():
    actual = np.array([[0.0, 5.0], [0.0, 0.0], [0.0, 0.0]])[..., None]
    moved = adapted(bands(3, 2, 1.0), actual, np.arange(10, 13), LEVELS, rate=0.1)[:, 1, 0]
    assert moved[1] == pytest.approx([-1.0, 0.0, 1.0])  # the second step of the first window is not known yet
    assert moved[2] == pytest.approx([-1 + 0.02 / 2**0.5, 0.0, 1 + 0.18 / 2**0.5])


@pytest.mark.parametrize("horizon", [1, 4])
def test_a_forecast_is_moved_by_nothing_later_than_its_origin(horizon):
    random = np.random.default_rng(0)
    series = random.normal(size=60)
    rows = np.arange(5, 60 - horizon)

    def moved(values):
        actual = values[rows[:, None] + np.arange(horizon)][..., None]
        return adapted(bands(len(rows), horizon, 0.5), actual, rows, LEVELS)

    changed = series.copy()
    changed[30:] = 100.0
    before, after = moved(series), moved(changed)
    knows = rows > 30  # its origin is row 30 or later
    assert np.array_equal(before[~knows], after[~knows])
    assert not np.isclose(before[knows][:, 0], after[knows][:, 0]).all(axis=(1, 2)).any()


def test_soon_after_a_break_the_interval_holds_what_it_claims():
    random = np.random.default_rng(0)
    actual = random.normal(size=(2000, 2, 1)) * np.where(np.arange(2000) < 500, 1.0, 3.0)[:, None, None]
    still = bands(2000, 2, 1.2816)
    moved = adapted(still, actual, np.arange(2000), LEVELS)

    def coverage(quantiles):
        return np.mean((quantiles[700:, ..., 0] <= actual[700:]) & (actual[700:] <= quantiles[700:, ..., -1]))

    assert coverage(still) < 0.4
    assert coverage(moved) == pytest.approx(0.8, abs=0.03)
    assert np.array_equal(moved[..., 1], still[..., 1])


def test_quantiles_never_cross_and_unknown_values_move_nothing():
    actual = np.full((300, 1, 1), -9.0)
    levels = (0.05, 0.1, 0.5, 0.9)
    quantiles = np.tile(np.array([-1.0, -0.5, 0.0, 0.1]), (300, 1, 1, 1))
    moved = adapted(quantiles, actual, np.arange(300), levels, rate=0.2)
    assert (np.diff(moved, axis=-1) >= 0).all()
    assert np.array_equal(adapted(quantiles, actual * np.nan, np.arange(300), levels), quantiles)


@pytest.fixture
def restless():
    """A random walk whose steps become three times as large after the validation part."""
    steps = np.random.default_rng(3).normal(size=1500) * np.where(np.arange(1500) < 700, 1.0, 3.0)
    time = pd.date_range("2020-01-01", periods=1500, freq="D")
    return pd.DataFrame({"date": time, "close": 1000 + steps.cumsum()})


def prepared(frame, **settings):
    how = {"targets": "close", "split": (500, 200, 800), "quantiles": LEVELS, "horizon": 2, **settings}
    return zoo.prepare(frame, **how)


def test_a_kept_model_forecasts_as_it_was_scored(restless, tmp_path):
    data = prepared(restless, adaptive=True)
    model = zoo.create("naive", data.problem)
    zoo.fit(model, data.train, data.valid)
    scored, actual = zoo.forecast(model, data.test)[:, :, 0], data.test.truth()[:, :, 0]
    held = np.mean((scored[200:, :, 0] <= actual[200:]) & (actual[200:] <= scored[200:, :, 2]))
    fixed = prepared(restless)
    other = zoo.create("naive", fixed.problem)
    zoo.fit(other, fixed.train, fixed.valid)
    assert zoo.evaluate(other, fixed.test)["coverage"] < 0.7
    assert held == pytest.approx(0.8, abs=0.03)

    zoo.save(model, tmp_path / "kept", data, variant="naive")
    kept = zoo.load_model(tmp_path / "kept")
    every = zoo.forecast_next(kept, zoo.load(restless), origin="all")
    # The test windows' origins are rows 699 to 1497; `all` begins at row 6.
    own = every[["close_q10", "close", "close_q90"]].to_numpy().reshape(-1, 2, 3)[693 : 693 + len(scored)]
    assert own == pytest.approx(scored, abs=1e-9)
    newest = zoo.forecast_next(kept, zoo.load(restless))
    assert newest["close_q90"].to_numpy() == pytest.approx(every["close_q90"].to_numpy()[-2:])
    without = zoo.forecast_next(kept, zoo.load(restless.iloc[:690]))
    still = zoo.forecast_next(kept, zoo.load(restless.iloc[:690]), origin="all")
    assert without["close_q90"].to_numpy() == pytest.approx(still["close_q90"].to_numpy()[-2:])


def test_what_cannot_adapt_is_refused(restless):
    with pytest.raises(InputError, match="adaptive moves quantiles: name them too"):
        prepared(restless, adaptive=True, quantiles=())
    both = pd.concat([restless.assign(name=name) for name in "ab"])
    with pytest.raises(InputError, match="adaptive quantiles follow one series"):
        prepared(zoo.load(both, series="name"), adaptive=True)
