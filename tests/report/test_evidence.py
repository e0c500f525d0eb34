"""What stored predictions add to a board: intervals, tests, and sentences that follow from them."""

from dataclasses import replace

import numpy as np
import pytest

from tests.report.rows import PROBLEM, STEPS, WINDOWS, entries, forecasts, metrics, read, written
from zoo.report.evidence import judged
from zoo.report.markdown import markdown
from zoo.report.summary import summary
from zoo.report.tables import accuracy_table
from zoo.report.verdict import beats_naive, verdict
from zoo.run.predictions import Stored, stored
from zoo.run.results import results
from zoo.stats.best_set import best_set_p
from zoo.stats.intervals import skill_interval, table_level

BASELINE = {"tags": ["baseline", "deterministic"], "fit": None}
NAIVE = ("naive", 0, np.zeros_like(STEPS), BASELINE)
GOOD = entries("lstm", 0.5, 0)
NOISE = entries("bilstm", 0.0, 10, noise=0.02)


def board_of(folder, *groups, **how):
    (board,) = judged(read(folder / "mine", [NAIVE, *(entry for group in groups for entry in group)], **how))
    return board


def without_predictions(group):
    return [(variant, seed, forecast, {**fields, "truth": None}) for variant, seed, forecast, fields in group]


def losses(group):
    return np.stack([((forecast - STEPS) ** 2)[:, 0, 0] for _, _, forecast, _ in group])


def test_line_has_the_interval_and_the_risk_of_its_predictions(tmp_path):
    board = board_of(tmp_path, GOOD, NOISE)
    naive, level = (STEPS**2)[:, 0, 0], table_level(2)
    lines = {line.variant: line for line in board.lines}
    for variant, group in (("lstm", GOOD), ("bilstm", NOISE)):
        assert lines[variant].interval == skill_interval(losses(group), naive, horizon=1, level=level)
    risks = best_set_p([naive[None], losses(GOOD), losses(NOISE)], horizon=1)
    assert [lines[name].p_best for name in ("naive", "lstm", "bilstm")] == risks
    assert lines["naive"].interval is None


def test_skill_beyond_chance_beats_naive_and_skill_within_it_does_not(tmp_path):
    board = board_of(tmp_path, GOOD, NOISE)
    verdicts = {line.variant: beats_naive(board, line) for line in board.lines}
    assert verdicts == {"lstm": True, "bilstm": False, "naive": False}
    _, first, *more = verdict(board)
    assert first.startswith("1 of 2 beats naive by at least 0.5 % and by more than chance: lstm (+")
    assert "lstm is clearly the best (95 % model confidence set)." in more


def test_a_lone_best_whose_gain_may_be_chance_is_not_called_clear(tmp_path):
    board = board_of(tmp_path, GOOD, NOISE)
    place = next(place for place, line in enumerate(board.lines) if line.variant == "lstm")
    lines = list(board.lines)
    lines[place] = replace(lines[place], interval=(-0.01, 0.02))
    told = verdict(replace(board, lines=tuple(lines)))
    assert "lstm alone is in the 95 % model confidence set, but its gain over naive may be chance." in told
    assert not any("clearly the best" in sentence for sentence in told)


def test_a_loss_that_may_be_chance_is_called_so(tmp_path):
    told = verdict(board_of(tmp_path / "noise", entries("lstm", 0.0, 10, noise=0.02)))[0]
    assert " worse than repeating the last value, which chance alone can explain (interval -" in told
    clear = verdict(board_of(tmp_path / "clear", entries("lstm", 0.0, 10, noise=0.5)))[0]
    assert clear.endswith("worse than repeating the last value. Keep naive.")


def test_a_gain_over_naive_that_one_number_would_beat_is_told(tmp_path):
    for number, r2 in enumerate((-0.1, 0.1)):
        figures = {"metrics": metrics(rmse=5.0, mae=4.0, r2=r2, skill=0.5)}
        group = [(variant, seed, forecast, figures) for variant, seed, forecast, _ in GOOD]
        told = [sentence for sentence in verdict(board_of(tmp_path / str(number), group)) if "one number" in sentence]
        assert len(told) == (r2 < 0) and all(sentence.startswith("lstm beats naive, but") for sentence in told)


def test_baselines_that_do_not_see_what_is_known_are_told(tmp_path):
    problem = {**PROBLEM, "known": ["promo"], "calendar": ["weekday"]}
    ridge, tcn = (("ridge", 0, 0.3 * STEPS, BASELINE), ("tcn", 0, 0.3 * STEPS, {"tags": ["baseline"]}))
    told = []
    for number, (group, where) in enumerate((([ridge], PROBLEM), ([ridge], problem), ([ridge, tcn], problem))):
        sentences = verdict(board_of(tmp_path / str(number), GOOD, group, problem=where))
        told.append([sentence for sentence in sentences if "reads what" in sentence])
    assert told[0] == told[2] == []
    (sentence,) = told[1]
    assert sentence.startswith("No baseline here reads what promo and weekday tell of the steps ahead")


def test_a_line_beats_naive_or_not_whatever_else_ran(tmp_path):
    """Skills near the border of chance, alone and among eighteen others: interval and verdict stay the same."""
    answers = []
    for number, share in enumerate((0.02, 0.05, 0.07, 0.1, 0.2)):
        group = entries("lstm", share, 0, noise=0.2)
        crowd = [entries(f"other-{one}", share / 2, 10 * one, noise=0.3) for one in range(1, 19)]
        alone, among = board_of(tmp_path / f"a{number}", group), board_of(tmp_path / f"b{number}", group, *crowd)
        first, second = (next(line for line in board.lines if line.variant == "lstm") for board in (alone, among))
        assert first.interval == second.interval
        assert beats_naive(alone, first) == beats_naive(among, second)
        answers.append(beats_naive(alone, first))
    assert answers[0] is False and answers[-1] is True


def test_a_certain_gain_that_is_too_small_to_matter_does_not_beat_naive(tmp_path):
    """Forecasts that foresee 0.2 % of every step without noise: certain, and useless."""
    group = [("lstm", seed, 0.002 * STEPS, {}) for seed in range(3)]
    board = board_of(tmp_path, group)
    line = board.lines[0]
    assert line.variant == "lstm" and 0 < line.interval[0] < line.interval[1] < 0.005
    assert not beats_naive(board, line)
    answer, first, *_ = verdict(board)
    assert answer.startswith("No. The best recurrent model, lstm, is 0.20 % better") and "less than the 0.5 %" in answer
    assert first.startswith("No variant beats naive by at least 0.5 %")
    (lenient,) = judged(results(tmp_path / "mine"), minimum_skill=0.001)
    assert beats_naive(lenient, lenient.lines[0]) and verdict(lenient)[0].startswith("Yes. lstm is 0.20 % better")


def test_table_sentence_and_verdict_use_the_same_interval(tmp_path):
    for number, share in enumerate((0.0, 0.05, 0.1, 0.5)):
        board = board_of(tmp_path / str(number), entries("lstm", share, 0, noise=0.1))
        line = next(line for line in board.lines if line.variant == "lstm")
        table = accuracy_table(board)
        row = table.rows[board.lines.index(line)]
        assert row[table.header.index("interval")].text == " to ".join(f"{100 * end:+.2f}" for end in line.interval)
        assert beats_naive(board, line) == (line.interval[0] > 0 and line.skill.mean >= 0.005)


def test_where_nothing_beats_naive_the_verdict_says_so(tmp_path):
    first = verdict(board_of(tmp_path, NOISE))[1]
    start = "No variant beats naive by at least 0.5 % and by more than chance: the best, bilstm, has a skill of -"
    assert first.startswith(start)


def test_a_best_that_does_not_beat_naive_is_not_called_better_than_it(tmp_path):
    ridge = [("ridge", 0, forecasts(0.0, 5, noise=0.01), BASELINE)]
    _, first, second, *_ = verdict(board_of(tmp_path, ridge, [("lstm", 0, -0.5 * STEPS, {})]))
    assert first.startswith("No variant beats naive")
    assert second == "No clear winner: each may be the best except lstm (95 % model confidence set)."


def test_forecasters_that_are_alike_are_not_ordered(tmp_path):
    board = board_of(tmp_path, entries("lstm", 0.5, 1, seeds=1), entries("bilstm", 0.5, 2, seeds=1))
    best = [line.label for line in board.lines[:2]]
    sentence = "each may be the best except naive (95 % model confidence set)."
    assert sorted(best) == ["bilstm", "lstm"] and f"No clear winner: {sentence}" in verdict(board)
    assert any("the spread over seeds is unknown" in sentence for sentence in verdict(board))


def test_a_line_without_predictions_is_not_tested_and_named(tmp_path):
    board = board_of(tmp_path, GOOD, without_predictions(NOISE))
    line = next(line for line in board.lines if line.variant == "bilstm")
    assert (line.interval, line.p_best) == (None, None)
    assert "Not tested, because usable predictions are missing: bilstm." in verdict(board)


def test_an_untested_best_line_is_not_called_a_failure(tmp_path):
    answer, first, *_ = verdict(board_of(tmp_path, without_predictions(GOOD), NOISE))
    assert first.startswith("No tested variant beats naive") and "the best, bilstm, has" in first
    assert answer.startswith("Unclear. The best recurrent model, lstm, is ") and "predictions are missing" in answer


def test_one_ruinous_seed_of_the_best_leaves_the_winner_open(tmp_path):
    """Four seeds good and one ruinous: the mean skill is the best, other seeds could well be worse."""
    uneven = [("lstm", seed, STEPS * (1 - ratio), {}) for seed, ratio in enumerate((0.8, 0.8, 0.8, 0.8, 1.5))]
    board = board_of(tmp_path, uneven, [("bilstm", seed, STEPS * (1 - 0.96), {}) for seed in range(5)])
    assert [line.variant for line in board.lines if not line.is_naive] == ["lstm", "bilstm"]
    assert board.lines[1].may_be_best
    assert not any("clearly the best" in sentence for sentence in verdict(board))


def test_a_variant_that_fails_on_some_seeds_is_ranked_last_with_the_reason(tmp_path):
    """The seeds that survive are the best of all; they decide nothing."""
    broken = [("lstm", 3, None, {"error": "Boom: it broke", "metrics": None})]
    board = board_of(tmp_path, [*GOOD, *broken], NOISE)
    assert [line.variant for line in board.lines] == ["naive", "bilstm", "lstm"]
    last = board.lines[-1]
    assert (last.interval, last.p_best, beats_naive(board, last)) == (None, None, False)
    sentences = verdict(board)
    assert sentences[-1] == "Ranked last, because runs failed: lstm (1 of 4 runs)."
    assert not any("beats naive" in sentence and "lstm (+" in sentence for sentence in sentences)
    assert not any(cell.is_best for cell in accuracy_table(board).rows[-1])


def test_too_few_windows_for_a_test_are_named(tmp_path):
    board = board_of(tmp_path, GOOD, windows=9)
    reason = "9 test windows are too few for a horizon of 1"
    assert f"Whether this holds over other test periods was not tested: {reason}." in verdict(board)


def test_without_any_predictions_nothing_is_decided(tmp_path):
    board = board_of(tmp_path, without_predictions(GOOD))
    answer, first, *more = verdict(board)
    assert answer.startswith("Unclear.") and first.startswith("1 of 1 ends ahead of naive by at least 0.5 %: lstm (+")
    assert any("not tested: no usable predictions are stored" in sentence for sentence in more)
    assert not {"interval", "best?"} & set(accuracy_table(board).header)


def test_interval_and_set_stand_in_table_legend_and_json(tmp_path):
    board = board_of(tmp_path, GOOD, NOISE)
    table = accuracy_table(board)
    at = table.header.index("interval")
    assert table.header[at - 1 : at + 2] == ("skill %", "interval", "best?")
    low, high = board.lines[0].interval
    assert table.rows[0][at].text == f"{100 * low:+.2f} to {100 * high:+.2f}"
    assert [row[at + 1].text for row in table.rows] == ["maybe", "no", "no"]
    text = markdown([board])
    assert "hold together with 95 %" in text and "model confidence set" in text and "&lt;" not in text
    plain = summary([board])[0]["lines"][0]
    assert plain["skill_interval"] == [low, high] and plain["p_best"] == board.lines[0].p_best
    assert plain["beats_naive"] is True


def test_several_targets_are_weighed_by_their_deviations():
    truth = np.random.default_rng(0).standard_normal((50, 2, 2)) * [1.0, 100.0]
    one = Stored(np.zeros_like(truth), truth, np.ones((50, 2)), np.arange(50), np.array([1.0, 100.0]))
    assert one.losses() == pytest.approx(((truth / [1.0, 100.0]) ** 2).mean(axis=(1, 2)))
    assert one.naive_losses() == pytest.approx((((1.0 - truth) / [1.0, 100.0]) ** 2).mean(axis=(1, 2)))
    without = Stored(one.forecast, truth, one.last, one.target_row, None)
    assert without.losses() is None


@pytest.mark.parametrize("damage", ["absent", "empty", "text", "a byte", "other shape", "no forecast"])
def test_missing_or_damaged_files_are_no_predictions(damage, tmp_path):
    arrays = {"truth": STEPS, "last": np.zeros((WINDOWS, 1)), "target_row": np.arange(WINDOWS)}
    np.savez(tmp_path / "truth.npz", **arrays)
    own = tmp_path / "own.npz"
    if damage == "empty":
        own.write_bytes(b"")
    elif damage == "text":
        own.write_text("no archive")
    elif damage == "a byte":
        np.savez_compressed(own, forecast=STEPS)
        content = bytearray(own.read_bytes())
        content[len(content) // 2] ^= 0xFF
        own.write_bytes(content)
    elif damage == "other shape":
        np.savez(own, forecast=STEPS[1:])
    elif damage == "no forecast":
        np.savez(own, other=STEPS)
    assert stored(tmp_path, "own.npz", "truth.npz") is None
    np.savez(own, forecast=STEPS)
    whole = stored(tmp_path, "own.npz", "truth.npz")
    assert np.array_equal(whole.forecast, STEPS) and whole.deviation is None
    assert stored(tmp_path, None, None) is None


def test_seeds_of_unequal_windows_have_no_evidence(tmp_path):
    folder = written(tmp_path / "mine", [NAIVE, *GOOD])
    np.savez(folder / "predictions/2.npz", forecast=GOOD[1][2][1:])
    (board,) = judged(results(folder))
    assert all(line.interval is None for line in board.lines)
