"""What an explanation leaves in a folder: tables, pictures and one page, all or nothing."""

import re

import pandas as pd
import pytest

import zoo
from tests.explanation.truths import three_channels, trained
from zoo.explanation import folder as writing
from zoo.explanation.folder import write_folder
from zoo.explanation.lags import group_text, lag_groups, rows_of
from zoo.explanation.pictures import charts_of
from zoo.explanation.section import section_of
from zoo.report.html.figure import plotly


@pytest.fixture(scope="module")
def explained():
    data = zoo.prepare(three_channels(), targets="y", lookback=6, normalise="none")
    return zoo.explain(trained("attention-lstm", data), data, windows=60)


def test_groups_of_lags_double_and_cover_every_row_once():
    assert [group_text(group) for group in lag_groups(12)] == ["1", "2", "3-4", "5-8", "9-12"]
    for lookback in range(1, 40):
        rows = [row for group in lag_groups(lookback) for row in range(lookback)[rows_of(group, lookback)]]
        assert sorted(rows) == list(range(lookback))
    assert range(6)[rows_of((1, 1), 6)] == range(5, 6)


def test_tables_hold_what_was_measured(explained, tmp_path):
    written = write_folder(explained, tmp_path / "new" / "why")
    names = [f"{name}.{end}" for name in ("attention", "attributions", "gates", "importance") for end in ("csv", "png")]
    assert [path.name for path in written] == sorted([*names, "explain.html"])
    for name, frame in explained.frames.items():
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new" / "why" / f"{name}.csv"), frame, rtol=1e-5)
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "why"]  # no draft is left


def test_the_page_says_the_answer_first_and_asks_no_network(explained, tmp_path):
    write_folder(explained, tmp_path / "why", "zoo explain m d --out why")
    page = (tmp_path / "why" / "explain.html").read_text()
    answer = str(explained).splitlines()[0]
    assert page.index(answer) < page.index("<table") and "zoo explain m d --out why" in page
    assert len(re.findall('class="plot" id="figure', page)) == 4
    assert "60 of the 180 of the part test" in page
    assert "default-src 'none'" in page and not re.search(r'(?:src|href)="(?!#)', page.partition("<script>")[0])


def test_maps_are_darkest_where_the_input_matters(explained):
    chart = charts_of(explained)["importance"]
    darkest = chart.series[0]
    (x,), (y,) = darkest.x, darkest.y
    assert (chart.y_names[y], chart.x_names[x]) == ("c2", "3-4") and darkest.opacity == 1.0
    assert chart.y_names == charts_of(explained)["attributions"].y_names
    assert plotly(chart)["data"][0]["hovertext"][0].startswith("c2, lag 3-4: ")
    table = section_of(explained).blocks[1].table
    assert [cell.text for cell in table.rows[0][:2]] == ["c2", "3-4"]


def test_a_failure_leaves_nothing(explained, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "png", full)
    with pytest.raises(zoo.InputError, match="cannot write .*why: No space left on device; choose another --out"):
        write_folder(explained, tmp_path / "why")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_left_alone(explained, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(zoo.InputError, match="exists and is not empty: choose another --out"):
        write_folder(explained, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    assert (tmp_path / "empty" / "explain.html") in write_folder(explained, tmp_path / "empty")
