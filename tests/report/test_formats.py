"""One report of several folders in each format: the same figures, and text that the format cannot misread."""

import csv
import io
import json

import pytest

from tests.conftest import run_zoo_here as run_zoo
from tests.report.rows import LSTM, NAIVE, PROBLEM, TUNING, entries, frame, row, written
from zoo.errors import InputError
from zoo.report.board import boards
from zoo.report.formats import as_text
from zoo.report.summary import summary
from zoo.report.text_table import latex_text
from zoo.run.results import results


@pytest.fixture(scope="module")
def speed():
    """The rows of a committed run of zoo speed."""
    return results("results/speed")


def test_csv_has_a_line_for_each_variant_and_plain_numbers():
    text = as_text(frame([NAIVE, *LSTM, row("bilstm", 0, 0.0, error="Boom")]), "csv")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["variant"] for line in lines] == ["lstm", "naive", "bilstm"]
    assert float(lines[0]["skill_mean"]) == pytest.approx(0.02)
    assert float(lines[0]["skill_deviation"]) == pytest.approx(0.01)
    assert (lines[0]["data"], lines[0]["targets"], lines[0]["tags"]) == ("x.csv", "close", "lstm")
    assert lines[2]["failed"] == "1" and lines[2]["skill_mean"] == ""
    assert "skill" not in lines[0] and "skill_interval" not in lines[0]


@pytest.mark.parametrize("form", ["md", "latex", "html"])
def test_reports_show_no_speed_that_was_taken_beside_other_runs(form):
    rows = frame([NAIVE, *LSTM])
    rows.attrs["left_out"] = []
    text = as_text(rows, form).split("plotly.js (basic")[0]
    assert "windows/s" not in text and "throughput" not in text
    assert "while other runs may have shared the machine" in text
    assert "windows_per_second" not in as_text(rows, "csv")


def test_csv_quotes_names_with_commas():
    target = 'a, "b"'
    text = as_text(frame([row("lstm", 0, 0.1, problem={**PROBLEM, "targets": [target]})]), "csv")
    (line,) = csv.DictReader(io.StringIO(text))
    assert line["targets"] == target


def test_csv_of_speed_has_a_line_for_each_cell(speed):
    lines = list(csv.DictReader(io.StringIO(as_text(speed, "csv"))))
    assert [line["key"] for line in lines] == list(speed["key"])
    assert float(lines[0]["step_seconds.median"]) == speed["step_seconds.median"].iloc[0]
    assert not any(value.startswith(("(", "[")) for value in lines[0].values())


def test_csv_refuses_both_kinds_of_rows(tmp_path):
    folder = written(tmp_path / "one", entries("lstm", 0.5, 0))
    both = results("results/speed", folder)
    with pytest.raises(InputError, match="a CSV file holds one table: name folders of zoo bench or folders of"):
        as_text(both, "csv")
    cells = json.loads(as_text(both, "json"))
    assert cells[0]["lines"][0]["variant"] == "lstm" and {cell["kind"] for cell in cells[1:]} == {"speed"}


def test_json_holds_the_summary_and_no_empty_values(speed):
    rows = [NAIVE, *LSTM]
    assert json.loads(as_text(frame(rows), "json")) == json.loads(json.dumps(summary(boards(frame(rows)))))
    cells = json.loads(as_text(speed, "json"), parse_constant=pytest.fail)
    assert len(cells) == len(speed) and all(value is not None for value in cells[0].values())


def test_latex_is_booktabs_with_the_figures_of_the_table():
    text = as_text(frame([NAIVE, *LSTM]), "latex")
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lrrrrrrr}", "naive (b) & 10.0"):
        assert part in text
    assert r"\textbf{9.8000 $\pm$ 0.1000}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in rows} == {7}


def test_latex_has_a_table_of_tuning_and_one_of_each_target():
    problem = {**PROBLEM, "targets": ["open", "close"]}
    tuned = {"params": {"hidden_size": 9}, "tuning": TUNING}
    text = as_text(frame([row("lstm", 0, 0.1, problem=problem, **fields) for fields in ({}, tuned)]), "latex")
    assert text.count(r"\begin{tabular}") == 3
    assert "What tuning gained." in text and "Each target." in text


def test_latex_of_speed_has_a_table_for_each_sheet(speed):
    text = as_text(speed, "latex")
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") > 1
    assert r"\caption{Speed: speed: Windows per second: Training, lookback" in text


def test_latex_escapes_what_it_would_read_as_commands():
    assert latex_text(r"50% of a_b & \x{#}$^~") == (
        r"50\% of a\_b \& \textbackslash{}x\{\#\}\$\textasciicircum{}\textasciitilde{}"
    )
    assert latex_text("-0.5 ± 1, x-1, a<b") == r"$-$0.5 $\pm$ 1, x-1, a$<$b"


@pytest.mark.parametrize("output", ["md", "latex", "csv", "json"])
def test_each_format_is_written_whole_to_a_file_and_the_same_each_time(output, tmp_path):
    folder = written(tmp_path / "one", entries("lstm", 0.5, 0))
    out = tmp_path / "report"
    assert run_zoo("report", folder, "--format", output, "--out", out).returncode == 0
    printed = run_zoo("report", folder, "--format", output)
    assert printed.stdout == out.read_text() and "lstm" in printed.stdout
    assert not (folder / "report.md").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x.md"], "--out needs --format: md, html, latex, csv or json"),
        (["--format", "pdf"], "'pdf' is not one of 'md', 'html', 'latex', 'csv', 'json'"),
    ],
)
def test_a_wrong_request_is_one_line(arguments, message, tmp_path):
    folder = written(tmp_path / "one", entries("lstm", 0.5, 0))
    ended = run_zoo("report", folder, *arguments, cwd=tmp_path)
    assert ended.returncode == 2 and message in " ".join(ended.stderr.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one"]
