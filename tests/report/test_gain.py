"""Default and tuned lines side by side: gains are paired by seed, and what did not help is named."""

import pytest

from tests.report.rows import NAIVE, PROBLEM, TUNING, frame, row
from zoo.report.board import boards
from zoo.report.gain import gains, tuning_table, tuning_verdict
from zoo.report.markdown import markdown
from zoo.report.tables import accuracy_table


def pair(variant, before, after, *, params=None, **fields):
    default = [row(variant, seed, skill, params={"hidden_size": 64}, **fields) for seed, skill in enumerate(before)]
    tuned = [
        row(variant, seed, skill, params=params or {"hidden_size": 32}, tuning=TUNING, **fields)
        for seed, skill in enumerate(after)
    ]
    for each in tuned:
        each["key"] += "tuned"
    return default + tuned


def test_gain_is_the_difference_seed_by_seed():
    (board,) = boards(frame([NAIVE, *pair("lstm", (0.01, 0.05, 0.03), (0.03, 0.07, 0.06))]))
    assert {line.label for line in board.lines} == {"naive", "lstm", "lstm (tuned)"}
    (gain,) = gains(board)
    assert gain.gain.mean == pytest.approx(0.07 / 3)
    assert gain.gain.deviation == pytest.approx(0.0057735, rel=1e-4)
    assert gain.is_more_than_noise
    assert [cell.text for cell in tuning_table(board).rows[0]] == [
        "lstm", "+3.00 ± 2.00", "+5.33 ± 2.08", "+2.33 ± 0.58", "30", "20", "2", "1,234",
    ]  # fmt: skip


def test_cost_of_tuning_is_a_column_only_where_something_is_tuned():
    (board,) = boards(frame([NAIVE, *pair("lstm", (0.01,) * 3, (0.02,) * 3)]))
    table = accuracy_table(board)
    assert table.header[-1] == "tuning s"
    by_name = {cells[0].text: cells[-1].text for cells in table.rows}
    assert by_name == {"naive": "-", "lstm": "-", "lstm (tuned)": "1,234"}
    (plain,) = boards(frame([NAIVE, row("lstm", 0, 0.1)]))
    assert "tuning s" not in accuracy_table(plain).header
    assert tuning_table(plain) is None
    assert tuning_verdict(plain) == []


def test_verdict_tells_help_harm_noise_and_nothing_apart():
    rows = [
        NAIVE,
        *pair("lstm", (0.01, 0.02, 0.03), (0.03, 0.04, 0.06)),
        *pair("bilstm", (0.03, 0.04, 0.06), (0.01, 0.02, 0.03)),
        *pair("cnn-lstm", (0.01, 0.02, 0.03), (0.02, 0.01, 0.031)),
        *pair("proj-lstm", (0.01, 0.02, 0.03), (0.01, 0.02, 0.03), params={"hidden_size": 64}),
        *pair("ridge", (0.01,), (0.02,), tags=("baseline", "deterministic")),
    ]
    (sentence,) = tuning_verdict(boards(frame(rows))[0])
    assert "Tuning raised the skill of lstm (+2.33 ± 0.58 points), ridge (+1.00 points);" in sentence
    assert "lowered the skill of bilstm (-2.33 ± 0.58 points);" in sentence
    assert "made no difference beyond the spread over seeds for cnn-lstm;" in sentence
    assert "found nothing better than the default settings for proj-lstm." in sentence


def test_two_seeds_are_not_enough_to_call_a_gain_real():
    (board,) = boards(frame([NAIVE, *pair("lstm", (0.01, 0.02), (0.03, 0.04))]))
    assert not gains(board)[0].is_more_than_noise
    assert tuning_verdict(board) == ["Tuning cannot be judged with fewer than 3 seeds for lstm."]


def test_gain_that_is_not_of_tuning_alone_is_said():
    rows = pair("lstm", (0.01,) * 3, (0.05,) * 3)
    for each in rows[3:]:
        each["fit"] = {"max_epochs": 9, "patience": 2}
    for each in rows[:3]:
        each["fit"] = {"max_epochs": 3, "patience": 4}
    sentences = tuning_verdict(boards(frame([NAIVE, *rows]))[0])  # max_epochs is among the searched ranges here
    assert sentences[1] == (
        "Tuned lstm also trains with settings that were not searched (fit.patience 2 instead of 4): its gain is not "
        "tuning's alone."
    )


def test_later_tuned_settings_replace_earlier_ones():
    old = pair("lstm", (0.01,) * 3, (0.02,) * 3, started="2026-01-01T00:00:00+00:00")
    new = pair("lstm", (), (0.03,) * 3, params={"hidden_size": 99}, started="2026-01-02T00:00:00+00:00")
    (board,) = boards(frame([NAIVE, *old, *new]))
    assert [line.label for line in board.lines if line.is_tuned] == ["lstm (tuned)"]
    assert gains(board)[0].tuned.settings["hidden_size"] == 99


def test_tuned_line_without_its_default_has_no_gain():
    tuned = pair("lstm", (0.01,) * 3, (0.02,) * 3)[3:]
    (board,) = boards(frame([NAIVE, *tuned]))
    assert gains(board)[0].gain is None
    assert [cell.text for cell in tuning_table(board).rows[0]][:4] == ["lstm", "-", "+2.00 ± 0.00", "-"]
    assert tuning_verdict(board) == []


def test_tuned_lookback_is_on_the_board_of_the_suites_and_shown():
    default, tuned = pair("lstm", (0.01,), (0.02,))
    searched = {**TUNING["study"], "ranges": {"lookback": {}, "hidden_size": {}, "fit.max_epochs": {}}}
    tuned |= {"problem": {**PROBLEM, "lookback": 30}, "tuning": {**TUNING, "study": searched}}
    (board,) = boards(frame([NAIVE, default, tuned]))
    assert len(board.lines) == 3
    assert (
        r"lstm (tuned): lookback 30, hidden\_size 32, max\_epochs 3 (study x-lstm, tpe, seed 0, 3 runs a trial)"
        in markdown([board])
    )


def test_report_says_how_tuned_rows_came_about():
    report = markdown(boards(frame([NAIVE, *pair("lstm", (0.01,) * 3, (0.02,) * 3)])))
    assert r"- tuning budget of each: trials 30, max\_epochs 3" in report
    assert report.index("zoo tune lstm x.csv") < report.index("zoo bench x.csv")
