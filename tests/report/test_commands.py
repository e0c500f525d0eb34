"""zoo report and zoo compare as commands: what they write, print and refuse."""

import json
import shutil

import pytest

from tests.conftest import run_zoo_here as run_zoo
from tests.report.rows import entries, written


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of results that no test changes."""
    return written(tmp_path_factory.mktemp("results") / "mine", entries("lstm", 0.5, 0))


def test_report_writes_report_and_pictures_and_prints_the_answer_first(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "mine")
    ended = run_zoo("report", copy)
    assert ended.returncode == 0 and ended.stderr == ""
    assert ended.stdout.startswith("close of x.csv: 1 step ahead from the last 7\n\nYes. lstm is ")
    text = (copy / "report.md").read_text()
    assert text.index("**Yes. lstm is ") < text.index("| variant") < text.index("How to read it")
    assert run_zoo("report", copy).stdout == ended.stdout and (copy / "report.md").read_text() == text


def test_lines_that_cannot_be_read_are_named(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "mine")
    with (copy / "rows.jsonl").open("a") as file:
        file.write('{"half a line')
    ended = run_zoo("report", copy)
    assert ended.returncode == 0 and ended.stderr.startswith("note: rows.jsonl line 4: not a row")
    assert "rows.jsonl line 4: not a row" in (copy / "report.md").read_text()


def test_several_folders_make_one_text_and_no_report(folder, tmp_path):
    other = written(tmp_path / "other", entries("bilstm", 0.5, 10))
    (tmp_path / "README.md").write_text("a leaderboard")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "rows.jsonl").write_text('{"key": "x", "variant": "lstm"}\n')
    out = tmp_path / "all.md"
    ended = run_zoo("report", folder, other, foreign, tmp_path / "README.md", "--format", "md", "--out", out)
    assert ended.returncode == 0, ended.stderr
    assert "bilstm" in out.read_text() and not (other / "report.md").exists()
    assert f"{tmp_path / 'README.md'} is not a folder and is left out" in ended.stderr
    assert f"{foreign} has no rows that this version reads and is left out" in ended.stderr


def test_rows_of_another_version_alone_are_refused_and_nothing_is_overwritten(tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    (old / "rows.jsonl").write_text('{"key": "x", "variant": "lstm"}\n')
    (old / "report.md").write_text("mine")
    for arguments in (["report", old], ["report", old, "--format", "md"], ["report", old, old], ["compare", old, old]):
        ended = run_zoo(*arguments)
        assert ended.returncode == 2 and len(ended.stderr.splitlines()) == 1, ended.stderr
    assert (old / "report.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "{mine}", "--out", "x.md"], "--out needs --format: md, html, latex, csv or json"),
        (["report", "{mine}", "--format", "pdf"], "'pdf' is not one of 'md', 'html', 'latex', 'csv', 'json'"),
        (
            ["report", "{mine}", "--leaderboard", "--json"],
            "--leaderboard takes one DIR, and no --format, --out or --json",
        ),
        (["report", "nowhere"], "no rows in nowhere/rows.jsonl"),
        (["report", "{mine}", "--format", "md", "--out", "no/such/folder.md"], "cannot write no/such/folder.md"),
        (["report", "{mine}", "--leaderboard"], "holds results of zoo bench"),
        (["compare", "{mine}", "{mine}", "--fail-on", "lots"], "--fail-on takes a share below 1"),
        (["compare", "{mine}", "nowhere"], "no rows in nowhere/rows.jsonl"),
    ],
)
def test_a_wrong_request_is_one_line(arguments, message, folder, tmp_path):
    ended = run_zoo(*(argument.format(mine=folder) for argument in arguments), cwd=tmp_path)
    assert ended.returncode == 2 and message in " ".join(ended.stderr.split())
    assert len(ended.stderr.strip().splitlines()) == 1 and not any(tmp_path.iterdir())


def test_a_folder_set_against_itself_has_the_same_rows(folder):
    ended = run_zoo("compare", folder, folder, "--fail-on", "0")
    assert ended.returncode == 0 and ended.stdout == "The same rows in both (1): lstm.\n"
    assert json.loads(run_zoo("compare", folder, folder, "--json").stdout)["summary"]["same"] == ["lstm"]


@pytest.mark.parametrize("command", ["report", "compare"])
def test_help_has_examples(command):
    text = run_zoo(command, "--help").stdout
    assert "Examples" in text and f"zoo {command} results/sp500" in text


def test_the_least_skill_that_matters_is_the_users(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "mine")
    assert run_zoo("report", copy).stdout.splitlines()[2].startswith("Yes. lstm is ")
    strict = run_zoo("report", copy, "--minimum-skill", "90%")
    assert strict.stdout.splitlines()[2].startswith("No. The best recurrent model, lstm, is ")
    assert ", less than the 90 % that matters. Keep naive." in strict.stdout
    refused = run_zoo("report", copy, "--minimum-skill", "much")
    assert refused.returncode == 2 and "--minimum-skill" in refused.stderr and refused.stderr.count("\n") == 1
