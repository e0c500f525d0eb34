"""zoo bench says how many cells it will measure, and how long that may take."""

import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import Progress

from tests.conftest import run_zoo_here
from zoo.cli.meter import Meter
from zoo.run import pace


def text_of(monkeypatch, cells, seconds, *, total, workers):
    text = io.StringIO()
    monkeypatch.setattr(pace, "expected_seconds", lambda *_: seconds)
    meter = Meter(Progress(console=Console(file=text, width=40)))
    meter.planned(SimpleNamespace(cells=[None] * total, waiting=cells, notes=(), workers=workers))
    assert meter.expected(cells, None) is seconds
    assert (meter.seconds, meter.all) == (seconds, sum(seconds.values()))
    return text.getvalue()


def cell(variant, number, fit=()):
    return SimpleNamespace(variant=variant, key=f"{variant} {number}", fit=fit)


def test_one_line_says_how_many_cells_run_and_for_how_long(monkeypatch):
    cells = [cell("lstm", 0), cell("lstm", 1), cell("gru", 0)]
    seconds = {each.key: 100.0 for each in cells}
    text = text_of(monkeypatch, cells, seconds, total=3, workers=2)
    assert text == "2 variants, 3 cells: about 2 min with 2 workers\n"
    text = text_of(monkeypatch, cells[:2], {"lstm 0": 2.0, "lstm 1": 30.0}, total=9, workers=1)
    assert text == "1 variant, 9 cells, 2 of them to run: about 32 s with 1 worker\n"


@pytest.mark.parametrize("cells", [[], [cell("naive", 0, fit=None)]])
def test_where_nothing_is_trained_nothing_is_text_of(monkeypatch, cells):
    assert text_of(monkeypatch, cells, {each.key: 1.5 for each in cells}, total=4, workers=2) == ""


@pytest.mark.process
def test_the_line_stands_before_the_first_row(prices_csv, tmp_path):
    ended = run_zoo_here(
        "bench", prices_csv, "--targets", "close", "--models", "lstm,naive", "--seeds", 2, "--jobs", 2,
        "--set", "fit.max_epochs=2", "--out", tmp_path / "out",
    )  # fmt: skip
    assert re.match(r"2 variants, 3 cells: about \d+ s with 2 workers\n\[1/3\] ", ended.stderr)
