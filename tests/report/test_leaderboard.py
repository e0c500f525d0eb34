"""The leaderboard: ratios, wins and ranks from made-up rows, where they can be worked out by hand."""

import json
import math

import pytest

from tests.conftest import run_zoo_here as run_zoo
from tests.report.rows import DATA, PROBLEM, frame, row
from zoo.report.board import boards
from zoo.report.leaderboard import leaderboard, leaderboard_markdown


def rows_of(tables):
    """One row for each variant's error ratio on each data set, naive beside them."""
    found = []
    for number, ratios in enumerate(tables):
        data = {**DATA, "fingerprint": f"{number}" * 64, "source": f"set{number}.csv"}
        for name, ratio in {"naive": 1.0, **ratios}.items():
            tags = ("baseline", "deterministic") if name == "naive" else ("lstm",)
            found.append(row(name, 0, 1 - ratio, tags=tags) | {"data": data, "key": f"{name}{number}"})
    return found


def standings(tables):
    return {standing.variant: standing for standing in leaderboard(boards(frame(rows_of(tables)))).standings}


TABLES = [{"lstm": 0.8, "bilstm": 0.9}, {"lstm": 0.5, "bilstm": 1.25}]


def test_error_ratio_is_the_geometric_mean():
    found = standings(TABLES)
    assert found["lstm"].ratio == pytest.approx(math.sqrt(0.8 * 0.5))
    assert found["bilstm"].ratio == pytest.approx(math.sqrt(0.9 * 1.25))
    assert found["naive"].ratio == pytest.approx(1.0) and found["naive"].is_baseline
    assert list(found) == ["lstm", "naive", "bilstm"]


def test_wins_count_pairs_and_best_and_naive_count_data_sets():
    found = standings(TABLES)
    assert (found["lstm"].win_rate, found["lstm"].best_on, found["lstm"].ahead_of_naive_on) == (1.0, 2, 2)
    assert (found["bilstm"].win_rate, found["bilstm"].best_on, found["bilstm"].ahead_of_naive_on) == (0.25, 0, 1)
    assert found["naive"].win_rate == 0.25 and found["naive"].ahead_of_naive_on == 0


def test_rounding_is_a_tie_that_counts_half():
    found = standings([{"lstm": 1 - 1e-6, "bilstm": 1 + 1e-6}])
    assert {standing.win_rate for standing in found.values()} == {0.5}
    assert found["lstm"].ahead_of_naive_on == 0


def test_a_data_set_with_few_of_the_variants_is_left_out():
    names = [f"v{number}" for number in range(4)]
    tables = [dict.fromkeys(names, 0.9), {"v0": 0.1, "v1": 0.1}]
    found = leaderboard(boards(frame(rows_of(tables))))
    assert [board.source for board in found.boards] == ["set0.csv"]
    assert [board.source for board in found.partial] == ["set1.csv"]
    ratios = [standing.ratio for standing in found.standings if standing.variant != "naive"]
    assert ratios == pytest.approx([0.9] * 4)


def test_fewer_than_five_data_sets_have_no_interval_and_no_ranks_and_say_so():
    found = leaderboard(boards(frame(rows_of(TABLES))))
    assert found.ranks is None and found.standings[0].low is None
    assert "No ranks: ranks need at least 5 problems, got 2." in leaderboard_markdown(found, {})


def test_enough_data_sets_have_intervals_and_ranks():
    tables = [{"lstm": 0.5 + 0.01 * number, "bilstm": 0.8 + 0.01 * number} for number in range(8)]
    found = leaderboard(boards(frame(rows_of(tables))))
    best = found.standings[0]
    assert best.low < best.ratio < best.high and best.low >= 0.5 and best.high <= 0.57
    assert found.ranks.names == ("lstm", "bilstm", "naive") and found.ranks.ranks == (1.0, 2.0, 3.0)
    text = leaderboard_markdown(found, {"mine": "mine/report.md"})
    assert "mean rank" in text and "lstm before naive" in text and "(mine/report.md)" in text
    assert text == leaderboard_markdown(leaderboard(boards(frame(rows_of(tables)))), {"mine": "mine/report.md"})


def test_sweeps_and_failures_do_not_count():
    rows = rows_of([{"lstm": 0.8, "bilstm": 0.9, "cnn-lstm": 0.9}])
    rows.append(rows[-1] | {"params": {"kernel_size": 9}, "key": "swept"})
    rows.append(rows[1] | {"seed": 1, "error": "Boom", "metrics": None, "key": "failed"})
    found = leaderboard(boards(frame(rows)))
    assert [standing.variant for standing in found.standings] == ["lstm", "bilstm", "naive"]


def test_nothing_to_rank_is_refused():
    with pytest.raises(ValueError, match="fewer than three variants"):
        leaderboard(boards(frame(rows_of([{"lstm": 0.5}]))))


def test_the_command_writes_readme_beside_the_runs(tmp_path):
    stored = {"predictions": None, "truth": None, "stopped": "patience"}
    for name, table in zip(("a", "b"), TABLES, strict=True):
        (tmp_path / "results" / name).mkdir(parents=True)
        rows = [found | stored | {"suite": name} for found in rows_of([table])]
        if name == "b":
            rows = [found | {"problem": {**PROBLEM, "horizon": 2}, "key": found["key"] + name} for found in rows]
        (tmp_path / "results" / name / "rows.jsonl").write_text("".join(json.dumps(found) + "\n" for found in rows))
    ended = run_zoo("report", "results", "--leaderboard", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    text = (tmp_path / "results/README.md").read_text()
    assert text.startswith("# Leaderboard") and "[a](a/report.md)" in text and "[b](b/report.md)" in text
    assert run_zoo("report", "results/a", "--leaderboard", cwd=tmp_path).returncode == 2
    assert run_zoo("report", "results", "--leaderboard", "--format", "csv", cwd=tmp_path).returncode == 2
