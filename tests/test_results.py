"""Committed results are what their suites ask for, and reports are what their rows say."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_cells import SLOW
from benchmarks.bench_cells import report as cells_report
from benchmarks.bench_together import report as together_report
from zoo.cell import AccuracyRow, SpeedRow
from zoo.registry import list_models, variant
from zoo.report.evidence import judged
from zoo.report.folder import write_leaderboard
from zoo.report.markdown import markdown
from zoo.report.speed import speed_section
from zoo.run.results import results
from zoo.run.store import read_rows
from zoo.run.tuned import read_tuned, tuned_cells
from zoo.suite import expand, read_suite
from zoo.throughput.cells import expand_speed, read_speed_suite

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SUITES = ROOT / "benchmarks" / "suites"
# Of shipped suites only: a user's own results may lie beside them.
RESULTS = sorted(
    path
    for path in [*(ROOT / "results").glob("*"), *(ROOT / "results/ucr").glob("*/")]
    if ((path / "rows.jsonl").exists() and (SUITES / f"{path.name}.toml").exists() and path.name[:5] != "speed")
    or (path.name.endswith("-tuned") and (path / "tune").is_dir())
)
SPEED = ("speed", "speed-modes")
FOR_EVERY_VARIANT = ("sp500", "sea-temperature")  # the other suites and the speeds need not have all
OWN_ROWS = (
    "recurrence",
    "together-h100",
    "cells",
    "select",
    "tune-folds",
    "adaptive",
    "advice",
    "large-file",
    "regularisation",
    "scaling",
)  # of commands in benchmarks/
GPU = ("speed-h100", "speed-cliffs-h100")  # subsets of the suites, by benchmarks/gpu.sh


@pytest.fixture(params=RESULTS, ids=lambda path: path.name)
def folder(request):
    return request.param


def test_results_of_every_suite_but_smoke_are_there():
    assert {"sp500", "sp500-tuned", "nasdaq", "nasdaq-volume", "tutorial"} <= {path.name for path in RESULTS}


def test_report_is_what_its_rows_say(folder):
    frame = results(folder)
    report = markdown(judged(frame), frame.attrs["left_out"], pictures_of(folder))
    assert (folder / "report.md").read_text(encoding="utf-8") == report


@pytest.mark.parametrize("path", sorted((ROOT / "results").rglob("rows.jsonl")), ids=lambda path: path.parent.name)
def test_committed_rows_keep_to_the_schema(path):
    """Each key once, known variants, and every line a row; some folders hold rows of their own commands."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.parent.name.startswith("defaults") or path.parent.name in OWN_ROWS:
        rows = [row for row in map(json.loads, lines) if "cell" not in row]
        assert {row.get("model", row.get("variant")) for row in rows} <= set(list_models())
        return
    rows, left_out = read_rows(path.parent)
    assert left_out == []
    assert len(rows) == len(lines) == len({row.key for row in rows})
    assert all(row.variant in list_models(classifiers=True) for row in rows)


@pytest.mark.parametrize("name", ["ucr", "standard", "intervals-adaptive"])
def test_leaderboard_of_a_benchmark_is_what_its_rows_say(tmp_path, name):
    for path in (ROOT / "results" / name).glob("*/"):
        (tmp_path / path.name).symlink_to(path)
    text, _ = write_leaderboard(tmp_path)
    assert (ROOT / "results" / name / "README.md").read_text(encoding="utf-8") == text


def test_coverage_on_the_page_is_that_of_the_rows():
    """docs/tasks.md: on how many problems an interval holds 80 % within three points, calibrated once and adaptive."""
    names, counts = ["naive", "ridge", "lstm", "hybrid-lstm"], []
    for folder in ("intervals", "intervals-adaptive"):
        frame = results(*(ROOT / "results" / folder).glob("*/"))
        coverage = frame.pivot_table(index=["data.source", "lookback"], columns="variant", values="coverage")[names]
        counts += ((100 * coverage - 80).abs() <= 3).sum().tolist()
    page = (ROOT / "docs/tasks.md").read_text(encoding="utf-8")
    assert f"| within 3 points | {' | '.join(map(str, counts))} |" in page


def test_leaderboard_is_what_the_rows_say(tmp_path):
    for path in (*RESULTS, *(ROOT / "results").glob("*-h100")):
        if path.parent.name == "ucr":
            continue
        (tmp_path / path.name).symlink_to(path)
    text, _ = write_leaderboard(tmp_path)
    assert (ROOT / "results/README.md").read_text(encoding="utf-8") == text


def problem_lines(path):
    text = path.read_text(encoding="utf-8")
    return {line.replace(" ", "") for line in text.splitlines() if line.startswith("|") and "from the last" in line}


def test_readme_shows_the_table_of_problems():
    """All but the line of sp500, which `make bench` measures again on the reader's machine."""
    readme, board = (problem_lines(ROOT / name) for name in ("README.md", "results/README.md"))
    assert len(readme) == 16 and {line for line in readme if "sp500" not in line} <= board


def test_rows_are_the_cells_of_the_suite(folder):
    pytest.importorskip("arch")
    if folder.parent.name == "ucr" and find_spec("aeon") is None:
        pytest.skip("the files are aeon's")
    rows, left_out = read_rows(folder)
    cells, data = expand(read_suite(SUITES / f"{folder.name.removesuffix('-tuned')}.toml"), device="cpu")
    if folder.name.endswith("-tuned"):
        cells += tuned_cells(cells, data, read_tuned(folder / "tune", list_models()))
    assert left_out == []
    assert {row.key for row in rows} == keys_of(rows, cells)
    if folder.name in FOR_EVERY_VARIANT:
        assert {row.variant for row in rows} == {cell.variant for cell in cells}
    assert [row.error for row in rows] == [None] * len(rows)
    assert not any("dirty" in (row.commit or "") for row in rows)


def keys_of(rows, cells):
    """The keys of all cells of the variants that have rows: a variant is measured wholly or not at all."""
    measured = {row.variant for row in rows}
    return {cell.key for cell in cells if cell.variant in measured}


def test_predictions_give_the_rmse_of_their_rows(folder):
    for row in read_rows(folder)[0]:
        assert isinstance(row, AccuracyRow)
        with np.load(folder / row.predictions) as own, np.load(folder / row.truth) as truth:
            if "classes" in truth:
                is_wrong = own["forecast"][:, 0].argmax(axis=1) != truth["truth"][:, 0].argmax(axis=1)
                assert is_wrong.mean() == pytest.approx(row.metrics.error_rate)
                continue
            error = own["forecast"].astype(float) - truth["truth"]
            if error.shape[2] > 1:  # then in training deviations
                error /= truth["deviation"]
        assert np.sqrt(np.mean(error**2)) == pytest.approx(row.metrics.rmse, rel=1e-5)


@pytest.mark.parametrize("name", SPEED)
def test_speed_rows_are_the_cells_of_their_suite_and_give_their_report(name):
    folder = ROOT / "results" / name
    rows, left_out = read_rows(folder)
    cells, _ = expand_speed(read_speed_suite(SUITES / f"{name}.toml"), device="cpu")
    assert left_out == [] and {row.key for row in rows} == keys_of(rows, cells)
    assert [row.error for row in rows] == [None] * len(rows)
    assert not any("dirty" in (row.commit or "") for row in rows)
    report = markdown([], pictures=pictures_of(folder), speed=speed_section(results(folder)))
    assert (folder / "report.md").read_text(encoding="utf-8") == report


@pytest.mark.parametrize("name", GPU)
def test_rows_of_a_gpu_give_their_report(name):
    folder = ROOT / "results" / name
    rows, left_out = read_rows(folder)
    assert left_out == [] and all(isinstance(row, SpeedRow) and row.device == "cuda" for row in rows)
    assert [row.error for row in rows] == [None] * len(rows)
    report = markdown([], pictures=pictures_of(folder), speed=speed_section(results(folder)))
    assert (folder / "report.md").read_text(encoding="utf-8") == report


def test_every_recurrent_variant_has_a_speed_and_the_slow_ones_a_reason():
    folder = ROOT / "results/cells"
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (folder / "report.md").read_text(encoding="utf-8") == cells_report(rows)
    speeds = {row["variant"]: min(row["lookback_7"], row["lookback_96"]) for row in rows if "variant" in row}
    assert set(speeds) == {name for name in list_models() if variant(name).family != "baseline"}
    assert all("speed" in variant(name).limits for name, speed in speeds.items() if speed < SLOW)


def test_rows_of_fused_models_give_their_report():
    folder = ROOT / "results/together-h100"
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert not any("error" in row for row in rows)
    text = together_report(rows, rows[0]["machine"]["gpu"])
    assert (folder / "report.md").read_text(encoding="utf-8") == text


def test_seeds_in_one_cuda_graph_learn_what_eager_steps_learn():
    folder = ROOT / "results/sp500-h100"
    report = markdown(judged(frame := results(folder)), frame.attrs["left_out"], pictures_of(folder))
    assert (folder / "report.md").read_text(encoding="utf-8") == report
    rows = [row for row in read_rows(folder)[0] if isinstance(row, AccuracyRow) and row.fit]
    eager = {(row.variant, row.seed): row for row in rows if row.fit.get("mode") == "eager"}
    graphs = {
        (row.variant, row.seed): row for row in rows if "mode" not in row.fit and row.variant in ("lstm", "proj-lstm")
    }
    assert set(eager) <= set(graphs) and len(eager) == 9
    for key, row in eager.items():
        assert graphs[key].together == 5 and graphs[key].fallback is None
        assert graphs[key].epochs == row.epochs
        assert graphs[key].metrics.rmse == pytest.approx(row.metrics.rmse, rel=1e-5)


def pictures_of(folder):
    return [path.name for path in folder.glob("*.png")]


STUDIES = sorted((ROOT / "results/sp500-tuned/tune").glob("*"))


def test_ten_variants_were_tuned_and_the_report_names_no_other():
    assert len(STUDIES) == 10 and {path.name for path in STUDIES} <= set(list_models())


@pytest.mark.parametrize("folder", STUDIES, ids=lambda path: path.name)
def test_tuned_settings_are_those_of_the_best_trial_of_an_equal_budget(folder):
    best = json.loads((folder / "best.json").read_text())
    trials = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    assert best["budget"]["trials"] == best["cost"]["trials"] == len(trials) >= 25
    assert best["budget"]["max_epochs"] == 200
    assert best["valid_loss"] == min(t["valid_loss"] for t in trials if t["state"] == "complete")
    (chosen,) = [trial for trial in trials if trial["trial"] == best["trial"]]
    values = {**best["params"], **{f"fit.{key}": value for key, value in best["fit"].items()}}
    if not chosen.get("is_start"):
        assert chosen["params"].items() <= values.items()
