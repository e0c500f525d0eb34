"""zoo compare on accuracy: variants matched by what was asked, gains with intervals, and what may be chance."""

import json

import numpy as np
import pytest

from tests.conftest import run_zoo
from tests.report.test_report import PROBLEM, row
from zoo.errors import InputError
from zoo.report.compare import compare, sentences, summary
from zoo.stats.accuracy import diebold_mariano
from zoo.stats.intervals import skill_interval

WINDOWS = 400
STEPS = np.random.default_rng(0).standard_normal((WINDOWS, 1, 1))
TUNING = {"lookback": 7, "study": {"name": "s", "sampler": "TPE", "seed": 0, "ranges": {}}, "trials": 3, "pruned": 0,
          "failed": 0, "seconds": 1.0, "command": "zoo tune", "budget": {}}  # fmt: skip


def forecasts(share, seed):
    return share * STEPS + 0.3 * np.random.default_rng(1000 + seed).standard_normal(STEPS.shape)


def written(folder, entries, *, problem=PROBLEM):
    """A folder of rows with their predictions; entries are (variant, seed, forecast, fields)."""
    (folder / "predictions").mkdir(parents=True)
    truth = {"truth": STEPS, "last": np.zeros((WINDOWS, 1)), "target_row": np.arange(WINDOWS)}
    np.savez(folder / "predictions/truth.npz", **truth)
    lines = []
    for number, (variant, seed, forecast, fields) in enumerate(entries):
        found = row(variant, seed, 0.0, problem=problem, truth="predictions/truth.npz", started="2026", schema=1)
        found |= {"stopped": "patience", "predictions": None, "key": f"{variant}{seed}{number}{folder.name}", **fields}
        if forecast is not None:
            rmse = float(np.sqrt(np.mean((forecast - STEPS) ** 2)))
            skill = 1 - rmse / float(np.sqrt(np.mean(STEPS**2)))
            found["metrics"] = found["metrics"] | {"rmse": rmse, "skill": skill}
            np.savez(folder / f"predictions/{number}.npz", forecast=forecast)
            found["predictions"] = f"predictions/{number}.npz"
        lines.append(json.dumps(found))
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def entries(variant, share, first_seed, seeds=3, **fields):
    return [(variant, seed, forecasts(share, first_seed + seed), fields) for seed in range(seeds)]


def test_gain_is_paired_by_seed_and_has_the_interval_and_p_of_its_losses(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.2, 0))
    new = written(tmp_path / "new", entries("lstm", 0.5, 10))
    (change,) = compare(old, new).changes
    before, after = (
        np.stack([((forecasts(share, first + seed) - STEPS) ** 2)[:, 0, 0] for seed in range(3)])
        for share, first in ((0.2, 0), (0.5, 10))
    )
    assert change.gain == pytest.approx(np.mean(1 - np.sqrt(after.mean(axis=1) / before.mean(axis=1))))
    assert (change.low, change.high) == skill_interval(after, before, horizon=1)
    assert change.p == pytest.approx(diebold_mariano(after.mean(axis=0), before.mean(axis=0), horizon=1)[1])
    assert change.low < change.gain < change.high and change.seeds == 3
    assert change.verdict(0.0) == change.verdict(0.05) == "better" and change.verdict(0.9) == "within"


def test_worse_beyond_the_share_fails_and_chance_does_not(tmp_path):
    old = written(tmp_path / "old", [*entries("lstm", 0.5, 0), *entries("bilstm", 0.5, 20)])
    new = written(tmp_path / "new", [*entries("lstm", 0.2, 10), *entries("bilstm", 0.5, 30)])
    found = compare(old, new)
    assert {change.new_label: change.verdict(0.0) for change in found.changes} == {"lstm": "worse", "bilstm": "unclear"}
    assert found.is_worse(0.0) and found.is_worse(0.05) and not found.is_worse(0.9)
    said = sentences(found, 0.05)
    assert "1 of 2 worse in NEW by more than 5 %, by more than chance: lstm." in said
    assert summary(found, 0.0)["rows"][-1]["verdict"] == "worse"


def test_a_tuned_line_is_set_against_the_default_it_came_from(tmp_path):
    default = entries("lstm", 0.2, 0, key="the same")
    default = [(name, seed, forecast, {"key": f"same{seed}"}) for name, seed, forecast, _ in default]
    tuned = entries("lstm", 0.5, 10, params={"hidden_size": 9}, tuning=TUNING)
    found = compare(written(tmp_path / "old", default), written(tmp_path / "new", [*default, *tuned]))
    assert found.same == ("lstm",)
    assert [(change.old_label, change.new_label) for change in found.changes] == [("lstm", "lstm, tuned")]


def test_lines_of_a_sweep_are_matched_by_their_settings(tmp_path):
    old = written(
        tmp_path / "old", [*entries("lstm", 0.2, 0, params={"h": 1}), *entries("lstm", 0.4, 5, params={"h": 2})]
    )
    new = written(
        tmp_path / "new", [*entries("lstm", 0.5, 10, params={"h": 2}), *entries("lstm", 0.5, 15, params={"h": 3})]
    )
    found = compare(old, new)
    assert [(change.old_label, change.new_label) for change in found.changes] == [("lstm (h=2)", "lstm (h=2)")]
    assert (found.only_old, found.only_new) == (("lstm (h=1)",), ("lstm (h=3)",))


def test_without_predictions_a_gain_has_no_interval_and_decides_nothing(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.2, 0))
    new = written(tmp_path / "new", entries("lstm", 0.5, 10))
    for path in (new / "predictions").glob("[0-9].npz"):
        path.unlink()
    (change,) = compare(old, new).changes
    assert (change.low, change.p, change.verdict(0.0)) == (None, None, "unclear") and change.gain > 0.1


def test_a_variant_that_fails_in_new_alone_is_worse(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.2, 0))
    broken = [("lstm", seed, None, {"error": "Boom: it broke", "metrics": None}) for seed in range(3)]
    found = compare(old, written(tmp_path / "new", broken))
    assert found.failed == ("lstm (Boom: it broke)",) and found.is_worse(0.5)


def test_a_seed_that_fails_in_new_alone_is_worse_though_others_end(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.5, 0))
    ended = entries("lstm", 0.5, 0)[:2]
    broken = [("lstm", 2, None, {"error": "Boom", "metrics": None})]
    found = compare(old, written(tmp_path / "new", [*ended, *broken]))
    assert found.failed == ("lstm for 1 seed (Boom)",) and found.is_worse(0.5)
    assert found.changes[0].seeds == 2


def test_what_cannot_be_compared_is_named_with_the_reason(tmp_path):
    broken = [("lstm", seed, None, {"error": "Boom", "metrics": None}) for seed in range(3)]
    later = [(name, seed + 5, forecast, fields) for name, seed, forecast, fields in entries("bilstm", 0.5, 0)]
    old = written(tmp_path / "old", [*broken, *entries("bilstm", 0.5, 0)])
    both = compare(old, written(tmp_path / "new", [*broken, *later]))
    assert both.apart == ("bilstm (no seed in common)", "lstm (failed in OLD: Boom)")
    assert both.same == () and not both.is_worse(0.0)
    mended = compare(old, written(tmp_path / "mended", entries("lstm", 0.5, 0)))
    assert mended.apart == ("lstm (failed in OLD: Boom)",) and mended.only_old == ("bilstm",)


def test_one_line_against_a_sweep_needs_the_same_settings(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.2, 0, params={"h": 1}))
    sweep = [*entries("lstm", 0.4, 5, params={"h": 1}), *entries("lstm", 0.5, 10, params={"h": 2})]
    found = compare(old, written(tmp_path / "new", sweep))
    assert [(change.old_label, change.new_label) for change in found.changes] == [("lstm", "lstm (h=1)")]
    assert found.only_new == ("lstm (h=2)",)


def test_other_problems_are_refused(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.2, 0))
    new = written(tmp_path / "new", entries("lstm", 0.2, 0), problem={**PROBLEM, "horizon": 5})
    with pytest.raises(InputError, match="forecasts nothing that"):
        compare(old, new)


def test_the_command_prints_gains_and_exits_with_one_beyond_the_threshold(tmp_path):
    old = written(tmp_path / "old", entries("lstm", 0.5, 0))
    new = written(tmp_path / "new", entries("lstm", 0.2, 10))
    ended = run_zoo("compare", old, new)
    assert ended.returncode == 0 and "1 of 1 worse in NEW, by more than chance: lstm." in ended.stdout
    assert run_zoo("compare", old, new, "--fail-on", "5%").returncode == 1
    plain = json.loads(run_zoo("compare", old, new, "--json").stdout)
    assert plain["summary"]["worse"] == 1 and plain["rows"][0]["gain"] < -0.05
