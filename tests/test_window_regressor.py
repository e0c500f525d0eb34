"""zoo.WindowRegressor is an estimator of scikit-learn by scikit-learn's own checks, and make_windows its data."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import zoo
from tests.cases import made_cases

QUICK = {"lookback": 6, "max_epochs": 3, "random_state": 0}


def autoregression(rows=300):
    """A series whose next value is known: 0.6 of the last one less 0.3 of the one before, and an input."""
    random = np.random.default_rng(0)
    other, value = random.normal(size=rows), np.zeros(rows)
    for row in range(2, rows):
        value[row] = 0.6 * value[row - 1] - 0.3 * value[row - 2] + 0.5 * other[row - 1]
    return pd.DataFrame({"value": value, "other": other})


# The defaults stop too early on the 200 rows of scikit-learn's own regression, of which 20 are for validation.
FEW_ROWS = {"learning_rate": 2e-2, "batch_size": 16, "max_epochs": 40, "validation_share": 0}


@pytest.mark.parametrize(
    "estimator",
    [
        zoo.WindowRegressor("ridge"),
        pytest.param(zoo.WindowRegressor("lstm", **FEW_ROWS), marks=pytest.mark.slow),
    ],
    ids=lambda estimator: estimator.variant,
)
def test_scikit_learns_checks_pass_without_exclusions(estimator):
    ended = check_estimator(estimator, on_skip=None)
    skipped = [each["check_name"] for each in ended if each["status"] != "passed"]
    assert set(skipped) <= {"check_array_api_input"} and len(ended) > 50  # that one needs another array library


def test_windows_hold_the_rows_before_each_target(prices):
    x, y = zoo.make_windows(prices, "close", lookback=3, channels=["open", "close", "volume"])
    assert list(x) == [f"{name} {step}" for step in ("t-2", "t-1", "t") for name in ("open", "volume", "close")]
    assert x.shape == (297, 9) and y.name == "close" and x.index.equals(y.index) and x.index.name == "time"
    for row in (0, 150, 296):
        np.testing.assert_array_equal(
            x.iloc[row], prices[["open", "volume", "close"]].iloc[row : row + 3].to_numpy().ravel()
        )
        assert y.iloc[row] == prices["close"].iloc[row + 3]
        assert x.index[row] == pd.Timestamp(prices["date"].iloc[row + 2])
    x, y = zoo.make_windows(prices["close"], lookback=3, horizon=2)
    assert list(y) == ["close t+1", "close t+2"] and len(x) == len(y) == 296 and x.index.name == "row"
    np.testing.assert_array_equal(y.to_numpy()[7], prices["close"].to_numpy()[10:12])
    newest, none = zoo.make_windows(prices["close"], lookback=3, horizon=0)
    assert none is None and len(newest) == 298
    np.testing.assert_array_equal(newest.iloc[-1], prices["close"].to_numpy()[-3:])


def test_a_fill_is_no_target(prices):
    prices.loc[50, "close"] = np.nan
    with pytest.raises(zoo.InputError, match="missing values in DataFrame: close 1"):
        zoo.make_windows(prices, "close")
    x, y = zoo.make_windows(prices, "close", lookback=3, missing="ffill")
    assert len(x) == 296 and pd.Timestamp(prices["date"][49]) not in y.index
    assert x.loc[pd.Timestamp(prices["date"][50]), "close t"] == prices["close"][49]


def test_it_learns_a_rule_and_naive_repeats_the_last_value():
    x, y = zoo.make_windows(autoregression(), "value", lookback=4)
    own = zoo.WindowRegressor("gru", lookback=4, learning_rate=1e-2, max_epochs=40, random_state=0)
    assert own.fit(x[:-60], y[:-60]).score(x[-60:], y[-60:]) > 0.95
    naive = zoo.WindowRegressor("naive", lookback=4, normalise="last").fit(x, y)
    np.testing.assert_allclose(naive.predict(x), x["value t"], atol=1e-6)
    first = zoo.WindowRegressor("naive", lookback=4, normalise="last", target=0).fit(x, y)
    np.testing.assert_allclose(first.predict(x), x["other t"], atol=1e-6)


def test_a_row_does_not_depend_on_the_rows_beside_it():
    x, y = zoo.make_windows(autoregression(), "value", lookback=6, horizon=3)
    own = zoo.WindowRegressor("gru", **QUICK).fit(x, y)
    whole = own.predict(x)
    assert whole.shape == (len(x), 3) and own.predict(x[:1]).shape == (1, 3)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_allclose(own.predict(x.iloc[order]), whole[order], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(own)).predict(x), whole)
    np.testing.assert_array_equal(clone(own).fit(x, y).predict(x), whole)
    assert not np.array_equal(clone(own).set_params(random_state=1).fit(x, y).predict(x), whole)


def test_only_training_rows_are_learned_from_and_scaled_by():
    x, y = zoo.make_windows(autoregression(), "value", lookback=6)
    own = zoo.WindowRegressor("linear", **QUICK, patience=0).fit(x, y)
    count = len(x) - int(0.1 * len(x))
    flat = x.to_numpy()[:count].reshape(-1, 2)
    np.testing.assert_allclose(own.scaler_.center, flat.mean(axis=0))
    assert own.y_center_ == pytest.approx(y[:count].mean()) and own.y_scale_ == pytest.approx(y[:count].std(ddof=0))
    changed = y.copy()
    changed[count:] *= 100  # what only tells the best epoch
    other = zoo.WindowRegressor("linear", **QUICK, patience=0).fit(x, changed)
    losses = [[epoch.train_loss for epoch in each.history_.epochs] for each in (own, other)]
    assert losses[0] == losses[1] and len(losses[0]) == 3
    assert zoo.WindowRegressor("linear", **QUICK, validation_share=0).fit(x, y).history_.epochs[0].valid_loss is None


def test_it_serves_in_a_pipeline_and_in_a_search():
    x, y = zoo.make_windows(autoregression(), "value", lookback=6)
    whole = make_pipeline(StandardScaler(), zoo.WindowRegressor("linear", **QUICK))
    search = GridSearchCV(
        whole,
        {
            "windowregressor__variant": ["linear", "gru"],
            "windowregressor__max_epochs": [2, 40],
            "windowregressor__learning_rate": [1e-2],
        },
        cv=TimeSeriesSplit(2),
    ).fit(x, y)
    assert search.best_params_["windowregressor__max_epochs"] == 40 and search.best_score_ > 0.5
    assert search.score(x, y) > 0.5 and len(search.cv_results_["params"]) == 4
    one = {"windowregressor__params": {"hidden_size": 8}, "windowregressor__variant": "lstm"}
    lstm = clone(whole).set_params(**one).fit(x, y)
    assert lstm[-1].model_.variant.lstm.hidden_size == 8
    assert len(cross_val_score(whole, x, y, cv=TimeSeriesSplit(3))) == 3


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"variant": "ltsm"}, "unknown variant 'ltsm'; did you mean 'lstm'"),
        ({"lookback": 5}, "X must have a multiple of lookback = 5 columns, one for each channel, got 12"),
        ({"lookback": 0}, "lookback must be a whole number >= 1, got 0"),
        ({"target": 2}, "target must be the position of one of 2 channels, got 2"),
        ({"normalise": "mean"}, "normalise must be none, last or instance, got 'mean'"),
        ({"params": {"hiden_size": 2}}, "unknown parameter 'hiden_size' of variant 'lstm'"),
        ({"max_epochs": 0}, "max_epochs must be >= 1, got 0"),
        ({"fit_settings": {"patiense": 1}}, "unknown parameter 'patiense' of fit"),
        ({"validation_share": 1.0}, "validation_share must be a share from 0 to below 1, got 1.0"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_one_line(settings, rule):
    x, y = zoo.make_windows(autoregression(50), "value", lookback=6)
    with pytest.raises(zoo.InputError, match=rule):
        zoo.WindowRegressor(**{"variant": "lstm", **QUICK, **settings}).fit(x, y)


def test_what_are_no_windows_is_refused(prices):
    for call, rule in (
        (lambda: zoo.make_windows(prices), r"name at least one target column of DataFrame \(open"),
        (lambda: zoo.make_windows(prices, "close", lookback=300), r"has 300, one window needs 300 \+ 1"),
        (lambda: zoo.make_windows(prices, "close", horizon=-1), "horizon must be a whole number >= 1, got -1"),
        (lambda: zoo.make_windows(made_cases(5)), "data must be what zoo.load takes or returns, got Cases"),
        (lambda: zoo.make_windows(zoo.load(prices.assign(s="a"), series="s"), "close"), "takes one series"),
    ):
        with pytest.raises(zoo.InputError, match=rule):
            call()
