"""The page is one file that carries everything, shows what the rows hold, and cannot be broken by the data."""

import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import run_zoo_here as run_zoo
from tests.report.rows import PROBLEM, TUNING, entries, read, row, written
from zoo.report.evidence import judged
from zoo.report.html.page import extreme_windows, html_page, sort_value
from zoo.report.pictures import first_seeds
from zoo.report.verdict import verdict
from zoo.run.results import results

LIBRARY = re.compile(r"<script>\s*/\*\*.*?</script>", re.DOTALL)


def rows_of(tmp_path, more=(), **how):
    return read(tmp_path / "one", [*entries("lstm", 0.5, 0), *entries("bilstm", 0.2, 10), *more], **how)


def own(page):
    """The page without plotly's library."""
    rest = LIBRARY.sub("", page)
    assert len(rest) < len(page) - 1_000_000
    return rest


def figures_of(page):
    return json.loads(re.search(r'id="figures">(.*?)</script>', page, re.DOTALL)[1])


def heading_of(page, name):
    """The heading above the place of a figure."""
    return unescape(re.findall(r"<h3>(.*?)</h3>", page[: page.index(f'id="{name}"')])[-1])


def test_verdict_stands_before_any_table_and_every_figure_has_its_place(tmp_path):
    rows = rows_of(tmp_path)
    page = html_page(rows)
    text = unescape(page)
    assert text.index(verdict(judged(rows)[0])[0]) < text.index("<table")
    places = re.findall(r'<div class="plot" id="([^"]+)"', page)
    assert places == list(figures_of(page)) and len(places) >= 3


@pytest.mark.parametrize("name", ["narma", "mackey-glass"])
def test_the_page_of_a_committed_run_can_be_mailed(name):
    """More than thirteen variants, all charts, and the library that draws them."""
    folder = Path(__file__).parents[3] / "results" / name
    assert len(set(results(folder)["variant"])) >= 13
    assert len(html_page(results(folder)).encode()) < 2_000_000


def test_same_input_gives_the_same_page_and_requests_nothing_elsewhere(tmp_path):
    page = html_page(rows_of(tmp_path))
    assert page == html_page(results(tmp_path / "one"))
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)\s*=\s*"(?!#)', own(page)) and "https:" not in own(page)
    assert "http:" not in own(page)


def test_names_from_the_data_show_as_text(tmp_path):
    evil = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"
    failed = ("cnn-lstm", 0, None, {"error": f"Boom {evil}", "metrics": None})
    page = own(html_page(rows_of(tmp_path, problem={**PROBLEM, "targets": [evil]}, more=[failed])))
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert f"Boom {evil}" in unescape(page)
    labels = [figure["layout"]["yaxis"]["title"]["text"] for figure in figures_of(page).values()]
    assert evil in [unescape(label) for label in labels] and not any("<" in label for label in labels)


def test_each_figure_stands_below_its_heading(tmp_path):
    page = html_page(rows_of(tmp_path))
    headings = [heading_of(page, name) for name in figures_of(page)]
    assert headings == [
        "Skill of each seed",
        "Forecasts of close, one step ahead",
        "Errors of close over time",
    ]


def test_forecast_figures_hold_what_is_stored(tmp_path):
    page = html_page(rows_of(tmp_path))
    figure = next(value for name, value in figures_of(page).items() if heading_of(page, name).startswith("Forecasts"))
    traces = {trace["name"]: trace for trace in figure["data"]}
    folder = tmp_path / "one/predictions"
    with np.load(folder / "0.npz") as predictions, np.load(folder / "truth.npz") as truth:
        assert traces["lstm"]["y"] == pytest.approx(predictions["forecast"][:, 0, 0].tolist(), rel=1e-5)
        assert traces["actual"]["y"] == pytest.approx(truth["truth"][:, 0, 0].tolist(), rel=1e-5)
    assert traces["lstm"]["visible"] is True and traces["bilstm"]["visible"] == "legendonly"


def test_missing_predictions_leave_figures_out_and_the_page_stands(tmp_path):
    rows = rows_of(tmp_path)
    for path in (tmp_path / "one/predictions").iterdir():
        path.unlink()
    page = html_page(rows)
    assert "Forecasts of" not in page and "Skill of each seed" in page and 'class="verdict"' in page


def test_several_problems_are_ranked_first_and_listed_with_links(tmp_path):
    shares = {"lstm": 0.5, "bilstm": 0.2, "naive": 0.0}
    cells = [entry for name, share in shares.items() for entry in entries(name, share, 10 * len(name))]
    problems = [{**PROBLEM, "lookback": 7 + number} for number in range(5)]
    folders = [written(tmp_path / str(place), cells, problem=problem) for place, problem in enumerate(problems)]
    page = own(html_page(results(*folders)))
    assert page.index("Over all problems</h2>") < page.index("from the last 7</h2>")
    places = re.findall(r'<h2 id="(section-\d+)">', page)
    assert re.findall(r'<a href="#(section-\d+)">', page) == places and len(places) == 6
    ranked = next(
        figure for name, figure in figures_of(page).items() if heading_of(page, name).startswith("Mean ranks")
    )
    assert ranked["layout"]["yaxis"]["ticktext"] == ["lstm", "bilstm", "naive"]
    assert ranked["data"][0]["x"] == [1.0, 2.0, 3.0] and ranked["data"][0]["y"] == [0, 1, 2]
    single = own(html_page(results(folders[0])))
    assert "Over all problems" not in single and "<nav>" not in single


def test_extreme_windows_are_those_of_the_largest_and_smallest_losses(tmp_path):
    (board,) = judged(rows_of(tmp_path))
    rows = extreme_windows(first_seeds(board)).table.rows
    folder = tmp_path / "one/predictions"
    with np.load(folder / "0.npz") as predictions, np.load(folder / "truth.npz") as truth:
        losses = ((predictions["forecast"] - truth["truth"]) ** 2)[:, 0, 0]
    shown = [losses[int(cells[1].text.removeprefix("row "))] for cells in rows]
    assert shown[:5] == sorted(losses, reverse=True)[:5] and shown[5:] == sorted(losses)[:5]
    assert [cells[0].text for cells in rows] == ["largest"] * 5 + ["smallest"] * 5


def test_tuning_has_its_table_and_its_command(tmp_path):
    rows = rows_of(tmp_path, more=entries("lstm", 0.4, 20, params={"h": 9}, tuning=TUNING))
    page = html_page(rows)
    assert "What tuning gained" in page
    assert page.index("zoo tune lstm x.csv") < page.index("zoo bench x.csv")


@pytest.mark.slow
def test_a_roofline_has_the_measured_ceilings_and_points_near_them():
    rows = results("results/speed")
    page = html_page(rows)
    rooflines = [figure for figure in figures_of(page).values() if "FLOP per byte" in json.dumps(figure["layout"])]
    assert rooflines and "Speed: speed" in page
    for figure in rooflines:
        *lines, ceiling = figure["data"]
        memory, peak = ceiling["y"][0] / ceiling["x"][0], ceiling["y"][-1]
        assert peak == pytest.approx(1e-9 * rows["ceilings.flops_per_second"].median(), rel=1e-4)
        points = [point for line in lines for point in zip(line["x"], line["y"], strict=True)]
        # The ceiling is of torch.mm; on some processors oneDNN's recurrences use wider vectors than it does.
        assert points and all(y < 1.6 * peak for _, y in points)
        assert ceiling["x"][2] == pytest.approx(peak / memory, rel=1e-4)
        assert [bool(text) for text in ceiling["text"]] == [False, True, False, True, False]


def test_lines_left_out_are_named_on_the_page(tmp_path):
    folder = written(tmp_path / "one", entries("lstm", 0.5, 0))
    with (folder / "rows.jsonl").open("a") as file:
        file.write('{"half a line')
    assert "rows.jsonl line 4: not a row" in html_page(results(folder))


@pytest.mark.parametrize(
    ("text", "value"),
    [("-", ""), ("1,234 ± 5", "1234.0"), ("<0.001", "0.001"), ("12.5~", "12.5"), ("lstm", "lstm"), ("", "")],
)
def test_cells_sort_by_the_number_that_they_begin_with(text, value):
    assert sort_value(text) == value


def test_a_row_without_command_or_result_leaves_the_page_standing(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "rows.jsonl").write_text(json.dumps(row("lstm", 0, 0, error="Boom", command=None)))
    page = html_page(results(folder))
    assert "Boom" in page and "Run it again" not in page and figures_of(page) == {}


def test_the_command_writes_a_page_of_bounded_size(tmp_path):
    folder = written(tmp_path / "one", entries("lstm", 0.5, 0))
    ended = run_zoo("report", folder, "--format", "html", "--out", tmp_path / "report.html")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "report.html").stat().st_size < 6_000_000
