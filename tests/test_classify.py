"""Sequences classified from the command line: from files to rows, a report, a kept model and its classes."""

import json

import numpy as np
import pandas as pd
import pytest

import zoo
from tests.cases import made_cases, ts_text
from tests.conftest import run_zoo_here
from zoo.cell import row_from
from zoo.report.classes import confusion_counts
from zoo.report.evidence import judged, losses_of, stored_of
from zoo.report.verdict import answer
from zoo.run.bench import run_suite
from zoo.run.store import RowStore
from zoo.run.worker import measure
from zoo.suite import expand, suite_of

pytestmark = pytest.mark.process
QUICK = ["--set", "fit.max_epochs=25", "--set", "fit.batch_size=16", "--set", "fit.learning_rate=0.005", "--jobs", "1"]


@pytest.fixture
def made_ts(tmp_path):
    (tmp_path / "Made_TRAIN.ts").write_text(ts_text(made_cases(90, (8, 12))))
    (tmp_path / "Made_TEST.ts").write_text(ts_text(made_cases(60, (8, 12), seed=1)))
    return tmp_path / "Made_TRAIN.ts"


def test_a_bench_of_sequences_ends_in_rows_and_a_report(made_ts, tmp_path):
    out = tmp_path / "out"
    models = "naive,minirocket,gru"
    ended = run_zoo_here("bench", made_ts, "--models", models, "--seeds", "2", "--out", out, *QUICK)
    assert ended.returncode == 0, ended.stderr
    assert "accuracy" in ended.stderr and "test cases are those of Made_TEST.ts" in ended.stderr
    frame = zoo.results(out)
    assert set(frame["task"]) == {"classify"} and {tuple(each) for each in frame["split"]} == {(67, 23, 60)}
    (board,) = judged(frame)
    assert board.title.endswith("3 classes, sequences of 8 to 12 steps")
    gru = next(line for line in board.lines if line.variant == "gru")
    losses, base = losses_of(gru.runs)
    assert losses.mean(axis=1) == pytest.approx(gru.runs["error_rate"].to_numpy())
    assert base.mean() == pytest.approx(next(line for line in board.lines if line.is_naive).spread("error_rate").mean)
    assert gru.interval[0] <= gru.skill.mean <= gru.interval[1] and gru.interval[0] > 0
    counts = confusion_counts(stored_of(gru.runs.iloc[0]))
    assert counts.sum() == 60 and np.trace(counts) / 60 == pytest.approx(gru.runs.iloc[0]["accuracy"])
    report = (out / "report.md").read_text()
    assert "Case by case against minirocket" in report and "always naming the most frequent class" in report
    assert "23 validation, 60 test cases, each part with its share of every class" in report
    assert (out / "forecast.png").exists() and (out / "skill.png").exists()
    again = run_zoo_here("bench", made_ts, "--models", models, "--seeds", "2", "--out", out, *QUICK)
    assert "4 of 4 cells already have rows" in again.stderr
    shown = json.loads(run_zoo_here("report", out, "--format", "json").stdout)
    assert shown[0]["lines"][0]["accuracy"]["mean"] > 0.5
    page = tmp_path / "page.html"
    assert run_zoo_here("report", out, "--format", "html", "--out", page).returncode == 0
    assert "Classes that" in page.read_text(encoding="utf-8")


def test_a_kept_model_classifies_new_cases(made_ts, tmp_path):
    model, found = tmp_path / "model", tmp_path / "classes.csv"
    ended = run_zoo_here("fit", "gru", made_ts, "--out", model, *QUICK[:-2])
    assert ended.returncode == 0 and "test: accuracy" in ended.stdout, ended.stderr
    ended = run_zoo_here("predict", model, tmp_path / "Made_TEST.ts", "--out", found)
    assert ended.returncode == 0, ended.stderr
    frame = pd.read_csv(found)
    assert list(frame.columns) == ["case", "class", "p_falling", "p_flat", "p_rising"] and len(frame) == 60
    np.testing.assert_allclose(frame.filter(like="p_").sum(axis=1), 1, atol=1e-5)
    actual = zoo.load(tmp_path / "Made_TEST.ts").labels
    accuracy = json.loads((model / "model.json").read_text())["about"]["metrics"]["accuracy"]
    assert (frame["class"] == actual).mean() == pytest.approx(accuracy)
    made = zoo.load(tmp_path / "Made_TEST.ts")
    made.frame().drop(columns="class").query("case == '7'").to_csv(tmp_path / "one.csv", index=False)
    ended = run_zoo_here("predict", model, tmp_path / "one.csv", "--case", "case")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[1].split(",")[1] == frame["class"][6]
    wrong = run_zoo_here("predict", model, "sp500")
    assert (
        wrong.returncode == 2
        and "name the column that tells the cases of sp500 apart, with --case" in wrong.stderr
        and wrong.stderr.count("\n") == 1
    )


def test_a_cell_can_be_measured_again_from_its_row(made_ts, tmp_path):
    settings = {"name": "made", "data": {"source": str(made_ts)}, "run": {"models": ["minirocket", "naive"]}}
    rows = run_suite(suite_of(settings, "here"), tmp_path / "one", jobs=1).rows
    stored = [json.loads(line) for line in (tmp_path / "one" / "rows.jsonl").read_text().splitlines()]
    assert [row_from(each).metrics for each in stored] == [row.metrics for row in rows]
    cells, data = expand(suite_of(settings, "here"))
    assert [cell.key for cell in cells] == [row.key for row in rows]
    assert data.classes == ("falling", "flat", "rising")


def test_variants_that_cannot_classify_are_left_out_of_all_and_refused_by_name(made_ts):
    cells, data = expand(suite_of({"name": "made", "data": {"source": str(made_ts)}, "run": {"seeds": 1}}, "here"))
    names = {cell.variant for cell in cells}
    assert {"lstm", "minirocket", "naive"} <= names and not {"ridge", "nearest-neighbour", "hybrid-lstm"} & names
    note = data.notes[-1]
    assert "ridge" in note and "it is solved for values" in note and "needs sequences of one length" in note
    ended = run_zoo_here("bench", made_ts, "--models", "ridge")
    assert ended.returncode == 2 and "variant 'ridge' cannot classify sequences: it is solved" in ended.stderr


def test_shuffled_labels_give_no_winner(tmp_path):
    """Nothing tells these classes apart, so at most chance may find a winner: of 15 sets none or one."""
    won = 0
    for seed in range(15):
        random = np.random.default_rng(seed)
        values, labels = random.normal(size=(80, 6, 1)), random.integers(2, size=80)
        path = tmp_path / f"{seed}.ts"
        path.write_text(ts_text(zoo.cases(values, labels)))
        settings = {"name": "made", "data": {"source": str(path)}, "fit": {"max_epochs": 8, "batch_size": 16}}
        run = {"models": ["naive", "logistic-regression", "gru"], "seeds": 1}
        cells, _ = expand(suite_of({**settings, "run": run}, "here"))
        store = RowStore(tmp_path / f"out{seed}")
        for cell in cells:
            for row in measure([cell], store.folder, {"commit": None, "command": None}, lambda *_: None):
                store.append(row)
        store.close()
        (board,) = judged(zoo.results(tmp_path / f"out{seed}"))
        won += answer(board).startswith("Yes")
    assert won <= 1


def test_tuned_settings_run_beside_the_others(made_ts, tmp_path):
    how = ["--trials", "2", "--fix", "max_epochs=2", "--jobs", "1", "--out", tmp_path / "study"]
    ended = run_zoo_here("tune", "gru", made_ts, *how)
    assert ended.returncode == 0, ended.stderr
    out = tmp_path / "out"
    how = ["--models", "gru,naive", "--seeds", "1", "--tuned", tmp_path / "study", "--out", out]
    ended = run_zoo_here("bench", made_ts, *how, *QUICK)
    assert ended.returncode == 0, ended.stderr
    frame = zoo.results(out)
    assert len(frame) == 3 and "fit.loss" not in frame.columns
