"""The columns of a table as pictures: what is marked is where it is."""

import numpy as np
import pandas as pd
import pytest

from tests.cases import made_cases
from tests.conftest import run_zoo_here
from zoo.data.describe import describe
from zoo.data.sources import load
from zoo.report.columns import cases_figure, table_figure


def test_jumps_and_gaps_are_marked_where_they_are(prices):
    frame = prices.copy()
    frame["volume"] = np.random.default_rng(0).normal(size=300)
    frame.loc[50:, "volume"] += 500
    frame.loc[[100, 101], "close"] = np.nan
    table = load(frame)
    figure = table_figure(table)
    charts = {row[0].title: row[0] for row in figure}
    assert list(charts) == list(table.columns)
    marked = {name: {series.label: series for series in chart.series} for name, chart in charts.items()}
    dates = pd.DatetimeIndex(frame["date"])
    assert list(marked["volume"]["jump"].x) == [dates[50]] and describe(table)["columns"]["volume"]["jumps"] == 1
    assert list(marked["close"]["missing"].x) == [dates[100], dates[101]]
    assert set(marked["open"]) == {""}


def test_each_class_has_a_panel_of_its_cases():
    made = made_cases(30, (5, 8))
    figure = cases_figure(made)
    assert [row[0].title for row in figure] == [f"class {name}" for name in made.classes]
    first = np.flatnonzero(made.labels == made.classes[0])[0]
    np.testing.assert_array_equal(figure[0][0].series[0].y, made.sequence(int(first))[:, 0])


@pytest.mark.process
def test_the_command_draws_or_says_why_not(prices_csv, tmp_path):
    ended = run_zoo_here("data", prices_csv, "--draw", tmp_path / "prices.png")
    assert ended.returncode == 0 and (tmp_path / "prices.png").read_bytes()[1:4] == b"PNG" and "rows" in ended.stdout
    ended = run_zoo_here("data", prices_csv, "--draw", tmp_path / "prices.html")
    page = (tmp_path / "prices.html").read_text(encoding="utf-8")
    assert ended.returncode == 0 and "steps of close: correlation with earlier steps" in page and "--normalise" in page
    ended = run_zoo_here("data", prices_csv, "--draw", tmp_path / "prices.jpg")
    assert (
        ended.returncode == 2
        and "--draw writes a PNG or an HTML file" in ended.stderr
        and ended.stderr.count("\n") == 1
    )
