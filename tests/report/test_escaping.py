"""A text from a data file or a row means nothing to a terminal, a browser, LaTeX or a spreadsheet."""

import csv
import io
import json

import pytest

from tests.conftest import run_zoo_here
from tests.report.rows import PROBLEM, entries, written
from zoo.report.formats import csv_text
from zoo.report.text_table import escaped, latex_text
from zoo.run.results import results

HOSTILE = "=<script>alert(1)</script>\x1b[31m[red]|`*\u202e\nnext\\input{x}"
SHOWN = "=<script>alert(1)</script>[31m[red]|`* next\\input{x}"  # in one line of signs that print


@pytest.fixture
def folder(tmp_path):
    problem = {**PROBLEM, "targets": [HOSTILE], "channels": ["open", HOSTILE]}
    fields = {"suite": HOSTILE, "machine": {"cpu": HOSTILE, "cores": 2, "system": "an OS"}}
    failed = ("bilstm", 9, None, {"error": f"Boom: {HOSTILE}", "metrics": None})
    return written(tmp_path / "out", [*entries("lstm", 0.5, 0, **fields), failed], problem=problem)


def test_rows_are_read_without_signs_that_do_not_print(folder):
    frame = results(folder)
    assert set(frame["targets"].map(tuple)) == {(SHOWN,)}
    assert SHOWN in set(frame["suite"]) and f"Boom: {SHOWN}" in set(frame["error"])


@pytest.mark.parametrize("form", ["md", "html", "latex", "csv", "json"])
def test_each_format_holds_the_text_and_obeys_none_of_it(folder, form):
    ended = run_zoo_here("report", folder, "--format", form)
    text = ended.stdout.split("plotly.js (basic")[0]
    assert ended.returncode == 0
    assert "\x1b" not in text and "\u202e" not in text
    if form == "json":
        assert json.loads(text)[0]["problem"]["targets"] == [SHOWN]
    elif form == "csv":
        (line, *_) = csv.DictReader(io.StringIO(text))
        assert line["targets"] == f"'{SHOWN}"
    elif form == "latex":
        assert "\\input{" not in text and latex_text(SHOWN) in text
    elif form == "md":
        assert "<script" not in text.replace("\\<script", "") and escaped(SHOWN) in text
    else:
        assert "<script>alert" not in text and "&lt;script&gt;alert" in text


def test_the_terminal_shows_it_as_it_is(folder):
    ended = run_zoo_here("report", folder)
    assert ended.returncode == 0
    assert "\x1b" not in ended.stdout + ended.stderr and "\u202e" not in ended.stdout
    assert "<script>alert(1)</script>[31m[red]" in ended.stdout


def test_cells_that_a_spreadsheet_would_run_begin_with_an_apostrophe():
    import pandas as pd

    texts = ["=1+1", "+x", "-x", "@x", "\tx", "-1.5", "+3", "lstm", "", 7]
    read = list(csv.reader(io.StringIO(csv_text(pd.DataFrame({"=a": texts})))))
    assert read[0] == ["'=a"]
    assert [line[0] if line else "" for line in read[1:]] == [
        "'=1+1",
        "'+x",
        "'-x",
        "'@x",
        "'\tx",
        "-1.5",
        "+3",
        "lstm",
        "",
        "7",
    ]
