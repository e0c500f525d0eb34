"""zoo compare on accuracy: variants matched by problem and settings, gains with intervals, and what may be chance."""

import json

import numpy as np
import pytest

from tests.conftest import run_zoo_here as run_zoo
from tests.report.rows import PROBLEM, STEPS, TUNING, entries, forecasts, written
from zoo.errors import InputError
from zoo.report.compare import compare
from zoo.report.comparison import sentences, summary
from zoo.stats.intervals import skill_interval, table_level


def test_gain_has_the_interval_of_its_losses(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.2, 0))
    new = written(tmp_path / "new", entries("lstm", 0.5, 10))
    (change,) = compare(old, new).changes
    before, after = (
        np.stack([((forecasts(share, first + seed) - STEPS) ** 2)[:, 0, 0] for seed in range(3)])
        for share, first in ((0.2, 0), (0.5, 10))
    )
    old_rmse, new_rmse = (np.sqrt(losses.mean(axis=1)).mean() for losses in (before, after))
    assert change.gain == pytest.approx(1 - new_rmse / old_rmse)
    assert change.interval == skill_interval(after, before, horizon=1, level=table_level(1))
    assert change.interval[0] < change.gain < change.interval[1] and change.sample == "3"
    assert change.verdict(0.0) == change.verdict(0.05) == "better" and change.verdict(0.9) == "within"


def test_worse_beyond_the_share_fails_and_chance_does_not(tmp_path):
    old = written(tmp_path / "old", [*entries("lstm", 0.5, 0), *entries("bilstm", 0.5, 20)])
    new = written(tmp_path / "new", [*entries("lstm", 0.2, 10), *entries("bilstm", 0.5, 30)])
    comparison = compare(old, new)
    assert {change.label: change.verdict(0.0) for change in comparison.changes} == {
        "lstm": "worse",
        "bilstm": "unclear",
    }
    assert [comparison.exit_code(share) for share in (0.0, 0.05, 0.9)] == [1, 1, 0]
    assert "1 of 2 worse in NEW by more than 5 %, by more than chance: lstm." in sentences(comparison, 0.05)
    assert summary(comparison, 0.0)["rows"][-1]["verdict"] == "worse"


def test_a_tuned_line_is_set_against_the_default_it_came_from(tmp_path):
    default = [(name, seed, forecast, {"key": f"same{seed}"}) for name, seed, forecast, _ in entries("lstm", 0.2, 0)]
    tuned = entries("lstm", 0.5, 10, params={"hidden_size": 9}, tuning=TUNING)
    comparison = compare(written(tmp_path / "old", default), written(tmp_path / "new", [*default, *tuned]))
    assert comparison.same == ["lstm"]
    assert [change.details for change in comparison.changes] == [{"old_label": "lstm", "new_label": "lstm (tuned)"}]
    assert comparison.changes[0].label == "lstm (tuned)"


def test_lines_of_a_sweep_are_matched_by_their_settings(tmp_path):
    old = written(
        tmp_path / "old", [*entries("lstm", 0.2, 0, params={"h": 1}), *entries("lstm", 0.4, 5, params={"h": 2})]
    )
    new = written(
        tmp_path / "new", [*entries("lstm", 0.5, 10, params={"h": 2}), *entries("lstm", 0.5, 15, params={"h": 3})]
    )
    comparison = compare(old, new)
    assert [change.label for change in comparison.changes] == ["lstm (h=2)"]
    assert (comparison.only_old, comparison.only_new) == (["lstm (h=1)"], ["lstm (h=3)"])


def test_without_predictions_a_gain_has_no_interval_and_decides_nothing(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.2, 0))
    new = written(tmp_path / "new", entries("lstm", 0.5, 10))
    for path in (new / "predictions").glob("[0-9].npz"):
        path.unlink()
    comparison = compare(old, new)
    (change,) = comparison.changes
    assert (change.interval, change.verdict(0.0), change.verdict(0.9)) == (None, "undecided", "undecided")
    assert change.gain > 0.1 and comparison.exit_code(0.9) == 3
    assert "1 of 1 undecided: usable predictions are missing (1)." in sentences(comparison, 0.9)


def test_a_variant_that_fails_in_new_alone_is_worse(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.2, 0))
    broken = [("lstm", seed, None, {"error": "Boom: it broke", "metrics": None}) for seed in range(3)]
    comparison = compare(old, written(tmp_path / "new", broken))
    assert comparison.failed == ["lstm (Boom: it broke)"] and comparison.exit_code(0.5) == 1


def test_a_seed_that_fails_in_new_alone_is_worse_though_others_end(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.5, 0))
    ended = entries("lstm", 0.5, 0)[:2]
    broken = [("lstm", 2, None, {"error": "Boom", "metrics": None})]
    comparison = compare(old, written(tmp_path / "new", [*ended, *broken]))
    assert comparison.failed == ["lstm for 1 seed (Boom)"] and comparison.exit_code(0.5) == 1
    assert comparison.changes[0].sample == "2"


def test_what_cannot_be_compared_is_named_with_the_reason(tmp_path):
    broken = [("lstm", seed, None, {"error": "Boom", "metrics": None}) for seed in range(3)]
    later = [(name, seed + 5, forecast, fields) for name, seed, forecast, fields in entries("bilstm", 0.5, 0)]
    old = written(tmp_path / "old", [*broken, *entries("bilstm", 0.5, 0)])
    both = compare(old, written(tmp_path / "new", [*broken, *later]))
    assert both.apart == ["bilstm (no seed in common)", "lstm (failed in OLD: Boom)"]
    assert both.same == [] and both.exit_code(0.0) == 0
    repaired = compare(old, written(tmp_path / "repaired", entries("lstm", 0.5, 0)))
    assert repaired.apart == ["lstm (failed in OLD: Boom)"] and repaired.only_old == ["bilstm"]


def test_one_line_against_a_sweep_needs_the_same_settings(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.2, 0, params={"h": 1}))
    sweep = [*entries("lstm", 0.4, 5, params={"h": 1}), *entries("lstm", 0.5, 10, params={"h": 2})]
    comparison = compare(old, written(tmp_path / "new", sweep))
    assert [change.label for change in comparison.changes] == ["lstm (h=1) against lstm"]
    assert comparison.only_new == ["lstm (h=2)"]


def test_other_problems_are_refused(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.2, 0))
    new = written(tmp_path / "new", entries("lstm", 0.2, 0), problem={**PROBLEM, "horizon": 5})
    with pytest.raises(InputError, match="no problem in common"):
        compare(old, new)


def test_the_command_prints_gains_and_exits_with_one_beyond_the_threshold(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.5, 0))
    new = written(tmp_path / "new", entries("lstm", 0.2, 10))
    ended = run_zoo("compare", old, new)
    assert ended.returncode == 0 and "1 of 1 worse in NEW, by more than chance: lstm." in ended.stdout
    assert run_zoo("compare", old, new, "--fail-on", "5%").returncode == 1
    plain = json.loads(run_zoo("compare", old, new, "--json").stdout)
    assert plain["summary"]["worse"] == 1 and plain["rows"][0]["gain"] < -0.05
