"""What stored predictions add to a board: intervals, tests, and sentences that follow from them."""

import numpy as np
import pytest

from tests.report.rows import STEPS, WINDOWS, entries, forecasts, read, written
from zoo.report.evidence import judged
from zoo.report.markdown import markdown
from zoo.report.summary import summary
from zoo.report.tables import accuracy_table
from zoo.report.verdict import beats_naive, verdict
from zoo.run.predictions import Stored, stored
from zoo.run.results import results
from zoo.stats.accuracy import diebold_mariano
from zoo.stats.intervals import skill_interval

BASELINE = {"tags": ["baseline", "deterministic"], "fit": None}
NAIVE = ("naive", 0, np.zeros_like(STEPS), BASELINE)
GOOD = entries("lstm", 0.5, 0)
NOISE = entries("bilstm", 0.0, 10, noise=0.02)


def board_of(folder, *groups, **how):
    (board,) = judged(read(folder / "mine", [NAIVE, *(entry for group in groups for entry in group)], **how))
    return board


def without_predictions(group):
    return [(variant, seed, forecast, {**fields, "truth": None}) for variant, seed, forecast, fields in group]


def test_line_has_the_interval_and_p_of_its_predictions(tmp_path):
    board = board_of(tmp_path, GOOD, NOISE)
    best, other = board.lines[0], next(line for line in board.lines if line.variant == "bilstm")
    losses = {
        name: np.stack([((forecast - STEPS) ** 2)[:, 0, 0] for _, _, forecast, _ in group])
        for name, group in (("lstm", GOOD), ("bilstm", NOISE))
    }
    naive = (STEPS**2)[:, 0, 0]
    assert best.variant == "lstm" and best.p_best is None
    assert best.interval == skill_interval(losses["lstm"], naive, horizon=1)
    raw = [diebold_mariano(losses[name].mean(axis=0), naive, horizon=1)[1] for name in ("lstm", "bilstm")]
    assert best.p_naive == pytest.approx(2 * min(raw)) and other.p_naive == pytest.approx(max(raw))  # Holm over two
    _, p_best = diebold_mariano(losses["bilstm"].mean(axis=0), losses["lstm"].mean(axis=0), horizon=1)
    assert other.p_best == pytest.approx(p_best)
    naive_line = next(line for line in board.lines if line.is_naive)
    assert (naive_line.interval, naive_line.p_naive, naive_line.p_best) == (None, None, None)


def test_skill_beyond_chance_beats_naive_and_skill_within_it_does_not(tmp_path):
    board = board_of(tmp_path, GOOD, NOISE)
    assert {line.variant: beats_naive(line) for line in board.lines} == {"lstm": True, "bilstm": False, "naive": False}
    _, first, *more = verdict(board)
    assert first.startswith("1 of 2 beat naive by more than chance (p < 0.05): lstm (+")
    assert "lstm is significantly better than all others." in more


def test_where_nothing_beats_naive_the_verdict_says_so(tmp_path):
    first = verdict(board_of(tmp_path, NOISE))[1]
    assert first.startswith("No variant beats naive by more than chance (p < 0.05): the best, bilstm, has a skill of -")


def test_a_best_that_does_not_beat_naive_is_not_called_better_than_it(tmp_path):
    ridge = [("ridge", 0, forecasts(0.0, 5, noise=0.01), BASELINE)]
    _, first, second, *_ = verdict(board_of(tmp_path, ridge, [("lstm", 0, -0.5 * STEPS, {})]))
    assert first.startswith("No variant beats naive")
    assert second == "ridge is significantly better than all others except naive."


def test_forecasters_that_are_alike_are_not_ordered(tmp_path):
    board = board_of(tmp_path, entries("lstm", 0.5, 1, seeds=1), entries("bilstm", 0.5, 2, seeds=1))
    best = board.lines[0].label
    assert f"No clear winner: nothing is significantly worse than {best}, the best of 2." in verdict(board)
    assert any("the spread over seeds is unknown" in sentence for sentence in verdict(board))


def test_a_line_without_predictions_is_not_tested_and_named(tmp_path):
    board = board_of(tmp_path, GOOD, without_predictions(NOISE))
    line = next(line for line in board.lines if line.variant == "bilstm")
    assert (line.interval, line.p_naive) == (None, None)
    assert "Not tested, because usable predictions are missing: bilstm." in verdict(board)


def test_an_untested_best_line_is_not_called_a_failure(tmp_path):
    answer, first, *_ = verdict(board_of(tmp_path, without_predictions(GOOD), NOISE))
    assert first.startswith("No tested variant beats naive") and "the best, bilstm, has" in first
    assert answer.startswith("Unclear. The best recurrent model, lstm, is ") and "predictions are missing" in answer


def test_losses_that_contradict_skill_are_no_evidence_for_it(tmp_path):
    """Four seeds good and one ruinous: the mean skill is the best, the mean loss is not."""
    uneven = [("lstm", seed, STEPS * (1 - ratio), {}) for seed, ratio in enumerate((0.8, 0.8, 0.8, 0.8, 1.5))]
    board = board_of(tmp_path, uneven, [("bilstm", seed, STEPS * (1 - 0.96), {}) for seed in range(5)])
    assert [line.variant for line in board.lines if not line.is_naive] == ["lstm", "bilstm"]
    assert board.lines[1].p_best == 1.0
    assert not any("significantly better" in sentence for sentence in verdict(board))


def test_too_few_windows_for_a_test_are_named(tmp_path):
    board = board_of(tmp_path, GOOD, windows=9)
    reason = "9 test windows are too few for a horizon of 1"
    assert f"Whether this holds over other test periods was not tested: {reason}." in verdict(board)


def test_without_any_predictions_nothing_is_decided(tmp_path):
    board = board_of(tmp_path, without_predictions(GOOD))
    answer, first, *more = verdict(board)
    assert answer.startswith("Unclear.") and first.startswith("1 of 1 end ahead of naive: lstm (+")
    assert any("not tested: no usable predictions are stored" in sentence for sentence in more)
    assert "p" not in accuracy_table(board).header


def test_interval_and_p_stand_in_table_legend_and_json(tmp_path):
    board = board_of(tmp_path, GOOD, NOISE)
    table = accuracy_table(board)
    at = table.header.index("95 % interval")
    assert table.header[at - 1 : at + 2] == ("skill %", "95 % interval", "p")
    low, high = board.lines[0].interval
    assert table.rows[0][at].text == f"{100 * low:+.2f} to {100 * high:+.2f}" and table.rows[0][at + 1].text == "<0.001"
    text = markdown([board])
    assert "moving-block bootstrap" in text and "Diebold-Mariano" in text and "&lt;" not in text
    plain = summary([board])[0]["lines"][0]
    assert plain["skill_interval"] == [low, high] and plain["p_naive"] == board.lines[0].p_naive


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
