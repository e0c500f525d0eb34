"""The page is one file that carries everything, says what the rows say, and cannot be broken by the data."""

import json
import re

import numpy as np
import pytest

from tests.conftest import run_zoo
from tests.report.test_compare import TUNING, entries, written
from tests.report.test_report import PROBLEM
from tests.speed.report.rows import speed_rows
from zoo.report.board import boards
from zoo.report.evidence import judged
from zoo.report.front import points, unbeaten
from zoo.report.html.figures import learning, pareto, roofline, worst_windows
from zoo.report.html.page import html_page
from zoo.report.results import read_results
from zoo.report.verdict import verdict
from zoo.speed.report.rows import intensity, is_measured

LIBRARY = re.compile(r"<script>\s*/\*\*.*?</script>", re.DOTALL)


def made(tmp_path, more=(), **how):
    folder = written(tmp_path / "one", [*entries("lstm", 0.5, 0), *entries("bilstm", 0.2, 10), *more], **how)
    return folder, read_results([folder])


def own(page):
    """The page without plotly's library."""
    found = LIBRARY.sub("", page)
    assert len(found) < len(page) - 1_000_000
    return found


def figures_of(page):
    return json.loads(re.search(r'id="figures">(.*?)</script>', page, re.DOTALL)[1])


def test_verdict_stands_before_any_table_and_every_figure_has_its_place(tmp_path):
    _, results = made(tmp_path)
    page = html_page(results)
    (board,) = judged(results.accuracy, results.load)
    assert page.index(verdict(board)[0].replace("<", "&lt;").replace("'", "&#x27;")) < page.index("<table")
    places = re.findall(r'<div class="plot" id="([^"]+)"', page)
    assert places == list(figures_of(page)) and len(places) >= 4


def test_same_input_gives_the_same_page_and_asks_for_nothing_elsewhere(tmp_path):
    folder, results = made(tmp_path)
    page = html_page(results)
    assert page == html_page(read_results([folder]))
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)\s*=\s*"', own(page)) and "https:" not in own(page) and "http:" not in own(page)


def test_names_from_the_data_show_as_text(tmp_path):
    evil = "<script>alert(1)</script>\"'&"
    _, results = made(tmp_path, problem={**PROBLEM, "targets": [evil]}, more=[
        ("cnn-lstm", 0, None, {"error": f"Boom {evil}", "metrics": None})])  # fmt: skip
    page = own(html_page(results))
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;&quot;" in page
    assert "Boom &lt;script&gt;" in page
    texts = [json.dumps(figure["layout"], ensure_ascii=False) for figure in figures_of(html_page(results)).values()]
    assert any(json.dumps(evil, ensure_ascii=False)[1:-1] in text for text in texts)


def test_forecast_figures_hold_what_is_stored(tmp_path):
    folder, results = made(tmp_path)
    traces = {trace["name"]: trace for figure in figures_of(html_page(results)).values() for trace in figure["data"]
              if "truth" in [other.get("name") for other in figure["data"]]}  # fmt: skip
    with np.load(folder / "predictions/0.npz") as kept, np.load(folder / "predictions/truth.npz") as truth:
        assert traces["lstm"]["y"] == pytest.approx(kept["forecast"][:, 0, 0].tolist(), rel=1e-5)
        assert traces["truth"]["y"] == pytest.approx(truth["truth"][:, 0, 0].tolist(), rel=1e-5)
    assert traces["lstm"]["visible"] is True and traces["bilstm"]["visible"] == "legendonly"


def test_missing_predictions_leave_figures_out_and_the_page_stands(tmp_path):
    folder, _ = made(tmp_path)
    for path in (folder / "predictions").iterdir():
        path.unlink()
    page = html_page(read_results([folder]))
    assert "Forecasts of" not in page and "Skill of each seed" in page and "by more than the spread over seeds" in page


def test_several_problems_are_ranked_first_and_listed_with_links(tmp_path):
    shares = {"lstm": 0.5, "bilstm": 0.2, "naive": 0.0}
    cells = [entry for name, share in shares.items() for entry in entries(name, share, 10 * len(name))]
    problems = [{**PROBLEM, "lookback": 7 + number} for number in range(5)]
    folders = [written(tmp_path / str(place), cells, problem=problem) for place, problem in enumerate(problems)]
    page = own(html_page(read_results(folders)))
    assert page.index("Over all problems</h2>") < page.index("from 7</h2>")
    assert "lstm has the lowest error ratio to naive over 5 problems" in page
    titles = re.findall(r'<h2 id="(chapter-\d+)">', page)
    assert re.findall(r'<a href="#(chapter-\d+)">', page) == titles and len(titles) == 6
    ranked = next(figure for figure in figures_of(page).values() if "mean rank" in json.dumps(figure["layout"]))
    assert ranked["data"][0]["y"] == ["lstm", "bilstm", "naive"]
    assert ranked["data"][0]["x"] == [1.0, 2.0, 3.0]
    (single,) = re.findall("<h2[^>]*>", own(html_page(read_results(folders[:1]))))
    assert "Over all problems" not in single


def test_a_roofline_has_every_measured_cell_below_the_ceiling_of_its_dtype():
    rows = speed_rows()
    figure = roofline(rows)
    markers = [trace for trace in figure["data"] if trace["mode"] == "markers"]
    lines = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    known = [row for row in rows if is_measured(row) and row["batch_size"] != "max" and intensity(row)]
    assert sum(len(trace["x"]) for trace in markers) == len(known) > 0
    assert len(lines) == len({row["dtype"] for row in known})
    assert lines[0]["y"][1:] == pytest.approx([60.0, 60.0])  # GFLOP/s, as the rows say
    assert lines[0]["x"][1] == pytest.approx(6.0)  # FLOP per byte where both ceilings meet
    assert roofline([row | {"ceilings": None} for row in rows]) is None


def test_front_keeps_who_is_not_beaten_in_both(tmp_path):
    def rated(rmse, speed):
        metrics = {"rmse": rmse, "mae": 1.0, "r2": 0.5, "skill": 1 - rmse}
        return {"metrics": metrics, "windows_per_second": speed}

    rows = [
        (name, 0, None, rated(rmse, speed))
        for name, rmse, speed in (("lstm", 0.5, 100.0), ("bilstm", 0.4, 50.0), ("cnn-lstm", 0.6, 90.0))
    ]
    (board,) = boards(read_results([written(tmp_path / "one", rows)]).accuracy)
    assert [point.label for point in unbeaten(points(board))] == ["bilstm", "lstm"]
    line = next(trace for trace in pareto(board)["data"] if trace["name"] == "front")
    assert line["x"] == [50.0, 100.0] and line["y"] == [0.4, 0.5]


def test_worst_windows_are_those_of_the_largest_losses(tmp_path):
    folder, results = made(tmp_path)
    (board,) = judged(results.accuracy, results.load)
    worst, least, _ = worst_windows(board.lines[0], results.load, most=3)
    with np.load(folder / "predictions/0.npz") as kept, np.load(folder / "predictions/truth.npz") as truth:
        losses = ((kept["forecast"] - truth["truth"]) ** 2)[:, 0, 0]
    assert [losses[place] for place in worst] == sorted(losses, reverse=True)[:3]
    assert [losses[place] for place in least] == sorted(losses)[:3]


def test_learning_curves_start_at_one(tmp_path):
    folder, results = made(tmp_path)
    assert learning(boards(results.accuracy)[0], results.load) is None
    with np.load(folder / "predictions/0.npz") as kept:
        np.savez(folder / "predictions/0.npz", forecast=kept["forecast"], valid_loss=[2.0, 1.0, 0.5], train_loss=[1, 1])
    (trace,) = learning(boards(results.accuracy)[0], results.load)["data"]
    assert (trace["name"], trace["x"], trace["y"]) == ("lstm", [0, 1, 2], [1.0, 0.5, 0.25])


def test_tuning_history_is_the_best_so_far(tmp_path):
    folder, _ = made(tmp_path, more=entries("lstm", 0.4, 20, params={"h": 9}, tuning=TUNING))
    (folder / "tune/lstm").mkdir(parents=True)
    trials = [("complete", 4.0), ("pruned", 1.0), ("complete", 5.0), ("complete", 2.0), ("failed", None)]
    lines = [json.dumps({"state": state, "valid_loss": value}) for state, value in trials]
    (folder / "tune/lstm/trials.jsonl").write_text("\n".join(lines))
    page = html_page(read_results([folder]))
    history = next(figure for figure in figures_of(page).values() if "trial" in json.dumps(figure["layout"]))
    assert [(trace["name"], trace["y"]) for trace in history["data"]] == [("lstm", [1.0, 1.0, 0.5])]


def test_the_command_writes_the_page_in_its_room(tmp_path):
    folder, _ = made(tmp_path)
    ended = run_zoo("report", folder, "--format", "html", "--out", tmp_path / "report.html")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "report.html").stat().st_size < 6_000_000
