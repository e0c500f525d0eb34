"""Exponential smoothing, theta and ARIMA: statsforecast's own forecasts where a window holds the whole series."""

import numpy as np
import pytest
import torch

import zoo
from zoo import registry
from zoo.layers.window_maps import arima_map, smoothing_map
from zoo.models.statistical import AutoARIMA, AutoETS, AutoTheta, _series
from zoo.problem import Problem
from zoo.suite import RunSettings, chosen_models

ROWS = 240


def series(kind):
    random = np.random.default_rng(3)
    noise = random.normal(size=ROWS)
    if kind == "season":
        return 0.3 * np.cumsum(noise) + 5 * np.sin(np.arange(ROWS) * 2 * np.pi / 12)
    if kind == "drift":
        return np.cumsum(noise + 0.2)
    if kind == "turning":  # the slope is a random walk
        return np.cumsum(np.cumsum(0.3 * noise)) + 0.01 * random.normal(size=ROWS)
    values = np.zeros(ROWS)  # autoregressive, around a mean of 4
    for t in range(1, ROWS):
        values[t] = 2.4 + 0.4 * values[t - 1] + noise[t]
    return values


def problem(lookback, normalise="last", horizon=4):
    return Problem(lookback, 1, (0,), (horizon, 1), normalise)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["season", "drift", "turning", "stationary"])
@pytest.mark.parametrize(
    ("build", "theirs", "near"),
    # Their exponential smoothing estimates the first state with the other parameters, ours fits it to the window; their
    # dynamic theta models go on to change the slope ahead.
    [(AutoETS, "AutoETS", 0.1), (AutoTheta, "AutoTheta", 1e-3), (AutoARIMA, "AutoARIMA", 1e-5)],
)
def test_a_window_of_the_whole_series_gives_statsforecasts_forecast(build, theirs, near, kind):
    models = pytest.importorskip("statsforecast.models")
    values = series(kind) if build is AutoARIMA else series(kind) - series(kind).mean()
    settings = {} if build is AutoTheta else {"period": 12}
    own = build(problem(ROWS, "none"), **settings)
    weight, bias = own.estimated(values)
    expected = getattr(models, theirs)(season_length=own.period).fit(values).predict(4)["mean"]
    assert np.abs(weight @ values + bias - expected).max() < near * np.diff(values).std()


@pytest.mark.parametrize("build", [AutoETS, AutoTheta, AutoARIMA])
def test_a_window_without_its_level_is_forecast_relative_to_it(build):
    pytest.importorskip("statsforecast")
    noise = np.random.default_rng(0).normal(size=ROWS)  # which ARIMA does not difference by itself
    weight, _ = build(problem(30)).estimated(noise)
    assert weight.sum(1) == pytest.approx(1, abs=1e-6)


def test_a_seasonal_gain_of_one_repeats_the_last_season(monkeypatch):
    models = pytest.importorskip("statsforecast.models")

    class Found:
        def __init__(self, season_length):
            assert season_length == 2
            states = np.random.default_rng(0).normal(size=(9, 3))
            self.model_ = {"par": [0, np.nan, 1, np.nan], "components": "ANAN", "sigma2": 1.0, "states": states}

        def fit(self, _):
            return self

    monkeypatch.setattr(models, "AutoETS", Found)
    weight, bias = AutoETS(problem(4), period=2).estimated(np.zeros(9))
    assert weight @ np.array([1.0, 5.0, 2.0, 7.0]) + bias == pytest.approx([2, 7, 2, 7])


def test_an_autoregression_returns_to_its_mean():
    pytest.importorskip("statsmodels")
    found = {"arma": (1, 0, 0, 0, 1, 0, 0), "coef": {"ar1": 0.4, "intercept": 4.0}}
    weight, bias = arima_map(found, lookback=6, horizon=3)
    window = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 9.0])
    assert weight @ window + bias == pytest.approx([4 + 0.4**h * (9 - 4) for h in (1, 2, 3)])


def test_a_drift_goes_on():
    pytest.importorskip("statsmodels")
    found = {"arma": (0, 0, 0, 0, 1, 1, 0), "coef": {"drift": 0.5}}
    weight, bias = arima_map(found, lookback=2, horizon=3)
    assert weight @ np.array([7.0, 9.0]) + bias == pytest.approx([9.5, 10.0, 10.5])


@pytest.mark.parametrize(("lookback", "season"), [(24, 12), (23, 1)])
def test_a_season_is_used_where_a_window_shows_it_twice(lookback, season):
    assert AutoETS(problem(lookback), period=12).period == season


@pytest.mark.parametrize(("deviation", "slope"), [(0.0, 0.5), (1e5, 3.0)])
def test_a_first_slope_is_what_is_known_of_it_or_what_the_window_shows(deviation, slope):
    line = np.array([[1.0, 1.0], [0.0, 1.0]])
    weight, bias = smoothing_map(line, np.ones(2), np.array([1.0, 0.0]), [(0.5, deviation)], 2, 3)
    assert weight @ np.array([10.0, 13.0]) + bias == pytest.approx(13 + slope * np.arange(1, 4), rel=1e-4)


def test_a_slope_that_changes_is_taken_from_the_window():
    pytest.importorskip("statsforecast")
    weight, bias = AutoETS(problem(2, "none")).estimated(series("turning"))
    assert (weight @ np.array([10.0, 13.0]) + bias)[0] == pytest.approx(16, abs=1)


def test_one_value_is_forecast_with_the_slope_of_training():
    pytest.importorskip("statsforecast")
    values = series("drift")
    weight, bias = AutoETS(problem(1, "none")).estimated(values)
    ahead = weight @ np.array([50.0]) + bias - 50
    assert ahead == pytest.approx(np.arange(1, 5) * np.diff(values).mean(), rel=0.2)


def test_a_series_that_is_too_short_is_refused(prices):
    pytest.importorskip("statsforecast")
    data = zoo.prepare(zoo.load(prices.head(20)), targets=["close"], lookback=2, split=(4, 8, 8))
    with pytest.raises(zoo.InputError, match="training rows are too few"):
        zoo.fit(zoo.create("auto-ets", data.problem), data.train, data.valid)


def batches(values, lookback, normalise, left_out=()):
    """Consecutive windows with the next two values, as a variant's solve gets them."""
    windows = np.lib.stride_tricks.sliding_window_view(values, lookback + 2)
    windows = np.delete(windows, list(left_out), axis=0)[:, :, None]
    level, scale = windows[:, lookback - 1 : lookback] if normalise == "last" else 0, 1
    if normalise == "instance":
        level, scale = windows[:, :lookback].mean(1, keepdims=True), windows[:, :lookback].std(1, keepdims=True) + 1e-3
    x, y = (torch.from_numpy(part) for part in np.split((windows - level) / scale, [lookback], axis=1))
    return lambda: zip(x.split(7), y.split(7), strict=True)


@pytest.mark.parametrize("lookback", [1, 2, 9])
@pytest.mark.parametrize("normalise", ["last", "none"])
def test_the_series_is_put_together_from_its_windows(lookback, normalise):
    values = series("drift")
    found = _series(batches(values, lookback, normalise), 0, 0, is_scaled=False)
    level = values[lookback - 1] if normalise == "last" else 0
    assert found == pytest.approx(values[:-1] - level)


@pytest.mark.parametrize("lookback", [1, 2, 9])
def test_windows_of_a_scale_of_their_own_give_the_series_in_other_units(lookback):
    values = series("drift")[:-1]
    found = _series(batches(series("drift"), lookback, "instance"), 0, 0, is_scaled=True)
    slope, start = np.polyfit(values, found, 1)
    assert slope > 0 and found == pytest.approx(start + slope * values, rel=1e-6, abs=1e-6)


def test_windows_that_were_left_out_end_a_stretch():
    found = _series(batches(series("drift"), 5, "none", left_out=[100]), 0, 0, is_scaled=False)
    assert found == pytest.approx(series("drift")[101:-1])


def test_a_trained_model_is_kept_without_the_package(tmp_path, prices, monkeypatch):
    pytest.importorskip("statsforecast")
    data = zoo.prepare(zoo.load(prices), targets=["close"])
    model = zoo.create("auto-ets", data.problem)
    zoo.fit(model, data.train, data.valid)
    before = zoo.evaluate(model, data.test)
    zoo.save(model, tmp_path / "kept", data, variant="auto-ets")
    monkeypatch.setattr(registry, "find_spec", lambda _: None)
    assert zoo.evaluate(zoo.load_model(tmp_path / "kept").model, data.test) == before


def test_without_the_package_all_leaves_them_out_and_their_name_tells_what_to_do(monkeypatch, data):
    monkeypatch.setattr(registry, "find_spec", lambda _: None)
    monkeypatch.setattr("zoo.models.statistical.find_spec", lambda _: None)
    assert not {"auto-ets", "auto-theta", "auto-arima"} & set(zoo.list_models())
    assert [v.name for v in registry.absent()] == ["auto-ets", "auto-theta", "auto-arima"]
    with pytest.raises(zoo.InputError, match=r"'auto-ets' needs statsforecast, .*: pip install 'lstm-zoo\[stats\]'"):
        chosen_models(RunSettings(models=["auto-ets"]))
    registry.register("mine", summary="", source="", needs="surely-absent")(torch.nn.Identity)
    with pytest.raises(zoo.InputError, match="'mine' needs surely-absent, .*: pip install surely-absent"):
        registry.require_here("mine")
    with pytest.raises(zoo.InputError, match="not installed"):
        zoo.fit(zoo.create("auto-ets", data.problem), data.train, data.valid)
