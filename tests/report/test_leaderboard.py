"""The leaderboard: ratios, wins and ranks from made-up rows, where they can be worked out by hand."""

import json
import math

import pandas as pd
import pytest

from tests.conftest import run_zoo_here as run_zoo
from tests.report.rows import DATA, PROBLEM, STEPS, entries, frame, read, row
from zoo.report.board import boards
from zoo.report.evidence import judged
from zoo.report.leaderboard import fair_block, leaderboard, leaderboard_markdown


def rows_of(tables):
    """One row for each variant's error ratio on each data set, naive beside them."""
    rows = []
    for number, ratios in enumerate(tables):
        data = {**DATA, "fingerprint": f"{number}" * 64, "source": f"set{number}.csv"}
        for name, ratio in {"naive": 1.0, **ratios}.items():
            tags = ("baseline", "deterministic") if name == "naive" else ("lstm",)
            rows.append(row(name, 0, 1 - ratio, tags=tags) | {"data": data, "key": f"{name}{number}"})
    return rows


def by_variant(board):
    return {line.variant: line for line in board.standings.itertuples()}


def standings(tables):
    return by_variant(leaderboard(boards(frame(rows_of(tables)))))


TABLES = [{"lstm": 0.8, "bilstm": 0.9}, {"lstm": 0.5, "bilstm": 1.25}]


def test_error_ratio_is_the_geometric_mean():
    standing_of = standings(TABLES)
    assert standing_of["lstm"].ratio == pytest.approx(math.sqrt(0.8 * 0.5))
    assert standing_of["bilstm"].ratio == pytest.approx(math.sqrt(0.9 * 1.25))
    assert standing_of["naive"].ratio == pytest.approx(1.0) and standing_of["naive"].is_baseline
    assert list(standing_of) == ["lstm", "naive", "bilstm"]


def test_wins_count_pairs_and_best_counts_problems():
    standing_of = standings(TABLES)
    assert (standing_of["lstm"].win_rate, standing_of["lstm"].best_on) == (1.0, 2)
    assert (standing_of["bilstm"].win_rate, standing_of["bilstm"].best_on) == (0.25, 0)
    assert standing_of["naive"].win_rate == 0.25


def test_naive_is_beaten_on_a_problem_where_its_own_report_says_so(tmp_path):
    """Skill alone is no win: lstm leads by far with stored predictions, bilstm within chance, drift without them."""
    naive = ("naive", 0, 0 * STEPS, {"tags": ["baseline", "deterministic"], "fit": None})
    without = [(*entry[:3], {"truth": None}) for entry in entries("drift", 0.5, 20)]
    groups = [naive, *entries("lstm", 0.5, 0), *entries("bilstm", 0.0, 10, noise=0.02), *without]
    standing_of = by_variant(leaderboard(judged(read(tmp_path / "mine", groups))))
    counts = {name: line.beats_naive_on for name, line in standing_of.items()}
    assert counts == {"lstm": 1, "bilstm": 0, "drift": 0, "naive": 0}


def test_rounding_is_a_tie_that_counts_half():
    standing_of = standings([{"lstm": 1 - 1e-6, "bilstm": 1 + 1e-6}])
    assert {line.win_rate for line in standing_of.values()} == {0.5}


def test_a_data_set_with_few_of_the_variants_is_left_out():
    names = [f"v{number}" for number in range(6)]
    tables = [dict.fromkeys(names, 0.9), {"v0": 0.1, "v1": 0.1}]
    ranked = leaderboard(boards(frame(rows_of(tables))))
    assert [board.source for board in ranked.boards] == ["set0.csv"]
    assert [board.source for board in ranked.partial] == ["set1.csv"]
    ratios = [line.ratio for name, line in by_variant(ranked).items() if name != "naive"]
    assert ratios == pytest.approx([0.9] * 6) and ranked.unranked == []


def test_variants_that_ran_on_few_of_the_problems_are_named_and_not_ranked():
    """Five problems of three variants allow ranks, which two problems of many variants do not."""
    many = {f"v{number}": 0.5 for number in range(20)}
    tables = [{"lstm": 0.8 + 0.01 * number, "bilstm": 0.9} | (many if number < 2 else {}) for number in range(6)]
    ranked = leaderboard(boards(frame(rows_of(tables))))
    assert list(ranked.standings["variant"]) == ["lstm", "bilstm", "naive"] and len(ranked.boards) == 6
    assert ranked.unranked == sorted(many) and ranked.ranks is not None
    assert (
        f"Not ranked, because they ran on too few of the problems: {', '.join(sorted(many))}."
        in leaderboard_markdown(ranked, {})
    )


def test_a_fair_block_keeps_no_variant_that_misses_too_many_of_the_problems_that_stay():
    """e ran on eight of ten problems, but on six of the eight that four in five of the variants ran on."""
    ran = {"a": range(10), "b": range(8), "c": range(8), "d": range(8), "e": range(2, 10)}
    is_there = pd.DataFrame({name: [place in places for place in range(10)] for name, places in ran.items()})
    problems, names = fair_block(is_there)
    assert list(problems) == [True] * 8 + [False] * 2 and names == ["a", "b", "c", "d"]


def test_fewer_than_five_data_sets_have_no_interval_and_no_ranks_and_say_so():
    ranked = leaderboard(boards(frame(rows_of(TABLES))))
    assert ranked.ranks is None and ranked.standings["low"].isna().all()
    assert "No ranks: ranks need at least 5 problems, got 2." in leaderboard_markdown(ranked, {})


def test_enough_data_sets_have_intervals_and_ranks():
    tables = [{"lstm": 0.5 + 0.01 * number, "bilstm": 0.8 + 0.01 * number} for number in range(8)]
    ranked = leaderboard(boards(frame(rows_of(tables))))
    best = ranked.standings.iloc[0]
    assert best.low < best.ratio < best.high and best.low >= 0.5 and best.high <= 0.57
    assert ranked.ranks.names == ("lstm", "bilstm", "naive") and ranked.ranks.ranks == (1.0, 2.0, 3.0)
    text = leaderboard_markdown(ranked, {"mine": "mine/report.md"})
    assert (
        "mean rank" in text
        and "| architecture |" in text.replace("  ", "")
        and "lstm before naive" in text
        and "(mine/report.md)" in text
    )
    assert "](critical-difference.png)" in text
    assert text == leaderboard_markdown(leaderboard(boards(frame(rows_of(tables)))), {"mine": "mine/report.md"})


@pytest.mark.parametrize(
    ("ratios", "says"),
    [
        ([0.8, 0.9, 0.7, 0.6, 0.8], "lower by more than chance"),
        ([1.1, 1.2, 1.3, 1.2, 1.1], "higher by more than chance"),
        ([0.5, 1.2, 0.8, 1.9, 1.1], "not clearly different"),
    ],
)
def test_the_lead_of_the_best_recurrent_model_has_an_interval(ratios, says):
    ranked = leaderboard(boards(frame(rows_of([{"lstm": each, "bilstm": 2.0} for each in ratios]))))
    assert ranked.lead.value == pytest.approx(math.prod(ratios) ** (1 / 5))
    assert ranked.lead.low <= ranked.lead.value <= ranked.lead.high
    text = leaderboard_markdown(ranked, {})
    assert f"The error of the best recurrent model is {ranked.lead.value:.3f} of the best baseline's" in text
    assert f"{ranked.lead.low:.3f} to {ranked.lead.high:.3f}): {says}." in text


def test_few_problems_have_no_such_interval():
    assert leaderboard(boards(frame(rows_of(TABLES)))).lead is None


def test_speed_is_that_of_the_problem_on_which_most_variants_ran():
    some = {f"v{number}": 0.9 for number in range(4)}
    rows = rows_of([{"lstm": 0.8, **some}, *[{"lstm": 0.5, "bilstm": 1.25, **some}] * 4])
    for number, each in enumerate(rows):
        each["windows_per_second"] = 1000.0 + number
    ranked = leaderboard(boards(frame(rows)))
    assert ranked.timed.source == "set1.csv"
    assert by_variant(ranked)["lstm"].windows_per_second == 1007.0
    assert f"training windows a second on {ranked.timed.title}; " in leaderboard_markdown(ranked, {})


def test_sweeps_and_failures_do_not_count():
    rows = rows_of([{"lstm": 0.8, "bilstm": 0.9, "proj-lstm": 0.1, "cnn-lstm": 0.9}])
    rows.append(rows[-1] | {"params": {"kernel_size": 9}, "key": "swept"})
    rows.append(rows[3] | {"seed": 1, "error": "Boom", "metrics": None, "key": "failed"})
    ranked = leaderboard(boards(frame(rows)))
    assert list(ranked.standings["variant"]) == ["lstm", "bilstm", "naive"]


def test_nothing_to_rank_is_refused():
    with pytest.raises(ValueError, match="fewer than three variants"):
        leaderboard(boards(frame(rows_of([{"lstm": 0.5}]))))


def test_the_command_writes_readme_beside_the_runs(tmp_path):
    stored = {"predictions": None, "truth": None, "stopped": "patience"}
    for name, table in zip(("a", "b"), TABLES, strict=True):
        (tmp_path / "results" / name).mkdir(parents=True)
        rows = [one | stored | {"suite": name} for one in rows_of([table])]
        if name == "b":
            rows = [one | {"problem": {**PROBLEM, "horizon": 2}, "key": one["key"] + name} for one in rows]
        (tmp_path / "results" / name / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    ended = run_zoo("report", "results", "--leaderboard", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    text = (tmp_path / "results/README.md").read_text()
    assert text.startswith("# Leaderboard") and "[a](a/report.md)" in text and "[b](b/report.md)" in text
    assert run_zoo("report", "results/a", "--leaderboard", cwd=tmp_path).returncode == 2
    assert run_zoo("report", "results", "--leaderboard", "--format", "csv", cwd=tmp_path).returncode == 2
