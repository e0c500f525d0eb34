"""Quantiles and directions from the command line: from a data file to rows, a report and forecasts."""

import json

import numpy as np
import pandas as pd
import pytest

import zoo
from tests.conftest import run_zoo_here
from zoo.report.board import boards
from zoo.report.evidence import judged, losses_of

pytestmark = pytest.mark.process
QUICK = ["--set", "fit.max_epochs=3", "--seeds", "2", "--jobs", "1"]


def test_a_bench_of_quantiles_ends_in_rows_and_a_report(prices_csv, tmp_path):
    out = tmp_path / "out"
    ended = run_zoo_here(
        "bench",
        prices_csv,
        "--targets",
        "close",
        "--interval",
        "80",
        "--models",
        "naive,ridge,lstm",
        "--out",
        out,
        *QUICK,
    )
    assert ended.returncode == 0, ended.stderr
    assert "crps" in ended.stderr and "coverage" in ended.stderr
    frame = zoo.results(out)
    assert {tuple(levels) for levels in frame["quantiles"]} == {(0.1, 0.5, 0.9)}
    (board,) = judged(frame)
    naive = next(line for line in board.lines if line.is_naive)
    assert naive.skill.mean == pytest.approx(0.0)
    lstm = next(line for line in board.lines if line.variant == "lstm")
    losses, base = losses_of(lstm.runs)
    assert losses.mean(axis=1) * 2 == pytest.approx(lstm.runs["crps"].to_numpy(), rel=1e-5)
    assert lstm.skill.mean == pytest.approx(float(np.mean(1 - losses.mean(axis=1) / base.mean())), abs=1e-6)
    assert lstm.interval[0] < lstm.skill.mean < lstm.interval[1]
    report = (out / "report.md").read_text()
    assert "coverage %" in report and "The 80 % interval of" in report and "skill: 1 - crps" in report
    assert "loss mae" not in report  # the pinball loss was learned
    assert (out / "forecast.png").exists()
    shown = json.loads(run_zoo_here("report", out, "--format", "json").stdout)
    assert shown[0]["problem"]["quantiles"] == [0.1, 0.5, 0.9] and shown[0]["lines"][0]["crps"]["mean"] > 0


def test_points_and_quantiles_of_one_file_stand_on_boards_of_their_own(prices_csv, tmp_path):
    out = tmp_path / "out"
    for extra in ([], ["--interval", "80"], ["--interval", "90"], ["--interval", "90", "--conformal"]):
        ended = run_zoo_here("bench", prices_csv, "--targets", "close", "--models", "naive", "--out", out, *extra)
        assert ended.returncode == 0, ended.stderr
    found = boards(zoo.results(out))
    assert [board.levels for board in found] == [(), (0.1, 0.5, 0.9), (0.05, 0.5, 0.95), (0.05, 0.5, 0.95)]
    assert found[3].title.endswith("conformal quantiles 0.05, 0.5, 0.95")


def test_two_runs_of_quantiles_are_compared_by_crps(prices_csv, tmp_path):
    for name, epochs in (("old", 1), ("new", 8)):
        how = ["--set", f"fit.max_epochs={epochs}", "--seeds", "3"]
        arguments = ["--targets", "close", "--interval", "80", "--models", "lstm", "--out", tmp_path / name, *how]
        assert run_zoo_here("bench", prices_csv, *arguments).returncode == 0
    ended = run_zoo_here("compare", tmp_path / "old", tmp_path / "new", "--json")
    (change,) = json.loads(ended.stdout)["rows"]
    means = [zoo.results(tmp_path / name)["crps"].mean() for name in ("old", "new")]
    assert [change["old"], change["new"]] == pytest.approx(means)


def test_a_model_of_quantiles_is_fitted_kept_and_used(prices_csv, tmp_path):
    ended = run_zoo_here(
        "fit", "lstm", prices_csv, "--targets", "close", "--interval", "80", "--conformal", "--horizon", "2",
        "--set", "fit.max_epochs=3", "--out", tmp_path / "model",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "crps" in ended.stdout and "coverage" in ended.stdout
    assert run_zoo_here("predict", tmp_path / "model", prices_csv, "--out", tmp_path / "f.csv").returncode == 0
    frame = pd.read_csv(tmp_path / "f.csv")
    assert list(frame.columns) == ["step", "time", "close_q10", "close", "close_q90"] and len(frame) == 2


def test_a_bench_of_directions_ends_in_rows_and_a_report(prices_csv, tmp_path):
    out = tmp_path / "out"
    arguments = [
        "--targets",
        "close",
        "--direction",
        "--models",
        "naive,ridge,lstm",
        "--folds",
        "2",
        "--out",
        out,
        *QUICK,
    ]
    ended = run_zoo_here("bench", prices_csv, *arguments)
    assert ended.returncode == 0, ended.stderr
    assert "brier" in ended.stderr and "accuracy" in ended.stderr
    (board,) = judged(zoo.results(out))
    assert board.title.startswith("direction of close") and board.title.endswith("2 folds")
    lstm = next(line for line in board.lines if line.variant == "lstm")
    losses, base = losses_of(lstm.runs)
    assert losses.mean(axis=1) == pytest.approx(lstm.runs["brier"].to_numpy(), rel=1e-5)
    assert lstm.skill.mean == pytest.approx(float(np.mean(1 - losses.mean(axis=1) / base.mean())), abs=1e-5)
    naive = next(line for line in board.lines if line.is_naive)
    assert naive.skill.mean == pytest.approx(0.0) and naive.spread("roc_auc").mean == pytest.approx(0.5)
    report = (out / "report.md").read_text()
    assert "balanced %" in report and "always forecasting the usual share of rises" in report
    shown = json.loads(run_zoo_here("report", out, "--format", "json").stdout)
    assert shown[0]["problem"]["task"] == "direction" and shown[0]["lines"][0]["brier"]["mean"] > 0


def test_a_bench_of_moves_ends_in_rows_and_a_report(prices_csv, tmp_path):
    out = tmp_path / "out"
    models = ["--models", "naive,last-sign,ridge,lstm", "--folds", "2"]
    ended = run_zoo_here("bench", prices_csv, "--targets", "close", "--flat", "1%", *models, "--out", out, *QUICK)
    assert ended.returncode == 0, ended.stderr
    (board,) = judged(zoo.results(out))
    assert board.title.startswith("moves of close") and "flat up to 1% of the last value" in board.title
    lstm = next(line for line in board.lines if line.variant == "lstm")
    losses, base = losses_of(lstm.runs)
    assert losses.mean(axis=1) == pytest.approx(lstm.runs["rps"].to_numpy(), rel=1e-5)
    assert lstm.skill.mean == pytest.approx(float(np.mean(1 - losses.mean(axis=1) / base.mean())), abs=1e-5)
    report = (out / "report.md").read_text()
    assert "rps" in report and "changes by 1% of the last value at most" in report
    assert run_zoo_here("report", out, "--format", "html", "--out", tmp_path / "r.html").returncode == 0
    again = run_zoo_here("bench", prices_csv, "--targets", "close", "--flat", "2%", *models, "--out", out, *QUICK)
    assert again.returncode == 0 and len(judged(zoo.results(out))) == 2  # another size is another problem


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--interval", "0"], "--interval takes a percentage between 0 and 100"),
        (["--interval", "x"], "--interval takes a percentage between 0 and 100"),
        (["--interval", "80", "--quantiles", "0.1,0.5,0.9"], "give one of them"),
        (["--quantiles", "0.1,a"], "--quantiles takes levels such as 0.1,0.5,0.9"),
        (["--quantiles", "0.1,0.9"], "quantiles must contain 0.5"),
        (["--quantiles", "0.5,2"], "quantiles must lie between 0 and 1"),
        (["--conformal"], "conformal calibrates quantiles"),
        (["--adaptive"], "adaptive moves quantiles"),
        (["--interval", "80", "--conformal", "--split", "0.8,0,0.2"], "the split leaves it empty"),
        (["--interval", "80", "--set", "fit.loss=mse"], "fit.loss must be left out"),
        (["--direction", "--interval", "80"], "quantiles or directions, not both"),
        (["--flat", "half"], "flat must be a size above 0, such as 0.5% of the last value"),
        (["--calendar", "weekdays"], "unknown calendar 'weekdays'"),
    ],
)
def test_a_wrong_request_is_one_line(prices_csv, tmp_path, options, rule):
    ended = run_zoo_here("bench", prices_csv, "--targets", "close", *options, "--out", tmp_path / "out")
    assert ended.returncode == 2
    assert rule in ended.stderr and ended.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
