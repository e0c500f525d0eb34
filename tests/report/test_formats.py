"""One report of several folders in each format: the same figures, and text that the format cannot misread."""

import csv
import io
import json

import pytest

from tests.conftest import run_zoo
from tests.report.test_compare import entries, written
from tests.report.test_report import LSTM, NAIVE, PROBLEM, row
from tests.speed.report.rows import speed_row
from zoo.report.board import boards, summary
from zoo.report.flat import accuracy_csv
from zoo.report.latex import latex
from zoo.report.results import read_results
from zoo.report.text_table import latex_text as escaped


def test_csv_has_a_line_for_each_variant_and_plain_numbers():
    found = boards([NAIVE, *LSTM, row("bilstm", 0, 0.0, error="Boom")])
    lines = list(csv.DictReader(io.StringIO(accuracy_csv(found))))
    assert [line["variant"] for line in lines] == ["lstm", "naive", "bilstm"]
    assert float(lines[0]["skill_mean"]) == pytest.approx(0.02) and float(lines[0]["skill_deviation"]) == pytest.approx(
        0.01
    )
    assert (lines[0]["data"], lines[0]["targets"], lines[0]["tags"]) == ("x.csv", "close", "lstm")
    assert lines[2]["failed"] == "1" and lines[2]["skill_mean"] == ""
    assert "skill" not in lines[0] and "skill_interval" not in lines[0]


def test_csv_quotes_names_with_commas():
    target = 'a, "b"'
    found = boards([row("lstm", 0, 0.1, problem={**PROBLEM, "targets": [target]})])
    (line,) = csv.DictReader(io.StringIO(accuracy_csv(found)))
    assert line["targets"] == target


def test_latex_is_booktabs_with_the_figures_of_the_table():
    text = latex(boards([NAIVE, *LSTM]))
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lrrrrrrrr}", "naive (b) & 10.0"):
        assert part in text
    assert r"\textbf{9.8000 $\pm$ 0.1000}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in rows} == {8}


def test_latex_escapes_what_it_would_read_as_commands():
    assert escaped(r"50% of a_b & \x{#}$^~") == (
        r"50\% of a\_b \& \textbackslash{}x\{\#\}\$\textasciicircum{}\textasciitilde{}"
    )
    assert escaped("-0.5 ± 1, x-1, a<b") == r"$-$0.5 $\pm$ 1, x-1, a$<$b"


def test_rows_of_several_folders_count_once_and_keep_their_predictions(tmp_path):
    one = written(tmp_path / "one", entries("lstm", 0.5, 0))
    two = written(tmp_path / "two", entries("bilstm", 0.5, 10))
    results = read_results([one, two, one])
    assert [found["variant"] for found in results.accuracy] == ["lstm"] * 3 + ["bilstm"] * 3
    assert all(results.load(found) is not None for found in results.accuracy)
    assert results.speed == () and results.left_out == ()


def test_what_is_left_out_names_its_folder(tmp_path):
    one = written(tmp_path / "one", entries("lstm", 0.5, 0))
    two = written(tmp_path / "two", entries("bilstm", 0.5, 10))
    with (two / "rows.jsonl").open("a") as file:
        file.write('{"half a line')
    assert read_results([one, two]).left_out == (f"{two}: line 4 of rows.jsonl is not a row: left out",)


def test_a_failed_row_gives_way_to_the_same_cell_that_ended(tmp_path):
    broken = [("lstm", 0, None, {"error": "Boom", "metrics": None, "key": "same"})]
    ended = [("lstm", 0, entries("lstm", 0.5, 0)[0][2], {"key": "same"})]
    folders = [written(tmp_path / name, rows) for name, rows in (("one", broken), ("two", ended))]
    (row_kept,) = read_results(folders).accuracy
    assert row_kept["error"] is None and read_results(folders).load(row_kept) is not None


def test_rows_of_another_version_alone_are_refused_and_nothing_is_overwritten(tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "rows.jsonl").write_text('{"key": "x", "variant": "lstm"}\n')
    (folder / "report.md").write_text("mine")
    for arguments in ([], ["--format", "md"]):
        ended = run_zoo("report", folder, *arguments)
        assert ended.returncode == 2 and "there is nothing to report: row x lacks suite" in ended.stderr
    assert (folder / "report.md").read_text() == "mine"
    assert run_zoo("compare", folder, folder).returncode == 2


def test_speed_rows_of_an_earlier_source_are_left_out_and_said(tmp_path):
    rows = [
        speed_row("mine", "infer", 64, 7, 1e-3)
        | {"key": sha, "plugin": {"file": "mine.py", "sha256": sha}, "started": started}
        for sha, started in (("a", "2026-01-01"), ("b", "2026-01-02"))
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_results([tmp_path])
    assert [row["key"] for row in found.speed] == ["b"]
    assert found.left_out == ("speed rows of an earlier source of their variant: 1 left out",)


def test_files_among_the_folders_are_left_out_and_said(tmp_path):
    folder = written(tmp_path / "one", entries("lstm", 0.5, 0))
    (tmp_path / "README.md").write_text("a leaderboard")
    results = read_results([tmp_path / "README.md", folder])
    assert len(results.accuracy) == 3 and results.left_out == (f"{tmp_path / 'README.md'} is no folder: left out",)


@pytest.mark.parametrize("output", ["md", "latex", "csv", "json"])
def test_each_format_is_written_whole_to_a_file_and_the_same_each_time(output, tmp_path):
    folder = written(tmp_path / "one", entries("lstm", 0.5, 0))
    out = tmp_path / "report"
    assert run_zoo("report", folder, "--format", output, "--out", out).returncode == 0
    printed = run_zoo("report", folder, "--format", output)
    assert printed.stdout == out.read_text() and "lstm" in printed.stdout
    assert not (folder / "report.md").exists()
    if output == "json":
        results = read_results([folder])
        assert json.loads(printed.stdout)[0]["data"] == summary(boards(results.accuracy))[0]["data"]


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
