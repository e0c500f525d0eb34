"""Folds in a report: the figures of all blocks together, and of each."""

import json

import numpy as np
import pytest

import zoo
from tests.conftest import run_zoo_here
from zoo.data.scaling import Units
from zoo.metrics import forecast_metrics
from zoo.report.board import boards
from zoo.report.evidence import judged, stored_of
from zoo.run.store import read_rows

pytestmark = pytest.mark.process
QUICK = ["--set", "fit.max_epochs=3", "--seeds", "2", "--jobs", "2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from tests.conftest import price_frame

    folder = tmp_path_factory.mktemp("folds")
    price_frame().to_csv(folder / "prices.csv", index=False)
    for out, extra in (("plain", []), ("folds", ["--folds", "3"])):
        ended = run_zoo_here(
            "bench", "prices.csv", "--targets", "close", "--models", "naive,lstm,ridge", "--out", out, *QUICK, *extra,
            cwd=folder,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
    assert "lstm seed 1 fold 3/3" in ended.stderr
    return folder


def test_each_fold_is_a_row_and_a_line_is_over_all_of_them(run):
    rows, faults = read_rows(run / "folds")
    assert not faults and len(rows) == 3 * (1 + 2 + 1)
    assert len({row.key for row in rows}) == len(rows)
    (board,) = boards(zoo.results(run / "folds"))
    assert board.folds == 3 and board.title.endswith("3 folds")
    assert {line.variant: len(line.runs) for line in board.lines} == {"naive": 1, "lstm": 2, "ridge": 1}


def test_naive_is_as_good_over_the_folds_as_over_the_test_part(run):
    both = [boards(zoo.results(run / name))[0] for name in ("plain", "folds")]
    plain, folds = (next(line for line in board.lines if line.is_naive) for board in both)
    for metric in ("rmse", "mae", "scaled_mse", "mase"):
        assert folds.spread(metric).mean == pytest.approx(plain.spread(metric).mean)


def test_pooled_metrics_are_those_of_the_joined_forecasts(run):
    (board,) = judged(zoo.results(run / "folds"))
    for line in board.lines:
        for _, row in line.runs.iterrows():
            joined = stored_of(row)
            units = Units(("close",), np.zeros(1), np.ones(1), joined.deviation, np.ones(1))
            expected = forecast_metrics(joined.forecast, joined.truth, joined.last, units)
            for name in ("rmse", "mae", "skill", "scaled_mse", "smape"):
                assert row[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-6), name
    lstm = next(line for line in board.lines if line.variant == "lstm")
    assert lstm.interval[0] < lstm.skill.mean < lstm.interval[1]


def test_the_report_shows_each_fold(run):
    text = (run / "folds" / "report.md").read_text()
    assert "### Each fold" in text and "| skill % of" in text and "fold 3" in text
    assert "Ahead of naive in how many of 3 folds: " in text
    shown = json.loads(run_zoo_here("report", run / "folds", "--format", "json").stdout)
    assert shown[0]["lines"][0]["rmse"]["mean"] > 0


def test_a_run_with_folds_goes_on_where_it_was(run, tmp_path):
    lines = (run / "folds" / "rows.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rows.jsonl").write_bytes(b"".join(lines[:5]))
    ended = run_zoo_here(
        "bench", "prices.csv", "--targets", "close", "--models", "naive,lstm,ridge", "--folds", "3",
        "--out", tmp_path / "out", *QUICK, cwd=run,
    )  # fmt: skip
    assert ended.returncode == 0 and "5 of 12 cells already have rows" in ended.stderr
    assert {row.key for row in read_rows(tmp_path / "out")[0]} == {row.key for row in read_rows(run / "folds")[0]}


def test_a_fold_that_failed_fails_its_seed(run):
    frame = zoo.results(run / "folds")
    place = frame.index[(frame["variant"] == "lstm") & (frame["seed"] == 1) & (frame["fold"] == 1)][0]
    frame["error"] = frame["error"].astype(object)
    frame.loc[place, "error"] = "RuntimeError: no"
    (board,) = boards(frame)
    line = next(line for line in board.lines if line.variant == "lstm")
    assert list(line.runs["seed"]) == [0]
    assert list(line.failed["error"]) == ["fold 2 of 3: RuntimeError: no"]


@pytest.mark.parametrize(
    ("count", "rule"), [("0", "folds must be >= 1"), ("2000", "and <= 1000"), ("100", "too few rows")]
)
def test_a_wrong_number_of_folds_is_one_line(run, tmp_path, count, rule):
    arguments = ["--targets", "close", "--models", "naive", "--folds", count, "--out", tmp_path / "out"]
    ended = run_zoo_here("bench", "prices.csv", *arguments, cwd=run)
    assert ended.returncode == 2 and rule in ended.stderr and ended.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
