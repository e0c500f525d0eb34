"""Reports are functions of rows: made-up rows in, sentences and tables out."""

import io
import json
import re

import pytest
from rich.console import Console

from tests.report.rows import (
    LSTM,
    NAIVE,
    PROBLEM,
    STEPS,
    TUNING,
    code,
    entries,
    frame,
    metrics,
    read,
    row,
    written,
)
from zoo.report.board import boards, spread_of
from zoo.report.board_section import board_section
from zoo.report.evidence import judged
from zoo.report.folder import write_report
from zoo.report.markdown import markdown
from zoo.report.summary import summary, summary_frame
from zoo.report.tables import accuracy_table, figure, target_table
from zoo.report.terminal import show
from zoo.report.text_table import escaped
from zoo.run.results import results


def test_spread_is_the_sample_deviation():
    spread = spread_of([1.0, 2.0, 3.0])
    assert (spread.mean, spread.deviation, spread.count) == (2.0, 1.0, 3)
    assert spread_of([1.0]).deviation is None
    assert spread_of([]) is None
    assert spread_of([1.0, None]) is None


def test_lines_are_ordered_by_skill_and_means_are_over_seeds():
    (board,) = boards(frame([NAIVE, *LSTM, row("bilstm", 0, -0.5)]))
    assert [line.label for line in board.lines] == ["lstm", "naive", "bilstm"]
    assert board.lines[0].spread("skill").mean == pytest.approx(0.02)
    cells = [cell.text for cell in accuracy_table(board).rows[0]]
    assert cells[:4] == ["lstm", "9.8000 ± 0.1000", "7.8400 ± 0.0800", "0.90000 ± 0.00000"]
    assert cells[4:] == ["+2.00 ± 1.00", "3", "99", "2.00"]


def test_best_is_bold_in_each_column():
    table = accuracy_table(boards(frame([NAIVE, *LSTM]))[0])
    assert [cell.is_best for cell in table.rows[0]] == [False, True, True, True, True, False, False, False]
    assert [cell.is_best for cell in table.rows[1]][1:3] == [False, False]
    assert table.baseline == (False, True)


def test_settings_that_differ_are_in_the_label():
    rows = [row("lstm", 0, 0.1, params={"hidden_size": size, "dropout": 0.1}) for size in (32, 64)]
    assert [line.label for line in boards(frame(rows))[0].lines] == ["lstm (hidden_size=32)", "lstm (hidden_size=64)"]


def test_other_problem_is_another_board():
    other = row("lstm", 0, 0.1, problem={**PROBLEM, "horizon": 5})
    assert [board.horizon for board in boards(frame([NAIVE, other]))] == [1, 5]


@pytest.mark.parametrize(
    ("mean", "text"), [(19.97501, "19.975"), (0.1234567, "0.12346"), (123456.7, "123457"), (-0.000001, "0.00000")]
)
def test_figures_have_five_digits(mean, text):
    assert figure(spread_of([mean])) == text


def test_large_figures_share_an_exponent():
    assert figure(spread_of([361_000_000.0, 363_000_000.0])) == "3.6200e8 ± 0.0141e8"
    assert figure(spread_of([-1_234_567.0])) == "-1.2346e6"


def test_rows_of_an_earlier_code_are_left_out_and_counted():
    def mine(seed, sha, started, skill):
        return row("mine", seed, skill, code=code(sha * 64), started=started)

    rows = [mine(0, "a", "1", 0.5), mine(1, "a", "2", 0.5), mine(0, "b", "3", 0.1), NAIVE | {"started": "4"}]
    (board,) = boards(frame(rows))
    (line,) = [line for line in board.lines if line.label == "mine"]
    assert list(line.runs["skill"]) == [0.1] and board.earlier == {"mine": 2}
    assert f"from file mine.py, source sha256 {'b' * 16}; 2 rows of earlier code left out" in markdown([board])
    assert len(boards(frame(LSTM))[0].lines[0].runs) == 3


def test_rows_without_a_code_are_the_oldest_whenever_they_ran():
    rows = [
        row("lstm", 0, 0.5, started="2"),
        row("lstm", 0, 0.1, code=code("a" * 64, "zoo", "zoo.models.lstm"), started="1"),
    ]
    (board,) = boards(frame(rows))
    assert list(board.lines[0].runs["skill"]) == [0.1]
    assert "- lstm: 1 row of earlier code left out" in markdown([board])


def test_several_targets_have_their_own_table():
    problem = {**PROBLEM, "targets": ["open", "close"]}
    targets = {"open": metrics(rmse=3.0), "close": metrics(rmse=4.0)}
    figures = metrics(rmse=1.0, mae=1.0, r2=0.5, skill=0.1, targets=targets)
    (board,) = boards(frame([row("lstm", 0, 0.1, problem=problem) | {"metrics": figures}]))
    assert board.targets == ("open", "close")
    assert [cell.text for cell in target_table(board).rows[0]] == ["lstm", "3.0000", "4.0000"]
    assert target_table(boards(frame([NAIVE]))[0]) is None


def test_undefined_metrics_are_dashes():
    (board,) = boards(frame([row("lstm", 0, 0.0) | {"metrics": metrics(rmse=0.0, mae=0.0)}]))
    cells = [cell.text for cell in accuracy_table(board).rows[0]]
    assert cells[3:5] == ["-", "-"]
    assert summary([board])[0]["lines"][0]["skill"] is None


def test_markdown_begins_with_the_answer_and_holds_table_provenance_and_failures():
    failed = row("bilstm", 0, 0.0, error="Boom: it broke", traceback="errors/abc.txt")
    text = markdown(boards(frame([NAIVE, *LSTM, failed])), ["rows.jsonl line 3: not a row; the line is left out"])
    assert text == markdown(
        boards(frame([NAIVE, *LSTM, failed])), ["rows.jsonl line 3: not a row; the line is left out"]
    )
    parts = (
        "# mine", "## close of x.csv: 1 step ahead from the last 7",
        "**Unclear. The best recurrent model, lstm, is 2.00 % better",
        "**9.8000 ± 0.1000**", "| naive (b) ", "How to read it: ",
        "- 1 of 1 ends ahead of naive by at least 0.5 %: lstm",
        "- bilstm, seed 0: Boom: it broke (traceback: errors/abc.txt)", "fingerprint ffffffffffffffff",
        "70 train, 10 validation, 20 test", "- note: a note", "a cpu, 2 cores, an OS; device cpu, 1 thread a run",
        "- commit: abc", "torch 2", "    zoo bench x.csv", "- rows.jsonl line 3: not a row; the line is left out",
    )  # fmt: skip
    places = [text.find(part) for part in parts]
    assert -1 not in places and places == sorted(places), dict(zip(parts, places, strict=True))


def test_a_warning_about_gradients_names_the_variant_and_its_seeds():
    text = "gradients exploded: lower it"
    warned = [{**one, "warning": text} if one["seed"] else one for one in LSTM]
    assert f"- warning: lstm, seed 1, 2: {text}" in markdown(boards(frame([NAIVE, *warned])))
    assert "warning" not in markdown(boards(frame([NAIVE, *LSTM])))


def test_text_from_data_cannot_become_markup():
    problem = {**PROBLEM, "targets": ["<script>|*a*"]}
    text = markdown(boards(frame([row("lstm", 0, 0.1, problem=problem)])))
    assert "<script>" not in text.replace("\\<", "")
    assert escaped("a|b<c>") == "a\\|b\\<c\\>"


LONG = {"hidden_size": 256, "num_layers": 3, "dropout": 0.1381036561152828}


@pytest.mark.parametrize("width", [200, 80, 60])
def test_terminal_table_fits_its_width_and_the_verdict_stays(width, tmp_path):
    tuned = entries("attention-lstm", 0.5, 10, params=LONG)
    other = entries("attention-lstm", 0.0, 20, params={**LONG, "hidden_size": 16, "dropout": 0.5})
    naive = ("naive", 0, 0 * STEPS, {"tags": ["baseline", "deterministic"], "fit": None})
    boards_read = judged(read(tmp_path / "mine", [naive, *tuned, *other]))
    console = Console(width=width, record=True, file=io.StringIO())
    show(console, boards_read)
    text = console.export_text()
    assert max(len(line) for line in text.splitlines()) <= width and "…" not in text
    words = set(re.split(r"[\s│┃]+", text))
    narrow = board_section(boards_read[0]).blocks[0].narrow[-1]
    for line, cells in zip(boards_read[0].lines, accuracy_table(boards_read[0]).only(*narrow).rows, strict=True):
        for cell in (line.label, *(cell.text for cell in cells)):
            whole = cell.split(" ± ")[0] if width < 100 else cell
            assert set(whole.split()) <= words, (whole, text)
    assert ("mae" in text.split("How to read it")[0]) == (width == 200)


def test_terminal_says_first_what_to_do():
    console = Console(width=80, record=True, file=io.StringIO())
    show(console, boards(frame([NAIVE, *LSTM])))
    lines = [line for line in console.export_text().splitlines() if line.strip()]
    assert lines[0] == "close of x.csv: 1 step ahead from the last 7"
    assert lines[1].startswith("Unclear. The best recurrent model, lstm, is 2.00 % better than repeating")


def test_wide_tables_of_tuning_and_targets_are_narrowed_too():
    targets = [f"target-{number}" for number in range(8)]
    problem = {**PROBLEM, "targets": targets, "channels": targets}
    values = metrics(rmse=123456.0, mae=1.0, skill=0.1, targets={name: metrics(rmse=123456.7) for name in targets})
    rows = [row("stacked-lstm", seed, 0.1, problem=problem) | {"metrics": values} for seed in range(3)]
    rows += [one | {"tuning": TUNING, "key": one["key"] + "t", "params": {"hidden_size": 9}} for one in rows]
    console = Console(width=60, record=True, file=io.StringIO())
    show(console, boards(frame(rows)))
    text = console.export_text()
    assert max(len(line) for line in text.splitlines()) <= 60 and "…" not in text
    assert all(name in text for name in targets) and "tuned skill" in " ".join(text.split())


NULLABLE = [
    ("commit",), ("command",), ("fallback",), ("windows_per_second",), ("best_epoch",), ("stopped",), ("fit",),
    ("warning",), ("code",), ("traceback",), ("predictions",), ("data", "first"), ("data", "last"), ("data", "time"),
    ("machine", "gpu"), ("tuning", "command"), ("tuning", "valid_loss"), ("tuning", "budget", "timeout"),
    *(("metrics", name) for name in ("rmse", "mae", "r2", "skill", "scaled_mse")),
]  # fmt: skip


@pytest.mark.parametrize("place", NULLABLE, ids=".".join)
@pytest.mark.parametrize("everywhere", [True, False])
def test_whatever_may_be_null_can_be_in_a_report(place, everywhere):
    rows = json.loads(json.dumps([NAIVE, *LSTM, *({**one, "key": one["key"] + "t", "tuning": TUNING} for one in LSTM)]))
    for one in rows if everywhere else rows[1:2]:
        *outer, name = place
        values = one
        for part in outer:
            values = values.get(part) or {}
        values[name] = None
    problems = boards(frame(rows))
    console = Console(width=80, file=io.StringIO())
    show(console, problems)
    assert markdown(problems).startswith("# mine") and "nan" not in markdown(problems)
    assert "NaN" not in json.dumps(summary(problems)) and len(summary_frame(problems)) == len(problems[0].lines)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("problem", "lookback"), 2**70), (("truth",), "\0"), (("predictions",), "x" * 500), (("versions",), {}),
        (("params",), {"a.b": 1}), (("params",), {"sizes": [1, 2]}), (("started",), ""), (("data", "notes"), []),
        (("problem", "targets"), ["close.x"]), (("problem", "split"), [-1, 0, 0]), (("metrics", "skill"), -1e300),
    ],
    ids=str,
)  # fmt: skip
def test_odd_values_that_a_row_may_hold_can_be_in_a_report(place, value, tmp_path):
    folder = written(tmp_path / "mine", entries("lstm", 0.5, 0))
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    *outer, name = place
    values = rows[1]
    for part in outer:
        values = values[part]
    values[name] = value
    (folder / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    shown = judged(results(folder))
    show(Console(width=80, file=io.StringIO()), shown)
    assert "lstm" in markdown(shown) and json.dumps(summary(shown))


def test_a_board_of_failures_alone_is_a_report():
    shown = boards(frame([row(name, 0, 0.0, error="Boom: it broke") for name in ("lstm", "ridge")]))
    text = markdown(shown)
    assert "**No answer: every run of lstm, ridge failed." in text and "- ridge, seed 0: Boom: it broke" in text
    show(Console(width=80, file=io.StringIO()), shown)
    assert summary(shown)[0]["lines"][0]["rmse"] is None


def test_folder_report_writes_text_and_pictures_and_names_lines_left_out(tmp_path):
    folder = written(tmp_path / "mine", entries("lstm", 0.5, 0))
    with (folder / "rows.jsonl").open("a") as file:
        file.write('{"half a line')
    report = write_report(folder)
    assert report.frame.attrs["left_out"][0].startswith("rows.jsonl line 4") and len(report.frame) == 3
    text = (folder / "report.md").read_text()
    assert "## Left out" in text and "rows.jsonl line 4" in text and "](skill.png)" in text
    assert (folder / "skill.png").exists()
