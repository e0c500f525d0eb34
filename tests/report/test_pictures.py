"""Pictures of boards: drawn where there is something to show, named by board, and deleted when there is nothing."""

import numpy as np
import pytest
from PIL import Image

from tests.report.rows import DATA, LSTM, NAIVE, PROBLEM, entries, frame, read, row
from zoo.report import pictures
from zoo.report.board import boards
from zoo.report.chart import png
from zoo.report.evidence import judged
from zoo.report.folder import draw
from zoo.report.html.figure import plotly
from zoo.report.markdown import markdown
from zoo.report.pictures import (
    ACTUAL,
    board_figures,
    by_step,
    first_seeds,
    forecasts,
    learning,
    ranks,
    residuals,
    skill,
)
from zoo.run.predictions import Stored
from zoo.stats.ranks import ranking

ELSEWHERE = {**DATA, "fingerprint": "e" * 64}


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A board of two variants, each with three seeds and stored predictions."""
    rows = read(tmp_path_factory.mktemp("rows") / "one", [*entries("lstm", 0.5, 0), *entries("bilstm", 0.2, 10)])
    return judged(rows)[0]


def named(chart):
    return {series.label: series for series in chart.series}


def draw_boards(drawn, folder):
    figures = board_figures(drawn)
    draw(figures, folder)
    return list(figures)


def is_drawn(path):
    """Whether a PNG holds more than two colours."""
    with Image.open(path) as image:
        return image.format == "PNG" and len(image.convert("RGB").getcolors(1 << 20)) > 2


def test_every_picture_of_a_board_is_drawn_and_stands_in_the_report(board, tmp_path):
    drawn = draw_boards([board], tmp_path)
    assert drawn == ["skill.png", "forecast.png"]
    assert all(is_drawn(tmp_path / name) for name in drawn)
    text = markdown([board], (), drawn)
    assert [name for name in drawn if f"]({name})" in text] == drawn
    assert "](" not in markdown([board])


def test_a_second_board_has_pictures_of_its_own_and_leftovers_are_deleted(tmp_path):
    (tmp_path / "forecast-2.png").write_bytes(b"of an earlier run of lstm-zoo")
    (tmp_path / "mine.png").write_bytes(b"not ours")
    first = [NAIVE, *LSTM]
    second = [line | {"data": ELSEWHERE, "key": f"{line['key']} elsewhere"} for line in first]
    assert draw_boards(boards(frame([*first, *second])), tmp_path) == ["skill.png", "skill-2.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.png", "skill-2.png", "skill.png"]
    assert draw_boards(boards(frame([NAIVE])), tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]


def test_every_target_has_a_panel_over_the_time_of_its_rows(monkeypatch, tmp_path):
    truth = np.random.default_rng(0).normal(size=(200, 3, 2))
    days = np.datetime64("2020-01-01") + np.arange(200)
    stored = Stored(truth + 0.1, truth, truth[:, 0], np.arange(200), deviation=np.ones(2), time=days)
    monkeypatch.setattr(pictures, "stored_of", lambda _: stored)
    heights = []
    for targets in (["open"], ["open", "<close> $x$"]):
        drawn = boards(frame([line | {"problem": {**PROBLEM, "targets": targets}} for line in (NAIVE, *LSTM)]))
        assert "forecast.png" in draw_boards(drawn, tmp_path)
        with Image.open(tmp_path / "forecast.png") as image:
            heights.append(image.height)
        charts = forecasts(drawn[0], first_seeds(drawn[0]), last=120)
        assert [chart.y_label for chart in charts] == targets
        assert named(charts[0])[ACTUAL].x.tolist() == days[-120:].astype("datetime64[s]").tolist()
    assert heights[1] == 2 * heights[0]


def test_names_that_look_like_formulas_are_drawn_as_they_are(tmp_path):
    rows = [NAIVE, *(row("lstm", seed, 0.1, params={"h": f"$x_{seed % 2}$"}) for seed in range(4))]
    assert draw_boards(boards(frame(rows)), tmp_path) == ["skill.png"]


def test_skill_has_a_dot_for_each_seed_and_a_bar_for_each_interval(board):
    chart = skill(board)
    assert chart.y_names == ["lstm", "bilstm"]
    dots = [series for series in chart.series if series.kind == "markers"]
    for place, (line, series) in enumerate(zip(board.lines, dots, strict=True)):
        assert list(series.x) == pytest.approx([100 * value for value in line.runs["skill"]])
        assert list(series.y) == [place] * 3
    assert chart.series[0].x == [0.0, 0.0] and chart.series[0].y == [-0.5, 1.5]  # as good as naive
    bars = [list(series.x) for series in chart.series if series.label == "interval of skill"]
    assert bars == [pytest.approx([100 * end for end in line.interval]) for line in board.lines]


def test_a_skill_too_low_to_fit_stands_at_the_edge_with_its_figure():
    rows = [NAIVE, *LSTM, row("drift", 0, -3.0, tags=("baseline", "deterministic"))]
    chart = skill(boards(frame(rows))[0])
    low, high = chart.x_range
    far = next(series for series in chart.series if series.text)
    assert far.text == ["-300 %"] and list(far.y) == [chart.y_names.index("drift")]
    assert low <= far.x[0] < 0 < high < 10


def test_forecasts_are_the_stored_ones_and_only_the_best_is_shown(board):
    stored = first_seeds(board)
    (chart,) = forecasts(board, stored)
    series = named(chart)
    assert series["lstm"].y.tolist() == stored["lstm"].forecast[:, 0, 0].tolist()
    assert series[ACTUAL].y.tolist() == stored["lstm"].truth[:, 0, 0].tolist()
    assert [label for label, one in series.items() if one.is_shown] == ["actual", "lstm"]


def test_residuals_are_forecast_minus_actual(board):
    stored = first_seeds(board)
    (chart,) = residuals(board, stored)
    own = stored["bilstm"]
    assert named(chart)["bilstm"].y.tolist() == (own.forecast - own.truth)[:, 0, 0].tolist()
    assert named(chart)["naive (the value before)"].y.tolist() == (own.last[:, 0] - own.truth[:, 0, 0]).tolist()


def test_rmse_by_step_is_that_of_each_step_alone():
    problem = boards(frame([line | {"problem": {**PROBLEM, "horizon": 2}} for line in (NAIVE, *LSTM)]))[0]
    truth = np.zeros((4, 2, 1))
    forecast = truth + np.array([1.0, 3.0])[:, None]
    (chart,) = by_step(problem, {"lstm": Stored(forecast, truth, np.full((4, 1), 2.0), np.arange(4))})
    assert {series.label: series.y.tolist() for series in chart.series} == {
        "naive (the value before)": [2.0, 2.0], "lstm": [1.0, 3.0]
    }  # fmt: skip


def test_learning_curves_start_at_one(board):
    stored = first_seeds(board)
    assert learning(board, stored) is None
    losses = Stored(*(getattr(stored["lstm"], name) for name in ("forecast", "truth", "last", "target_row")),
                    valid_loss=np.array([2.0, 1.0, 0.5]))  # fmt: skip
    (series,) = learning(board, {"lstm": losses}).series
    assert (series.label, list(series.x), series.y.tolist()) == ("lstm", [0, 1, 2], [1.0, 0.5, 0.25])


def test_ranks_are_drawn_with_their_groups(tmp_path):
    errors = np.random.default_rng(0).normal(size=(30, 4)) + np.array([0, 0.2, 3, 6])
    ranked = ranking(["a", "b", "c", "d"], errors)
    assert ranked.groups == (("a", "b"),)
    chart = ranks(ranked)
    assert list(named(chart)["mean rank"].x) == list(ranked.ranks)
    assert named(chart)["no clear difference"].y == [0, 1]
    png([[chart]], tmp_path / "ranks.png")
    with Image.open(tmp_path / "ranks.png") as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
    bar = tuple(int(plotly(chart)["data"][1]["line"]["color"][place : place + 2], 16) for place in (1, 3, 5))
    assert any(all(abs(a - b) < 12 for a, b in zip(colour, bar, strict=True)) for colour in colours)
