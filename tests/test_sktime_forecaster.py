"""zoo.SktimeForecaster is a forecaster of sktime by sktime's own checks, with the figures of zoo.Forecaster."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest

import zoo

pytest.importorskip("sktime")
from sktime.forecasting.base import ForecastingHorizon
from sktime.forecasting.compose import TransformedTargetForecaster
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.split import ExpandingWindowSplitter
from sktime.transformations.detrend import Detrender
from sktime.utils.estimator_checks import check_estimator

SMALL = {"lookback": 6, "max_epochs": 3, "random_state": 3}


def walk(rows=60, columns=("value",), seed=0):
    """Daily random walks."""
    values = np.random.default_rng(seed).normal(size=(rows, len(columns))).cumsum(axis=0)
    return pd.DataFrame(values, pd.date_range("2024-01-01", periods=rows, freq="D"), columns=list(columns))


def with_promotions(rows=80):
    """A series that a promotion of the same day lifts by 5, and the promotions."""
    is_on = np.random.default_rng(1).integers(0, 2, size=rows).astype(float)
    index = pd.date_range("2024-01-01", periods=rows, freq="D")
    return pd.Series(5 * is_on, index, name="sales"), pd.DataFrame({"promotion": is_on}, index)


# What sktime 1.2 itself does with pandas 3.1, and a package that it lacks here.
@pytest.mark.filterwarnings(
    "ignore:PeriodIndex.is_full is deprecated:DeprecationWarning",
    "ignore:Sorting by default when concatenating all DatetimeIndex:DeprecationWarning",
    "ignore:Forecasters' predict_proba requires skpro:UserWarning",
)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("forecaster", "least"),
    [(zoo.SktimeForecaster, 700), (zoo.SktimeForecaster("naive", lookback=4), 350)],
    ids=["lstm with quantiles and ridge", "naive"],
)
def test_sktimes_checks_pass_without_exclusions(forecaster, least, monkeypatch):
    monkeypatch.setattr("zoo.run.environment.commit", lambda: None)  # it starts git twice at each of 700 fits
    assert zoo.SktimeForecaster.get_class_tag("tests:skip_by_name") is None
    ended = check_estimator(forecaster, raise_exceptions=True, verbose=False)
    assert set(ended.values()) == {"PASSED"} and len(ended) > least


@pytest.mark.parametrize(
    ("variant", "settings"),
    [
        ("gru", {"params": {"hidden_size": 8}, "scaler": "robust"}),
        ("lstm", {"quantiles": (0.1, 0.5, 0.9), "normalise": "none", "refit": True}),
        ("ridge", {}),
    ],
)
def test_forecasts_are_those_of_forecaster(variant, settings):
    y = walk(60, ["a", "b"])
    own = zoo.SktimeForecaster(variant, **SMALL, **settings).fit(y, fh=[1, 2, 3])
    how = {name: value for name, value in settings.items() if name not in ("params", "refit")}
    how |= {"lookback": 6, "horizon": 3, "split": (54, 6, 0), "fit": {"max_epochs": 3}, **settings.get("params", {})}
    other = zoo.Forecaster(variant, targets=["a", "b"], **how).fit(y, seed=3, refit=settings.get("refit", False))
    expected = other.predict().set_index("time")
    predicted = own.predict()
    assert list(predicted.index) == list(expected.index) and predicted.index.freq == "D"
    np.testing.assert_array_equal(predicted, expected[["a", "b"]])
    if "quantiles" in settings:
        lines = own.predict_quantiles(alpha=[0.1, 0.9])
        np.testing.assert_array_equal(lines[("b", 0.9)], expected["b_q90"])
        np.testing.assert_array_equal(own.predict_interval(coverage=0.8)[("a", 0.8, "lower")], expected["a_q10"])
        low, middle = own.predict_quantiles(alpha=[0.3])["a"][0.3], (expected["a_q10"] + expected["a"]) / 2
        np.testing.assert_allclose(low, middle, rtol=1e-6)  # 0.3 lies half way from 0.1 to 0.5


def test_values_after_the_cutoff_change_nothing():
    y, changed = walk(60), walk(60)
    changed[40:] += 1000
    fh = ForecastingHorizon([-2, 0, 1, 4])
    forecasts = []
    for series in (y, changed):
        own = zoo.SktimeForecaster("lstm", **SMALL).fit(series[:40], fh=fh)
        before = own.predict()
        own.update(series[40:], update_params=False)
        assert own.cutoff[0] == y.index[-1] and not own.predict().equals(before)
        own.update(series[30:40], update_params=False)  # the cutoff goes back, and the rows after it stay unseen
        forecasts += [before, own.predict()]
    for each in forecasts:
        np.testing.assert_allclose(each, forecasts[0], rtol=1e-6)
        assert list(each.index) == [y.index[row] for row in (37, 39, 40, 43)]


def test_times_that_have_been_are_one_step_ahead_or_nan():
    y = walk(30)
    own = zoo.SktimeForecaster("naive", lookback=4).fit(y, fh=np.arange(-29, 3))
    actual = y["value"].to_numpy(copy=True)
    y.iloc[:] = 0  # the forecaster has its own rows
    predicted = own.predict()["value"].to_numpy()
    assert np.isnan(predicted[:4]).all()
    np.testing.assert_allclose(predicted[4:30], actual[3:29], rtol=1e-5)
    np.testing.assert_allclose(predicted[30:], actual[-1], rtol=1e-5)


def test_update_forecasts_from_the_newest_rows_and_trains_anew_on_all():
    y = walk(60)
    own = zoo.SktimeForecaster("gru", **SMALL).fit(y[:50], fh=[1, 2])
    model = own.model_
    own.update(y[50:], update_params=False)
    assert own.model_ is model and own.predict().index[0] == y.index[-1] + pd.Timedelta(days=1)
    later = zoo.forecast_next(model, zoo.load(y.rename(columns={"value": "value of y"})))
    np.testing.assert_array_equal(own.predict()["value"], later["value of y"])
    own.update(y[50:], update_params=True)
    whole = zoo.SktimeForecaster("gru", **SMALL).fit(y, fh=[1, 2])
    pd.testing.assert_frame_equal(own.predict(), whole.predict())
    assert not own.predict()["value"].equals(later["value of y"])
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(own)).predict(), whole.predict())


def test_inputs_known_in_advance_are_used():
    y, x = with_promotions()
    quick = {"lookback": 4, "normalise": "none", "max_epochs": 60, "learning_rate": 3e-2, "batch_size": 16}
    own = zoo.SktimeForecaster("gru", **quick, random_state=0).fit(y[:70], x[:70], fh=[1, 2, 3])
    predicted = own.predict(X=x[70:73])
    assert predicted.name == "sales"
    np.testing.assert_allclose(predicted, y[70:73], atol=1)
    np.testing.assert_allclose(own.predict(X=1 - x[70:73]), 5 - y[70:73], atol=1)
    own.update(y[70:75], x[70:75], update_params=False)
    np.testing.assert_allclose(own.predict(X=x[75:78]), y[75:78], atol=1)
    other = zoo.SktimeForecaster("gru", horizon=3, **quick, random_state=0).fit(y[:70], x[:70])
    inside = other.predict(fh=np.arange(-69, 1))
    assert list(np.flatnonzero(inside.isna())) == [0, 1, 2, 3, 68, 69]  # X reaches no horizon of 3 further
    np.testing.assert_allclose(inside[4:68], y[4:68], atol=1)
    assert not other.predict(fh=np.arange(-69, 1), X=x).isna()[4:].any()


def test_the_season_is_that_of_the_times():
    months = pd.Series(np.tile(np.arange(12.0), 5), pd.period_range("2019-01", periods=60, freq="M"))
    own = zoo.SktimeForecaster("seasonal-naive", lookback=12).fit(months, fh=np.arange(1, 13))
    np.testing.assert_allclose(own.predict(), np.arange(12.0), atol=1e-5)
    assert str(own.predict().index[0]) == "2024-01"


def test_it_serves_in_a_pipeline_in_a_search_and_in_evaluate(recwarn):
    y = pd.Series(100 + np.arange(60) + 5 * np.sin(np.arange(60)), walk(60).index)
    pipeline = TransformedTargetForecaster([("trend", Detrender()), ("model", zoo.SktimeForecaster("linear", **SMALL))])
    folds = ExpandingWindowSplitter(initial_window=40, step_length=10, fh=[1, 2])
    search = ForecastingGridSearchCV(
        pipeline,
        folds,
        {"model__max_epochs": [1, 40], "model__learning_rate": [1e-2]},
        backend="None",
        error_score="raise",
    ).fit(y, fh=[1, 2])
    assert search.best_params_["model__max_epochs"] == 40 and len(search.predict()) == 2
    scores = evaluate(zoo.SktimeForecaster("naive", lookback=6), folds, y, error_score="raise")
    errors = [np.mean(np.abs(y.iloc[end - 1] / y.iloc[end : end + 2] - 1)) for end in (40, 50)]
    np.testing.assert_allclose(scores["test_MeanAbsolutePercentageError"], errors, rtol=1e-5)
    of_sktime = ("default of config ``remember_data``", "Setting an item of incompatible dtype")  # its own forecasters
    assert all(any(part in str(warned.message) for part in of_sktime) for warned in recwarn)


def test_a_panel_gets_a_model_for_each_series():
    y = pd.concat({name: walk(40, seed=seed) for seed, name in enumerate("ab")}, names=["series", "day"])
    own = zoo.SktimeForecaster("ridge", lookback=5).fit(y, fh=[1, 2])
    alone = zoo.SktimeForecaster("ridge", lookback=5).fit(y.loc["b"], fh=[1, 2]).predict()
    np.testing.assert_allclose(own.predict().loc["b"], alone)


def test_names_of_columns_are_no_matter():
    y = walk(40, ["a", "a_actual"])
    own = zoo.SktimeForecaster("naive", lookback=3).fit(y, X=walk(40, ["a", "a of y"], seed=1), fh=[1])
    predicted = own.predict(X=walk(41, ["a", "a of y"], seed=1)[40:])
    np.testing.assert_allclose(predicted.iloc[0], y.iloc[-1], rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"variant": "ltsm"}, "unknown variant 'ltsm'; did you mean 'lstm'"),
        ({"variant": 3}, "variant must be the name of a variant, got int"),
        ({"lookback": 0}, "lookback must be a whole number >= 1, got 0"),
        ({"lookback": 60}, "too few rows"),
        ({"horizon": 0}, "horizon must be a whole number >= 1, got 0"),
        ({"normalise": "mean"}, "unknown normalise 'mean'"),
        ({"quantiles": (0.1, 0.9)}, "quantiles must contain 0.5"),
        ({"params": {"hiden_size": 2}}, "unknown parameter 'hiden_size' of variant 'lstm'"),
        ({"params": {"calendar": ["weekday"]}}, "unknown parameter 'calendar' of variant 'lstm'"),
        ({"params": 3}, "params must be a dict of the variant's parameters, got int"),
        ({"max_epochs": 0}, "max_epochs must be >= 1, got 0"),
        ({"fit_settings": {"patiense": 1}}, "unknown parameter 'patiense' of fit"),
        ({"validation_share": 1.0}, "validation_share must be a share from 0 to below 1, got 1.0"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_one_line(settings, rule):
    with pytest.raises(zoo.InputError, match=rule):
        zoo.SktimeForecaster(**{"variant": "lstm", **SMALL, **settings}).fit(walk(), fh=[1])


def test_wrong_data_are_one_line():
    y, x = with_promotions()
    quick = {"variant": "ridge", "lookback": 4}
    known = zoo.SktimeForecaster(**quick).fit(y[:70], x[:70], fh=[2])
    with_levels = zoo.SktimeForecaster(**quick, quantiles=(0.1, 0.5, 0.9)).fit(y, fh=[1])
    irregular = walk(60).drop(walk(60).index[[10, 20]])
    for call, rule in (
        (
            lambda: known.predict(),
            r"X must hold promotion until 2 steps after 2024-03-10 .* none for 2024-03-11",
        ),
        (lambda: known.predict(X=x[70:71]), "has none for 2024-03-12"),
        (lambda: known.predict(X=x[70:72].add_suffix("s")), "X must have the columns of fit, and has no promotion"),
        (lambda: zoo.SktimeForecaster(**quick, horizon=2).fit(y).predict([3]), "fh reaches 3 steps ahead"),
        (lambda: with_levels.predict_interval(coverage=0.9), "quantile 0.05 lies outside of those learned, 0.1 to 0.9"),
        (lambda: zoo.SktimeForecaster(**quick).fit(irregular, fh=[1]), "the times of y have no frequency"),
        (lambda: zoo.SktimeForecaster(**quick).fit(0 * y + 1, fh=[1]), "target 'sales of y' of the data is constant"),
    ):
        with pytest.raises(zoo.InputError, match=rule):
            call()


def test_without_sktime_the_way_out_is_named():
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "sktime.datatypes", None)
        patched.delitem(sys.modules, "zoo.sktime_forecaster")
        patched.delitem(vars(zoo), "SktimeForecaster")
        with pytest.raises(
            zoo.InputError, match=r"needs sktime.* is not installed: pip install \"lstm-zoo\[sktime\]\""
        ):
            zoo.SktimeForecaster  # noqa: B018
