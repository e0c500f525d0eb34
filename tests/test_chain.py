"""From a study to a kept model, and from a run to its forecasts as a table."""

import json

import numpy as np
import pandas as pd
import pytest

import zoo
from tests.cases import made_cases, ts_text
from tests.conftest import run_zoo_here
from zoo.report.board import boards
from zoo.report.evidence import stored_of
from zoo.report.forecasts import forecasts_frame

pytestmark = pytest.mark.process
QUICK = ["--set", "fit.max_epochs=3"]


def about(folder):
    return json.loads((folder / "model.json").read_text())


def test_fit_takes_tuned_settings_and_trains_once_more_on_all_rows(prices_csv, tmp_path):
    study, kept = tmp_path / "study", tmp_path / "model"
    how = ["--targets", "close", "--split", "200,40,60"]
    ended = run_zoo_here("tune", "lstm", prices_csv, *how, "--trials", "2", "--fix", "max_epochs=3", "--range",
                         "lookback=5:9", "--jobs", "1", "--out", study)  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    ended = run_zoo_here("fit", "lstm", prices_csv, *how, "--tuned", study, "--refit", "--out", kept)
    assert ended.returncode == 0 and "trained once more on all 300 rows" in ended.stdout, ended.stderr
    best, model = json.loads((study / "best.json").read_text()), about(kept)
    assert model["params"] == best["params"] and model["problem"]["lookback"] == best["lookback"]
    frame = pd.read_csv(prices_csv)
    np.testing.assert_allclose(model["scaler"]["center"][3], frame["close"].mean())  # of all rows
    # The same model by hand: all rows, as many epochs as were best.
    data = zoo.prepare(zoo.load(prices_csv), targets="close", lookback=best["lookback"], split=(1.0, 0.0, 0.0))
    twin = zoo.create("lstm", data.problem, seed=0, **best["params"])
    fit = {**best["fit"], "max_epochs": model["about"]["best_epoch"], "device": "cpu"}
    zoo.fit(twin, data.train, None, zoo.FitConfig.of(fit), seed=0)
    expected = twin.state_dict()
    loaded = zoo.load_model(kept).model.state_dict()
    assert all((loaded[name] == expected[name]).all() for name in expected)


def test_fit_says_how_many_of_the_newest_rows_taught_nothing(prices_csv, tmp_path):
    how = ["--targets", "close", "--split", "200,40,60", *QUICK]
    ended = run_zoo_here("fit", "lstm", prices_csv, *how, "--out", tmp_path / "one")
    assert "no weight has learned from the newest 100 of 300 rows" in ended.stderr
    ended = run_zoo_here("fit", "ridge", prices_csv, *how[:4], "--out", tmp_path / "two")
    assert "no weight has learned from the newest 100 of 300 rows; --refit" in ended.stderr
    assert "learned" not in run_zoo_here("fit", "naive", prices_csv, *how[:4], "--out", tmp_path / "three").stderr


@pytest.mark.parametrize("variant", ["ridge", "lstm"])
def test_what_needs_validation_rows_is_trained_again_with_the_newest_for_them(prices, tmp_path, variant):
    """ridge for its penalty, conformal quantiles for their calibration."""
    more = ["--interval", "80", "--conformal"] if variant == "lstm" else []
    how = ["--targets", "close", "--split", "200,40,60", *QUICK, *more, "--refit"]
    weights = []
    for change in (1.0, 1.1):  # of rows that only the second training sees
        prices.loc[245:265, "close"] *= change
        prices.to_csv(tmp_path / "prices.csv", index=False)
        ended = run_zoo_here("fit", variant, tmp_path / "prices.csv", *how, "--out", tmp_path / "model")
        assert ended.returncode == 0, ended.stderr
        assert "trained once more on the oldest 270 of 300 rows, the others for validation" in ended.stdout
        weights.append(zoo.load_model(tmp_path / "model").model.state_dict())
    assert any((weights[0][name] != weights[1][name]).any() for name in weights[0])


@pytest.mark.parametrize("more", [[], ["--horizon", "2"], ["--interval", "80"], ["--direction"], ["--flat", "1%"]])
def test_forecasts_of_a_run_are_a_table_with_their_metrics(prices_csv, tmp_path, more):
    out, table = tmp_path / "out", tmp_path / "forecasts.csv"
    models = ["--models", "naive,lstm", "--seeds", "2", "--jobs", "1", *QUICK]
    assert run_zoo_here("bench", prices_csv, "--targets", "close", *models, *more, "--out", out).returncode == 0
    ended = run_zoo_here("report", out, "--forecasts", table)
    assert ended.returncode == 0, ended.stderr
    frame = pd.read_csv(table)
    (board,) = boards(zoo.results(out))
    lstm = next(line for line in board.lines if line.variant == "lstm")
    parts = [stored_of(run) for _, run in lstm.runs.iterrows()]
    np.testing.assert_allclose(frame["lstm"], np.mean([part.forecast for part in parts], axis=0).ravel(), rtol=1e-5)
    np.testing.assert_allclose(frame["actual"], parts[0].truth.ravel(), rtol=1e-5)
    close = pd.read_csv(prices_csv)["close"].to_numpy()
    if not more or more[0] == "--horizon":
        np.testing.assert_allclose(frame["actual"], close[frame["row"]], rtol=1e-5)
    if "--flat" in more:
        chances = frame[["lstm_down", "lstm_flat", "lstm_up"]].to_numpy()
        np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_allclose(chances @ [-1, 0, 1], frame["lstm"], atol=1e-6)
        assert set(frame["actual"]) == {-1, 0, 1}
    assert ("step" in frame) == ("--horizon" in more) and ("lstm_q10" in frame) == ("--interval" in more)
    wrong = run_zoo_here("report", out, out, "--forecasts", tmp_path / "none" / "x.csv")
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1


def test_forecasts_of_classes_name_the_class_of_each_case(tmp_path):
    made = made_cases(60)
    (tmp_path / "made.ts").write_text(ts_text(made))
    found = zoo.bench(str(tmp_path / "made.ts"), models=["naive", "minirocket"], seeds=1, jobs=1)
    frame = forecasts_frame(found.board)
    labels = dict(zip(made.names, made.labels, strict=True))
    assert [labels[name] for name in frame["case"].astype(str)] == list(frame["actual"])
    assert (frame["minirocket"] == frame["actual"]).mean() == pytest.approx(found.table.loc["minirocket", "accuracy"])
