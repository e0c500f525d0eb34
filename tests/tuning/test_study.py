import json
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import zoo
from tests.tuning.studies import LITTLE, SMALL, outcomes, tuned
from zoo.space import Float, Int


def test_best_settings_are_those_of_the_lowest_validation_loss(data):
    result = tuned(data)
    losses = [trial.value for trial in result.study.trials]
    assert result.cost.trials == 4
    assert result.best_value == min(losses) == result.study.best_value
    model = zoo.create("lstm", data.problem, **result.best_params)
    assert sum(p.numel() for p in model.parameters()) == result.best_trial.user_attrs["parameter_count"]
    assert result.best_fit.max_epochs == 2
    assert 64 <= result.best_fit.batch_size <= 256


def test_value_of_a_trial_is_the_validation_loss_of_its_settings(data):
    from zoo.seeding import stream_seed
    from zoo.train.predict import validation_loss

    result = tuned(data)
    trial = result.study.trials[2]
    point = result.plan.search.point_of(trial)
    seed = stream_seed(0, "trial 2")
    model = zoo.create("lstm", data.problem, seed=seed, **point.params)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig.of(point.fit), seed=seed)
    assert validation_loss(model, data.valid, zoo.FitConfig()) == trial.value


def test_sequential_studies_repeat_trial_by_trial(data):
    first, again, other = tuned(data, seed=1), tuned(data, seed=1), tuned(data, seed=2)
    assert outcomes(first) == outcomes(again) != outcomes(other)
    assert first.is_reproducible
    assert first.notes == ()


@pytest.fixture
def no_pictures(monkeypatch):
    """Drawing them takes longer than a small study."""
    monkeypatch.setattr("zoo.tuning.files._draw", lambda *_: [])


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "gp", "cmaes"])
def test_interrupted_study_goes_on_as_if_it_had_not_been(sampler, data, tmp_path):
    how = {"sampler": sampler, "ranges": {**LITTLE, "dropout": Float(0.0, 0.1)}, "fix": {"fit.optimizer": "adam"}}
    whole = tuned(data, trials=14, **how)
    for trials in (5, 12, 14):
        parts = tuned(data, trials=trials, out=tmp_path, **how)
    assert outcomes(parts) == outcomes(whole)
    assert len({str(trial.params) for trial in whole.study.trials}) == 14


def test_tuning_never_sees_test_rows(data):
    end = data.split.valid_end
    values, raw = data.train.values.clone(), data.train.raw.copy()
    values[end:], raw[end:] = math.nan, math.nan
    windows = {"values": values, "raw": raw}
    poisoned = replace(
        data,
        train=replace(data.train, **windows),
        valid=replace(data.valid, **windows),
        test=replace(data.test, **windows),
    )
    ranges = {**LITTLE, "lookback": Int(3, 9)}
    assert outcomes(tuned(poisoned, ranges=ranges)) == outcomes(tuned(data, ranges=ranges))
    values[end - 1] = math.nan  # the same poison one row earlier is seen
    assert tuned(poisoned, ranges=ranges).cost.failed == 4


def test_lookback_may_be_searched(data):
    result = tuned(data, ranges={**LITTLE, "lookback": "5:12"}, trials=6)
    assert {result.plan.search.point_of(trial).lookback for trial in result.study.trials} > {7}
    assert data.with_lookback(result.best_lookback).problem.lookback == result.best_lookback


def test_grid_runs_each_point_once(data):
    ranges = {"hidden_size": [4, 8], "dropout": "0:0.4"}
    fix = {name: value for name, value in vars(SMALL).items() if name != "device" and not name.startswith("max_")}
    result = tuned(data, trials=100, sampler="grid", ranges=ranges, fix={f"fit.{k}": v for k, v in fix.items()})
    points = {(trial.params["hidden_size"], round(trial.params["dropout"], 6)) for trial in result.study.trials}
    assert points == {(size, rate) for size in (4, 8) for rate in (0.0, 0.1, 0.2, 0.3, 0.4)}
    assert result.cost.trials == 10


@pytest.mark.slow
def test_several_objectives_give_a_pareto_front(data, tmp_path):
    names = ("valid_loss", "parameter_count")
    result = tuned(data, objectives=names, trials=8, out=tmp_path, ranges={**LITTLE, "hidden_size": Int(2, 40)})
    front = result.study.best_trials
    assert len(front) >= 2
    for trial in front:
        assert not any(
            all(a <= b for a, b in zip(other.values, trial.values, strict=True)) and other.values != trial.values
            for other in result.study.trials
        )
    assert result.best_value == min(trial.values[0] for trial in front)
    assert (tmp_path / "pareto.png").exists()


def test_latency_is_measured_and_makes_a_study_unrepeatable(data):
    result = tuned(data, objectives=["latency_ms", "valid_loss"], trials=2)
    assert all(0 < trial.values[0] < 1000 for trial in result.study.trials)
    assert not result.is_reproducible


class Faulty(nn.Module):
    def __init__(self, problem, *, mode: Int = 0):
        super().__init__()
        self.linear, self.mode, self.shape = nn.Linear(problem.channels, 1), mode, problem.output_shape

    def forward(self, x):
        if self.mode == 1 and self.training:
            raise torch.OutOfMemoryError("not enough memory:\n tried 9 GiB")
        scale = math.inf if self.mode == 2 and self.training else 1.0
        return (self.linear(x[:, -1]) * scale)[:, None].expand(-1, *self.shape)


Faulty.__init__.__annotations__["mode"] = int


def test_failed_trials_keep_their_reason_and_do_not_end_the_study(data, register_variant):
    register_variant("faulty", Faulty)
    fix = {name: getattr(SMALL, name.removeprefix("fit.")) for name in ("fit.learning_rate", "fit.batch_size")}
    result = zoo.tune("faulty", data, trials=9, config=SMALL, fix=fix, ranges={"mode": [0, 1, 2]}, sampler="random")
    reasons = {trial.params["mode"]: trial.user_attrs.get("error", "") for trial in result.study.trials}
    assert reasons[0] == ""
    assert reasons[1] == "OutOfMemoryError: not enough memory: tried 9 GiB"
    assert reasons[2].startswith("Diverged: training diverged in epoch 1")
    assert result.cost.trials == 9 == result.cost.failed + result.cost.complete
    assert result.best_params == {"mode": 0}


def test_study_in_which_all_fails_says_why(data, register_variant):
    register_variant("faulty", Faulty)
    result = zoo.tune("faulty", data, trials=2, config=SMALL, fix={"mode": 1})
    with pytest.raises(zoo.InputError, match="none of 2 trials has a value; the last one failed with OutOfMemoryError"):
        _ = result.best_params


def test_every_trial_gets_the_same_training_budget(data):
    result = tuned(data, config=zoo.FitConfig(max_epochs=50, max_batches=5), fix={"fit.patience": 0}, pruner="none")
    steps = []
    for trial in result.study.trials:
        size = trial.params["fit.batch_size"]
        steps.append(min(5, trial.user_attrs["epochs"] * math.ceil(len(data.train) / size)))
    assert steps == [5] * 4
    assert {trial.user_attrs["stopped"] for trial in result.study.trials} == {"max_batches"}


@pytest.mark.usefixtures("no_pictures")
def test_study_of_something_else_under_the_same_name_is_refused(data, prices, tmp_path):
    tuned(data, out=tmp_path, trials=1, study_name="mine")
    tuned(data, out=tmp_path, trials=2, study_name="mine")
    other = zoo.prepare(zoo.load(prices), targets=["high"])
    with pytest.raises(zoo.InputError, match="study 'mine' in this storage differs from this request in its problem:"):
        tuned(other, out=tmp_path, study_name="mine")
    with pytest.raises(zoo.InputError, match="in its seed"):
        tuned(data, out=tmp_path, study_name="mine", seed=5)
    with pytest.raises(zoo.InputError, match="in its ranges"):
        tuned(data, out=tmp_path, study_name="mine", ranges={"hidden_size": "8:9"})


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"trials": 0}, "trials must be >= 1, got 0"),
        ({"timeout": -1}, "timeout must be > 0, got -1"),
        ({"jobs": 0}, "jobs must be >= 1, got 0"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"sampler": "tep"}, "unknown sampler 'tep'; did you mean 'tpe'"),
        ({"pruner": "medain"}, "unknown pruner 'medain'; did you mean 'median'"),
        ({"objectives": ["loss"]}, "unknown objective 'loss'"),
        ({"objectives": []}, "objectives must be different names"),
        ({"objectives": 5}, "objectives must be a list, got 5"),
        ({"objectives": ["valid_loss", "latency_ms"], "pruner": "median"}, "needs valid_loss as the only objective"),
        ({"objectives": ["valid_loss", "latency_ms"], "sampler": "cmaes"}, "sampler cmaes takes one objective"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(how, message, data, tmp_path):
    with pytest.raises(zoo.InputError, match=message):
        tuned(data, out=tmp_path / "out", **how)
    assert not (tmp_path / "out").exists()


def test_nothing_to_tune_or_to_judge_by_is_said(data, prices):
    with pytest.raises(zoo.InputError, match="variant 'naive' has nothing to tune"):
        tuned(data, "naive")
    without = zoo.prepare(zoo.load(prices), targets=["close"], split=(0.8, 0, 0.2))
    with pytest.raises(zoo.InputError, match="the split leaves none"):
        tuned(without)


def test_repeats_judge_a_trial_by_the_mean_of_several_trainings(data):
    result = tuned(data, repeats=3)
    once = tuned(data)
    for trial, single in zip(result.study.trials, once.study.trials[:1], strict=False):
        losses = trial.user_attrs["valid_losses"]
        assert trial.value == pytest.approx(sum(losses) / 3)
        assert len(set(losses)) == 3
        assert losses[0] == single.value
        assert trial.user_attrs["epochs"] == 3 * single.user_attrs["epochs"]
    assert outcomes(result) == outcomes(tuned(data, repeats=3))
    baseline = zoo.tune("moving-average", data, trials=2, repeats=3)
    assert "valid_losses" not in baseline.study.trials[0].user_attrs
    with pytest.raises(zoo.InputError, match="repeats must be >= 1, got 0"):
        tuned(data, repeats=0)


def test_test_rows_do_not_reach_hyperbands_brackets(prices):
    other = prices.copy()
    other.loc[other.index[260:], "close"] *= 2
    how = {"pruner": "hyperband", "trials": 10, "config": zoo.FitConfig(max_epochs=9)}
    results = [tuned(zoo.prepare(zoo.load(frame), targets=["close"]), **how) for frame in (prices, other)]
    assert outcomes(results[0]) == outcomes(results[1])
    assert results[0].cost.pruned > 0


def test_start_is_told_as_it_ran_also_after_the_settings_changed(data, tmp_path):
    first = tuned(data, out=tmp_path, trials=1, config=replace(SMALL, learning_rate=9e-3))
    later = tuned(data, out=tmp_path, trials=1, config=SMALL)
    assert later.best_fit.learning_rate == first.best_fit.learning_rate == 9e-3
    assert later.best_fit.weight_decay == 0.0
    line = json.loads((tmp_path / "trials.jsonl").read_text())
    assert line["params"]["fit.weight_decay"] == 0.0
    assert line["is_start"]


@pytest.mark.parametrize("names", [["train_seconds"], ["valid_loss", "train_seconds", "latency_ms"]])
def test_any_objective_can_be_shown(names, data):
    from zoo.cli.tune import _outcome

    events = []
    result = tuned(data, objectives=names, trials=2, on_event=events.append)
    assert result.cost.complete == 2
    assert [_outcome(event).split(":")[0] for event in events if event.trial is not None] == ["trial 0", "trial 1"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"trials": 2.5}, "trials must be a whole number, got 2.5"),
        ({"objectives": "loss"}, "unknown objective 'loss'"),
    ],
)
def test_wrong_calls_are_refused(how, message, data):
    with pytest.raises(zoo.InputError, match=message):
        tuned(data, **how)


def test_variant_that_workers_cannot_import_is_refused(data, register_variant):
    register_variant("faulty", Faulty)
    with pytest.raises(zoo.InputError, match="worker processes do not import .*, which registers 'faulty'"):
        zoo.tune("faulty", data, trials=1, jobs=1)
