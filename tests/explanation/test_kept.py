"""A kept model is explained on the rows that it was tested on, and says so where there are none."""

import numpy as np
import pandas as pd
import pytest

import zoo
from tests.cases import made_cases, ts_text
from tests.conftest import price_frame, run_zoo_here
from zoo.explanation.kept import kept_data

QUICK = ["--set", "fit.max_epochs=2"]


def fitted(tmp_path, source, *how, name="lstm", more=QUICK):
    ended = run_zoo_here("fit", name, source, *how, *more, "--out", tmp_path / "model")
    assert ended.returncode == 0, ended.stderr
    return zoo.load_model(tmp_path / "model")


@pytest.mark.parametrize(
    "how",
    [
        [],
        ["--horizon", "3", "--scaler", "log", "--normalise", "instance"],
        ["--targets", "close,open", "--interval", "80", "--conformal"],
        ["--direction"],
        ["--flat", "1%"],
        ["--calendar", "weekday,month"],
        ["--split", "2020-10-01,2020-12-01"],
        ["--split", "200,40,40"],
    ],
    ids=" ".join,
)
def test_the_test_part_has_the_error_that_fit_printed(prices_csv, tmp_path, how):
    saved = fitted(tmp_path, prices_csv, *([] if "--targets" in how else ["--targets", "close"]), *how)
    data, is_of_fit = kept_data(saved, zoo.load(prices_csv))
    assert is_of_fit
    if how[-1:] == ["200,40,40"]:  # the rows that fit left unused are as new as its test rows
        assert len(data.test) == 60
        return
    metrics = saved.file.about["metrics"]
    importance = zoo.explain(saved, prices_csv, methods=["permutation"], repeats=2).importance
    assert importance.base == pytest.approx(metrics[importance.error], rel=1e-5)
    names = zoo.explain(saved, prices_csv, methods=["gates"], windows=5).channels
    assert len(names) == saved.model.problem.channels and len(set(names)) == len(names)


def test_known_columns_and_marks_of_gaps_are_inputs_with_names(prices, tmp_path):
    prices["promo"] = np.arange(300) % 7 == 0
    prices["promo"] = prices["promo"].astype(float)
    prices["high"] = prices["high"].where(prices.index % 50 != 9)
    prices.to_csv(tmp_path / "p.csv", index=False)
    saved = fitted(tmp_path, tmp_path / "p.csv", "--targets", "close", "--known", "promo", "--missing", "mask")
    explained = zoo.explain(saved, tmp_path / "p.csv", windows=20, repeats=2)
    assert explained.channels[-2:] == ("promo (known in advance)", "high (missing)")
    assert explained.part == "test" and explained.importance is not None


def test_a_model_of_several_series_is_explained_on_the_rows_of_its_fit(tmp_path):
    stocks = pd.concat([price_frame(120, seed=number).assign(symbol=f"S{number}") for number in range(3)])
    stocks.to_csv(tmp_path / "stocks.csv", index=False)
    saved = fitted(tmp_path, tmp_path / "stocks.csv", "--series", "symbol", "--targets", "close")
    explained = zoo.explain(saved, tmp_path / "stocks.csv", repeats=2)
    assert explained.available == 3 * 24
    assert explained.importance.base == pytest.approx(saved.file.about["metrics"]["rmse"], rel=1e-5)
    assert zoo.explain(saved, tmp_path / "stocks.csv", methods=["permutation"], windows=10).windows == 10
    stocks.iloc[:-1].to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(zoo.InputError, match="does not hold exactly the rows of the fit, .* several series"):
        zoo.explain(saved, tmp_path / "other.csv")
    with pytest.raises(zoo.InputError, match="--part all is for one series"):
        zoo.explain(saved, tmp_path / "stocks.csv", part="all")


def test_a_model_of_classes_is_explained_on_the_cases_of_its_fit(tmp_path):
    (tmp_path / "made.ts").write_text(ts_text(made_cases(90)))
    saved = fitted(tmp_path, tmp_path / "made.ts", name="gru")
    explained = zoo.explain(saved, tmp_path / "made.ts", repeats=2)
    assert explained.importance.base == pytest.approx(saved.file.about["metrics"]["log_loss"], rel=1e-5)
    (tmp_path / "other.ts").write_text(ts_text(made_cases(90, seed=1)))
    with pytest.raises(zoo.InputError, match="does not hold exactly the rows of the fit, .* classes"):
        zoo.explain(saved, tmp_path / "other.ts")
    with pytest.raises(zoo.InputError, match="the model classifies sequences"):
        zoo.explain(saved, price_csv(tmp_path))


def price_csv(folder, rows=300, seed=0):
    price_frame(rows, seed).to_csv(folder / "prices.csv", index=False)
    return folder / "prices.csv"


def test_rows_that_came_after_the_fit_belong_to_the_test_part(tmp_path):
    whole = price_frame(360)
    whole.head(300).to_csv(tmp_path / "first.csv", index=False)
    saved = fitted(tmp_path, tmp_path / "first.csv", "--targets", "close")
    data, is_of_fit = kept_data(saved, zoo.load(whole))
    assert is_of_fit and len(data.test) == 60 + 60
    old, _ = kept_data(saved, zoo.load(tmp_path / "first.csv"))
    assert (data.test.values[:300] == old.test.values).all()  # the scaler is that of the fit


def test_a_model_that_learned_all_rows_says_so(tmp_path):
    whole = price_frame(340)
    source = tmp_path / "prices.csv"
    whole.head(300).to_csv(source, index=False)
    saved = fitted(tmp_path, source, "--targets", "close", "--refit")
    explained = zoo.explain(saved, source, methods=["gates"])
    assert explained.part == "train" and explained.available == 293
    notes = " ".join(explained.notes)
    assert "no test part is left" in notes and "training has learned these rows" in notes
    with pytest.raises(zoo.InputError, match="the test part has no windows, since the fit used all its rows"):
        zoo.explain(saved, source, part="test")
    later = zoo.explain(saved, whole, methods=["gates"])
    assert later.part == "test" and later.available == 40 and not later.notes


@pytest.mark.parametrize("rows", [200, 320])
def test_other_rows_are_explained_as_a_whole_in_the_model_s_units(tmp_path, rows):
    source = price_csv(tmp_path)
    saved = fitted(tmp_path, source, "--targets", "close")
    other = price_frame(rows, seed=5)
    explained = zoo.explain(saved, other)
    assert explained.part == "all" and explained.available == rows - 7
    assert "does not begin with the rows of the fit" in explained.notes[0]
    past = zoo.forecast_next(saved, zoo.load(other), origin="all").dropna()
    rmse = float(np.sqrt(np.mean((past["close"] - past["close_actual"]) ** 2)))
    assert explained.importance.base == pytest.approx(rmse, rel=1e-5)
    with pytest.raises(zoo.InputError, match="--part all explains all of its windows"):
        zoo.explain(saved, other, part="test")
    with pytest.raises(zoo.InputError, match="volume of DataFrame never changes"):
        zoo.explain(saved, other.assign(volume=4.0))


def test_what_select_would_keep_of_a_ridge_is_explained_on_its_validation_rows(tmp_path):
    """zoo select trains what it cannot train for epochs on the oldest 90 % of the rows, and takes the others for
    validation."""
    source = price_csv(tmp_path)
    data = zoo.prepare(source, targets="close", split=(0.9, 0.1, 0.0))
    model = zoo.create("ridge", data.problem)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(), seed=0)
    about = {"split": [210, 30, 60], "rows": 300, "rows_learned": 270}
    zoo.save(model, tmp_path / "model", data, variant="ridge", about=about)
    explained = zoo.explain(zoo.load_model(tmp_path / "model"), source)
    assert explained.part == "validation" and explained.available == 30


def test_a_model_saved_without_its_split_has_no_known_parts(tmp_path):
    source = price_csv(tmp_path)
    data = zoo.prepare(source, targets="close")
    zoo.save(zoo.create("lstm", data.problem), tmp_path / "model", data, variant="lstm")
    assert zoo.explain(zoo.load_model(tmp_path / "model"), source, methods=["gates"]).part == "all"
