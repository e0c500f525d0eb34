"""Reports are functions of rows: made-up rows in, sentences and tables out."""

import io

import pytest
from rich.console import Console

from zoo.report.board import boards, spread_of, summary
from zoo.report.markdown import markdown
from zoo.report.tables import accuracy_table, figure, target_table
from zoo.report.terminal import show
from zoo.report.text_table import escaped
from zoo.report.verdict import verdict

PROBLEM = {
    "task": "forecast", "lookback": 7, "horizon": 1, "channels": ["open", "close"], "targets": ["close"],
    "split": [70, 10, 20], "scaler": "standard", "normalise": "last",
}  # fmt: skip
DATA = {
    "source": "x.csv", "fingerprint": "f" * 64, "rows": 100, "columns": None, "time": None, "missing": "refuse",
    "first": "2020-01-01", "last": "2020-04-09", "notes": ["a note"],
}  # fmt: skip


def row(variant, seed, skill, *, tags=("lstm",), error=None, params=None, problem=PROBLEM, **fields):
    metrics = {"rmse": 10 * (1 - skill), "mae": 8 * (1 - skill), "r2": 0.9, "skill": skill} if error is None else None
    return {
        "key": f"{variant}{seed}{params}", "suite": "mine", "variant": variant, "tags": list(tags), "seed": seed,
        "params": params or {}, "metrics": metrics, "train_seconds": 2.0, "windows_per_second": 1234.5, "epochs": 3,
        "best_epoch": 2, "parameter_count": 99, "device": "cpu", "threads": 1, "dtype": "float32", "problem": problem,
        "data": DATA, "fit": None if "deterministic" in tags else {"max_epochs": 3}, "commit": "abc", "error": error,
        "machine": {"cpu": "a cpu", "cores": 2, "system": "an OS"}, "versions": {"torch": "2"},
        "command": "zoo bench x.csv", **fields,
    }  # fmt: skip


NAIVE = row("naive", 0, 0.0, tags=("baseline", "deterministic"))
LSTM = [row("lstm", seed, skill) for seed, skill in enumerate((0.01, 0.02, 0.03))]


def test_spread_is_the_sample_deviation():
    found = spread_of([1.0, 2.0, 3.0])
    assert (found.mean, found.deviation, found.count) == (2.0, 1.0, 3)
    assert spread_of([1.0]).deviation is None
    assert spread_of([]) is None
    assert spread_of([1.0, None]) is None


def test_lines_are_ordered_by_skill_and_means_are_over_seeds():
    (board,) = boards([NAIVE, *LSTM, row("bilstm", 0, -0.5)])
    assert [line.label for line in board.lines] == ["lstm", "naive", "bilstm"]
    assert board.lines[0].metric("skill").mean == pytest.approx(0.02)
    cells = [cell.text for cell in accuracy_table(board).rows[0]]
    assert cells[:4] == ["lstm", "9.8000 ± 0.1000", "7.8400 ± 0.0800", "0.90000 ± 0.00000"]
    assert cells[4:] == ["+2.00 ± 1.00", "3", "99", "2.00", "1,234"]


def test_rows_of_an_earlier_source_are_left_out_and_counted():
    def mine(seed, sha, started, skill):
        return row("mine", seed, skill, plugin={"file": "mine.py", "sha256": sha * 64}, started=started)

    rows = [mine(0, "a", "1", 0.5), mine(1, "a", "2", 0.5), mine(0, "b", "3", 0.1), NAIVE | {"started": "4"}]
    (board,) = boards(rows)
    (line,) = [line for line in board.lines if line.label == "mine"]
    assert [r["metrics"]["skill"] for r in line.rows] == [0.1]
    said = markdown([board])
    assert f"of file mine.py, source sha256 {'b' * 16}; 2 rows of an earlier source left out" in said
    assert len(boards(LSTM)[0].lines[0].rows) == 3


def test_best_is_bold_in_each_column():
    table = accuracy_table(boards([NAIVE, *LSTM])[0])
    assert [cell.is_best for cell in table.rows[0]] == [False, True, True, True, True, False, False, False, False]
    assert [cell.is_best for cell in table.rows[1]][1:3] == [False, False]
    assert table.baseline == (False, True)


def test_settings_that_differ_are_in_the_label():
    rows = [row("lstm", 0, 0.1, params={"hidden_size": size, "dropout": 0.1}) for size in (32, 64)]
    assert [line.label for line in boards(rows)[0].lines] == ["lstm (hidden_size=32)", "lstm (hidden_size=64)"]


def test_other_problem_is_another_board():
    other = row("lstm", 0, 0.1, problem={**PROBLEM, "horizon": 5})
    assert [board.problem["horizon"] for board in boards([NAIVE, other])] == [1, 5]


def test_verdict_when_something_beats_naive():
    sentences = verdict(boards([NAIVE, *LSTM])[0])
    assert sentences == ["1 of 1 beat naive by more than the spread over seeds: lstm (+2.00 ± 1.00 %)."]


def test_verdict_when_nothing_beats_naive():
    rows = [row("lstm", seed, skill) for seed, skill in enumerate((0.01, -0.02, 0.02))]
    first, *more = verdict(boards([NAIVE, *rows])[0])
    assert first.startswith("No variant beats naive (repeating the last value) by more than the spread over seeds")
    assert "lstm, has a skill of +0.33 ± 2.08 %" in first
    assert more == []


def test_verdict_measures_a_baseline_by_the_widest_spread():
    ridge = row("ridge", 0, 0.009, tags=("baseline", "deterministic"))
    rows = [row("lstm", seed, skill) for seed, skill in enumerate((-0.01, 0.0, 0.01))]
    assert "No variant beats naive" in verdict(boards([NAIVE, ridge, *rows])[0])[0]
    better = row("ridge", 0, 0.011, tags=("baseline", "deterministic"))
    sentences = verdict(boards([NAIVE, better, *rows])[0])
    assert "1 of 2 beat naive" in sentences[0]
    assert sentences[1] == "The best of them, ridge, is not recurrent."


def test_verdict_says_when_seeds_are_too_few_and_cells_failed():
    rows = [NAIVE, LSTM[0], row("bilstm", 0, 0.0, error="Boom: it broke")]
    sentences = verdict(boards(rows)[0])
    assert sentences[0] == "1 of 1 end ahead of naive: lstm (+1.00 %)."
    assert any("With 1 seed the spread is unknown" in sentence for sentence in sentences)
    assert sentences[-1] == "1 cell failed and is not counted."
    assert verdict(boards(rows[2:])[0])[-1] == "1 cell failed and is not counted."


def test_several_targets_have_their_own_table():
    problem = {**PROBLEM, "targets": ["open", "close"]}
    metrics = {
        "rmse": 1.0,
        "mae": 1.0,
        "r2": 0.5,
        "skill": 0.1,
        "targets": {"open": {"rmse": 3.0}, "close": {"rmse": 4.0}},
    }
    (board,) = boards([row("lstm", 0, 0.1, problem=problem) | {"metrics": metrics}])
    assert [cell.text for cell in target_table(board).rows[0]] == ["lstm", "3.0000", "4.0000"]
    assert target_table(boards([NAIVE])[0]) is None


def test_markdown_holds_table_verdict_provenance_and_failures():
    text = markdown(boards([NAIVE, *LSTM, row("bilstm", 0, 0.0, error="Boom: it broke")]))
    assert text == markdown(boards([NAIVE, *LSTM, row("bilstm", 0, 0.0, error="Boom: it broke")]))
    for part in (
        "**1 of 1 beat naive", "| naive (b) ", "**9.8000 ± 0.1000**", "fingerprint ffffffffffffffff",
        "70 train, 10 validation, 20 test", "a cpu, 2 cores, an OS; device cpu, 1 thread a cell", "torch 2",
        "- commit: abc", "    zoo bench x.csv", "- note: a note", "- bilstm, seed 0: Boom: it broke",
    ):  # fmt: skip
        assert part in text, part


def test_text_from_data_cannot_become_markup():
    problem = {**PROBLEM, "targets": ["<script>|*a*"]}
    text = markdown(boards([row("lstm", 0, 0.1, problem=problem)]))
    assert "<script>" not in text
    assert escaped("a|b<c>") == "a\\|b&lt;c&gt;"


def test_undefined_metrics_are_dashes():
    metrics = {"rmse": 0.0, "mae": 0.0, "r2": None, "skill": None}
    (board,) = boards([row("lstm", 0, 0.0) | {"metrics": metrics}])
    cells = [cell.text for cell in accuracy_table(board).rows[0]]
    assert cells[3:5] == ["-", "-"]
    assert summary([board])[0]["lines"][0]["skill"] is None


@pytest.mark.parametrize(
    ("mean", "text"), [(19.97501, "19.975"), (0.1234567, "0.12346"), (123456.7, "123457"), (-0.000001, "0.00000")]
)
def test_figures_have_five_digits(mean, text):
    assert figure(spread_of([mean])) == text


def test_large_figures_share_an_exponent():
    assert figure(spread_of([361_000_000.0, 363_000_000.0])) == "3.6200e8 ± 0.0141e8"
    assert figure(spread_of([-1_234_567.0])) == "-1.2346e6"


@pytest.mark.parametrize(("width", "has_mae"), [(140, True), (80, False)])
def test_terminal_table_fits_its_width(width, has_mae):
    console = Console(width=width, record=True, file=io.StringIO())
    show(console, boards([NAIVE, *LSTM]))
    text = console.export_text()
    assert ("│    mae" in text or "mae ┃" in text) == has_mae
    assert "9.8000 ± 0.1000" in text
    assert "naive (b)" in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_verdict_takes_rounding_for_no_gain():
    rows = [row("lstm", seed, 1e-7) for seed in range(3)]
    assert "No variant beats naive" in verdict(boards([NAIVE, *rows])[0])[0]
    ridge = row("ridge", 0, 0.05, tags=("baseline", "deterministic"))
    first, last = verdict(boards([NAIVE, ridge])[0])
    assert first == "1 of 1 end ahead of naive: ridge (+5.00 %)."
    assert last.startswith("Nothing here learns at random")


def test_one_unstable_variant_does_not_veto_a_baseline():
    ridge = row("ridge", 0, 0.18, tags=("baseline", "deterministic"))
    steady = [row("lstm", seed, 0.15 + seed / 1000) for seed in range(3)]
    other = [row("bilstm", seed, 0.14 + seed / 1000) for seed in range(3)]
    wild = [row("stacked-lstm", seed, -3.0 - seed) for seed in range(3)]
    sentences = verdict(boards([NAIVE, ridge, *steady, *other, *wild])[0])
    assert sentences[0].startswith("3 of 4 beat naive by more than the spread over seeds: ridge (+18.00 %), lstm")
    assert sentences[1] == "The best of them, ridge, is not recurrent."
