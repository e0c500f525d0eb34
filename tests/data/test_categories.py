"""Categories: columns that name kinds become codes that training has learned, and vectors that a model learns."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from tests.conftest import run_zoo_here
from zoo.data.categories import coded, named
from zoo.errors import InputError
from zoo.train.evaluate import forecast
from zoo.train.store import saved_model

HOW = {"targets": "y", "lookback": 2, "normalise": "none"}


def shops(rows=400, signs=(1, -1, 1), seed=0):
    """What moves sales today moves them tomorrow, up in shops a and c and down in shop b."""
    random, frames = np.random.default_rng(seed), []
    for name, sign in zip("abc", signs, strict=True):
        drive = random.normal(size=rows)
        y = np.concatenate([[0.0], sign * drive[:-1]]) + 0.1 * random.normal(size=rows)
        frame = pd.DataFrame({"date": pd.date_range("2020-01-01", periods=rows), "drive": drive, "y": y})
        frames.append(frame.assign(shop=name, kind="up" if sign > 0 else "down"))
    return pd.concat(frames, ignore_index=True)


def prepared(frame, *categories, **more):
    return zoo.prepare(frame, series="shop", categories=categories or None, channels=["drive", "y"], **{**HOW, **more})


def test_names_are_sorted_and_missing_ones_have_no_place():
    places, names = named(pd.Series(["b", "a", None, " b"]))
    assert names == ("a", "b")
    np.testing.assert_array_equal(places, [1, 0, np.nan, 1])


def test_whole_numbers_are_named_alike_with_and_without_missing_values():
    assert named(pd.Series([1, 10, 2]))[1] == named(pd.Series([1.0, 10, np.nan, 2]))[1] == ("1", "10", "2")


def test_codes_begin_at_one_and_unknown_or_missing_names_are_zero():
    places = np.array([0.0, 1.0, 2.0, np.nan])
    np.testing.assert_array_equal(coded(places, ("a", "b", "c"), ("b", "c")), [0, 1, 2, 0])


@pytest.mark.parametrize(
    "name", ["hybrid-lstm", "hybrid-segrnn", "ensemble-lstm", "gradient-boosting", "ridge", "naive"]
)
@pytest.mark.parametrize("task", [{}, {"quantiles": (0.1, 0.5, 0.9)}, {"direction": True}])
def test_variants_that_train_in_their_own_way_are_fitted_with_categories(name, task):
    data = prepared(shops(200), "shop", "kind", lookback=4, **task)
    model = zoo.create(name, data.problem)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=2, device="cpu"))
    assert all(value is None or np.isfinite(value) for value in _figures(zoo.evaluate(model, data.test)))
    without = zoo.create(name, prepared(shops(200), lookback=4, **task).problem)
    if name in ("naive", "ridge"):  # they look at the target's own past alone
        assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in without.parameters())


def _figures(scores):
    return [value for value in scores.values() if not isinstance(value, dict)]


def test_a_committee_learns_what_a_category_tells():
    errors = []
    for chosen in ((), ("shop",)):
        data = prepared(shops(), *chosen)
        model = zoo.create("hybrid-lstm", data.problem)
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=20, learning_rate=5e-3, device="cpu"))
        errors.append(zoo.evaluate(model, data.test)["rmse"])
    assert errors[1] < 0.3 < 0.8 < errors[0]


@pytest.mark.parametrize("categories", [("shop",), ("kind",), ("shop", "kind")])
def test_what_a_category_tells_is_learned_and_without_it_nothing_can_be(categories):
    errors = []
    for chosen in ((), categories):
        data = prepared(shops(), *chosen)
        model = zoo.create("lstm", data.problem)
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=20, learning_rate=5e-3, device="cpu"))
        errors.append(zoo.evaluate(model, data.test)["rmse"])
    assert errors[1] < 0.2 < 0.8 < errors[0]


def test_codes_stand_in_every_row_of_a_series():
    data = prepared(shops(), "shop")
    assert data.problem.categories == ((2, 3),) and data.problem.plain == (2,)
    assert data.categories == {"shop": ("a", "b", "c")}
    for part in (data.train, data.valid, data.test):
        x, _ = part.gather(torch.arange(len(part)))
        assert (x[..., 2] == x[:, :1, 2]).all()
    np.testing.assert_array_equal(x[:, 0, 2], data.panel.of_test + 1)


def test_a_name_that_no_training_window_holds_is_like_a_missing_one():
    frame = shops()
    late = frame["date"] > frame["date"].iloc[300]
    frames = [frame.assign(kind=frame["kind"].mask(late, later)) for later in ("new", None)]
    one, other = (prepared(each, "kind") for each in frames)
    assert one.categories == other.categories == {"kind": ("down", "up")}
    assert torch.equal(one.test.values, other.test.values)
    assert (one.test.values[torch.from_numpy(late.to_numpy(copy=True)), 2] == 0).all()
    assert one.fingerprint != other.fingerprint


def test_names_of_later_rows_change_no_earlier_window():
    frame = shops()
    later = frame.copy()
    later.loc[frame["date"] > frame["date"].iloc[300], "kind"] = "another"
    x, other = (prepared(each, "kind").train.gather(torch.arange(500))[0] for each in (frame, later))
    assert torch.equal(x, other)


def test_a_category_may_be_known_in_advance():
    frame = shops().drop(columns="shop").iloc[:400]
    random = np.random.default_rng(0)
    frame["kind"] = random.choice(["high", "low"], size=400)
    frame["y"] = np.where(frame["kind"] == "high", 5.0, 0.0) + 0.1 * random.normal(size=400)
    data = zoo.prepare(frame[["date", "y", "kind"]], categories=["kind"], known=["kind"], **HOW)
    x, _ = data.test.gather(torch.arange(len(data.test)))
    codes = (frame["kind"] == "low").to_numpy()[data.test.target_rows()] + 1
    np.testing.assert_array_equal(x[:, -1, 1], codes)
    model = zoo.create("gru", data.problem)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=40, learning_rate=5e-3, device="cpu"))
    assert zoo.evaluate(model, data.test)["rmse"] < 0.4 < 2 < data.test.units.deviation[0]


def test_fit_and_predict_on_the_command_line_know_the_names(tmp_path):
    frame = shops(120)
    frame.to_csv(tmp_path / "shops.csv", index=False)
    how = ["--targets", "y", "--series", "shop", "--categories", "shop,kind", "--channels", "drive,y"]
    how += ["--lookback", "2", "--set", "fit.max_epochs=2", "--out", str(tmp_path / "model")]
    done = run_zoo_here("fit", "lstm", str(tmp_path / "shops.csv"), *how)
    assert done.returncode == 0, done.stderr
    file = json.loads((tmp_path / "model" / "model.json").read_text())
    assert file["categories"] == {"shop": ["a", "b", "c"], "kind": ["down", "up"]}
    saved = zoo.load_model(tmp_path / "model")
    done = run_zoo_here("predict", str(tmp_path / "model"), str(tmp_path / "shops.csv"))
    assert done.returncode == 0, done.stderr
    forecasts = [float(line.split(",")[-1]) for line in done.stdout.splitlines()[1:]]
    renamed = zoo.load(frame.assign(kind="never seen"), **saved.reading)
    other = zoo.forecast_next(saved, renamed)["y"].to_numpy()
    assert len(forecasts) == 3 and np.abs(np.array(forecasts) - other).max() > 1e-6
    forecaster = zoo.Forecaster.load(tmp_path / "model")
    np.testing.assert_allclose(forecaster.predict(frame)["y"], forecasts, rtol=1e-5)
    done = run_zoo_here("explain", str(tmp_path / "model"), str(tmp_path / "shops.csv"))
    assert done.returncode == 2 and "the model has categories (shop, kind), whose vectors cannot be" in done.stderr


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"targets": "kind", "categories": ["kind"]}, "names kinds, and zoo forecasts numbers"),
        ({"categories": ["knd"]}, "did you mean 'kind'"),
        ({"categories": "kind"}, "categories must be"),
        ({"categories": ["kind", "drive"], "channels": ["kind", "y"], "targets": "drive"}, "names kinds"),
    ],
)
def test_what_cannot_be_a_category_is_refused(more, says):
    with pytest.raises(InputError, match=says):
        zoo.prepare(shops(), series="shop", **{**HOW, **more})


def test_codes_stand_in_cleaned_inputs_too():
    data = prepared(shops(), "shop", outliers="clip")
    assert data.train.inputs is not None
    assert torch.equal(data.train.inputs[:, 2], data.train.values[:, 2]) and data.train.values[:, 2].max() == 3


def test_a_table_that_was_read_without_the_categories_is_refused_in_one_line():
    data = prepared(shops(120), "shop", "kind")
    saved = saved_model(zoo.create("lstm", data.problem), data, variant="lstm")
    for table in (zoo.load(shops(120), series="shop"), zoo.load(shops(120), series="shop", categories=["shop"])):
        with pytest.raises(
            InputError, match="the model learned .*kind as names of kinds, and series .* was read without"
        ):
            zoo.forecast_next(saved, table)
    assert len(zoo.forecast_next(saved, zoo.load(shops(120), **saved.reading))) == 3


def test_past_forecasts_of_a_kept_model_read_the_codes_that_its_windows_hold():
    frame = shops().query("shop == 'a'").drop(columns=["shop", "kind"])
    random = np.random.default_rng(1)
    frame["kind"] = random.choice(["b", "c"], size=len(frame))
    frame["other"] = random.choice(["x", "y", "z"], size=len(frame))
    frame.loc[frame.index >= 350, "kind"] = (
        "a"  # in test rows alone, and first by name: other positions, the same codes
    )
    table = zoo.load(frame, categories=["other", "kind"])
    data = zoo.prepare(table, known=["other"], channels=["drive", "y"], calendar=["weekday"], **HOW)
    model = zoo.create("lstm", data.problem, seed=1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    saved = saved_model(model, data, variant="lstm")
    every = zoo.forecast_next(saved, zoo.load(_with_known_row(frame), categories=["kind", "other"]), origin="all")
    ahead = forecast(model, data.test)[:, 0, 0]
    past = every.set_index("time")["y"].loc[data.time[data.test.target_rows()]]
    np.testing.assert_allclose(past, ahead, rtol=1e-5)
    assert ahead.std() > 0.1


def _with_known_row(frame):
    """One more row, of which only what is known in advance is there."""
    after = {"date": frame["date"].iloc[-1] + pd.Timedelta(days=1), "other": "x"}
    return pd.concat([frame, pd.DataFrame([after])], ignore_index=True)
