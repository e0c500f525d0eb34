"""Pictures of boards: drawn where there is something to show, named by board, and gone when it is."""

import numpy as np
import pytest
from PIL import Image

from tests.report.test_compare import entries, written
from tests.report.test_report import DATA, LSTM, NAIVE, PROBLEM, row
from zoo.report.board import boards
from zoo.report.evidence import judged
from zoo.report.front import front_sentence
from zoo.report.markdown import markdown
from zoo.report.pictures import draw_boards, draw_ranks
from zoo.report.predictions import Stored, nothing_stored
from zoo.report.results import read_results
from zoo.stats.ranks import ranking

ELSEWHERE = {**DATA, "fingerprint": "e" * 64}


def is_drawn(path):
    """Whether a PNG holds more than one colour."""
    with Image.open(path) as image:
        return image.format == "PNG" and len(image.convert("RGB").getcolors(1 << 20)) > 2


def test_every_picture_of_a_board_is_drawn_and_stands_in_the_report(tmp_path):
    folder = written(tmp_path / "one", [*entries("lstm", 0.5, 0), *entries("bilstm", 0.2, 10)])
    results = read_results([folder])
    found = judged(results.accuracy, results.load)
    drawn = draw_boards(found, results.load, folder)
    assert drawn == ["skill.png", "trade.png", "forecast.png"]
    assert all(is_drawn(folder / name) for name in drawn)
    text = markdown(found, (), drawn)
    assert [name for name in drawn if f"]({name})" in text] == drawn
    assert "](" not in markdown(found)


def test_a_second_board_has_pictures_of_its_own_and_what_is_left_over_goes(tmp_path):
    (tmp_path / "forecast-2.png").write_bytes(b"of an earlier run")
    (tmp_path / "windows-per-second.png").write_bytes(b"not ours")
    untimed = [line | {"windows_per_second": None} for line in (NAIVE, *LSTM)]
    second = [line | {"data": ELSEWHERE} for line in untimed]
    drawn = draw_boards(boards([*untimed, *second]), nothing_stored, tmp_path)
    assert drawn == ["skill.png", "skill-2.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["skill-2.png", "skill.png", "windows-per-second.png"]
    assert draw_boards(boards([NAIVE]), nothing_stored, tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["windows-per-second.png"]


def test_every_target_has_a_panel_over_the_time_of_its_rows(tmp_path):
    truth = np.random.default_rng(0).normal(size=(200, 3, 2))
    days = np.datetime64("2020-01-01") + np.arange(200)
    stored = Stored(truth + 0.1, truth, truth[:, 0], np.arange(200), deviation=np.ones(2), time=days)
    heights = []
    for targets in (["open"], ["open", "<close> $x$"]):
        (board,) = boards([NAIVE, *LSTM])
        board = boards([line | {"problem": {**PROBLEM, "targets": targets}} for line in board.rows])
        assert "forecast.png" in draw_boards(board, lambda _: stored, tmp_path)
        with Image.open(tmp_path / "forecast.png") as image:
            heights.append(image.height)
    assert heights[1] == pytest.approx(heights[0] + 220)


def test_names_that_look_like_formulas_are_drawn_as_they_are(tmp_path):
    rows = [NAIVE, *(row("lstm", seed, 0.1, params={"h": f"$x_{seed % 2}$"}) for seed in range(4))]
    assert draw_boards(boards(rows), nothing_stored, tmp_path) == ["skill.png", "trade.png"]


def test_ranks_are_drawn_with_their_groups(tmp_path):
    errors = np.random.default_rng(0).normal(size=(30, 4)) + np.array([0, 0.2, 3, 6])
    found = ranking(["a", "b", "c", "d"], errors)
    assert found.groups == (("a", "b"),)
    draw_ranks(found, tmp_path / "ranks.png")
    with Image.open(tmp_path / "ranks.png") as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
    bar = (0, 114, 178)
    assert any(all(abs(a - b) < 12 for a, b in zip(colour, bar, strict=True)) for colour in colours)


@pytest.mark.parametrize(("speeds", "said"), [((50.0, 100.0), ["bilstm, lstm"]), ((100.0, 50.0), [])])
def test_the_front_is_told_where_no_variant_is_best_in_both(speeds, said):
    first, second = (
        row(name, 0, skill, windows_per_second=speed)
        for name, skill, speed in zip(("lstm", "bilstm"), (0.2, 0.1), speeds, strict=True)
    )
    (board,) = boards([NAIVE | {"windows_per_second": None}, first, second])
    expected = [f"On the front of accuracy and training throughput, fastest first: {names}." for names in said]
    assert front_sentence(board) == expected
