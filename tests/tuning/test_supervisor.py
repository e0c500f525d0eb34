"""Trials on workers, and studies that are interrupted: by kills, Ctrl-C and other processes."""

import json
import os
import signal
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from torch import nn

import zoo
from tests.conftest import run_zoo_here
from tests.tuning.studies import LITTLE, QUICK, outcomes, started, trials_of, tuned
from zoo.space import Float
from zoo.tuning.result import cost_of, earlier_runs
from zoo.tuning.storage import DATABASE, opened_storage, queue_again
from zoo.tuning.study import quiet
from zoo.tuning.trial import run_trial

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Drawing them takes longer than these studies."""
    monkeypatch.setattr("zoo.tuning.files._draw", lambda *_: [])


@pytest.fixture(autouse=True)
def quiet_optuna():
    with quiet():
        yield


def states_in(out):
    """The states of the trials of a study that a process may be running, by number."""
    try:
        with closing(sqlite3.connect(f"file:{out / DATABASE}?mode=ro", uri=True)) as database:
            return [state for (state,) in database.execute("SELECT state FROM trials ORDER BY number")]
    except sqlite3.OperationalError:  # no file or no table yet
        return []


def until(condition, seconds=180):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def test_killed_worker_costs_its_trial_only_and_the_budget_is_met(data, tmp_path):
    killed = []

    def kill(event):
        if event.epoch == 1 and event.number == 1:
            for worker in workers():
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)

    result = tuned(data, jobs=1, out=tmp_path, on_event=kill)
    assert len(killed) == 1
    assert [trial.state.name for trial in result.study.trials] == [
        "COMPLETE",
        "FAIL",
        "COMPLETE",
        "COMPLETE",
        "COMPLETE",
    ]
    lost, again = result.study.trials[1:3]
    assert lost.user_attrs["error"] == "the worker was killed by SIGKILL (out of memory?)"
    assert again.params == lost.params
    assert earlier_runs(again) == [1]
    assert [line.get("retry_of") for line in trials_of(tmp_path)] == [None, None, 1, None, None]
    assert (result.cost.trials, result.cost.lost, result.cost.failed) == (4, 1, 0)
    untouched = tuned(data)
    values = [trial.value for trial in result.study.trials if trial.number != 1]
    assert values == [trial.value for trial in untouched.study.trials]


def workers():
    """Processes that the fork server of this one started."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(name)] = int(fields[1])
    return [process for process, parent in parents.items() if parents.get(parent) == os.getpid()]


def test_trial_that_kills_its_worker_every_time_is_failed_in_the_end(data, tmp_path):
    def kill(event):
        if event.epoch == 1 and event.number in (1, 2):
            for worker in workers():
                os.kill(worker, signal.SIGKILL)

    result = tuned(data, jobs=1, out=tmp_path, on_event=kill)
    assert [trial.state.name for trial in result.study.trials] == ["COMPLETE", "FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert (result.cost.trials, result.cost.lost, result.cost.failed) == (4, 1, 1)


def completed(out):
    return [(trial["params"], trial["valid_loss"]) for trial in trials_of(out) if trial["state"] == "complete"]


TRIALS = 40  # more than a command ends before it is killed


def test_killed_commands_go_on_and_end_as_if_they_had_not_been(prices_csv, tmp_path):
    kills = {tmp_path / "alone": os.kill, tmp_path / "with its workers": os.killpg}
    killed = {out: started(prices_csv, out, "--trials", 5000) for out in kills}
    while killed:
        until(lambda: any(len(states_in(out)) >= 3 for out in killed))
        out = next(out for out in killed if len(states_in(out)) >= 3)
        process = killed.pop(out)
        kills[out](process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert not (out / "best.json").exists()
    best = []
    for out in (tmp_path / "whole", *kills):
        tune = ("tune", "lstm", prices_csv, "--targets", "close", *QUICK, "--trials", TRIALS, "--out", out)
        ended = run_zoo_here(*tune)
        assert ended.returncode == 0, ended.stderr
        best.append(json.loads((out / "best.json").read_text()))
        assert completed(out) == completed(tmp_path / "whole")
        assert len(completed(out)) == TRIALS == best[-1]["cost"]["trials"]
    for other in best[1:]:
        assert (other["params"], other["valid_loss"]) == (best[0]["params"], best[0]["valid_loss"])


def test_two_commands_share_one_study_and_its_budget(prices_csv, tmp_path):
    out = tmp_path / "out"
    both = [started(prices_csv, out, "--trials", 12) for _ in range(2)]
    for process in both:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    trials = trials_of(out)
    assert len([trial for trial in trials if not trial.get("surplus")]) == 12
    assert len(trials) <= 13
    assert json.loads((out / "best.json").read_text())["cost"]["trials"] == 12


def test_ctrl_c_stops_with_130_and_queues_the_trial_again(prices_csv, tmp_path):
    out = tmp_path / "out"
    process = started(prices_csv, out, "--trials", 500)
    until(lambda: len(states_in(out)) >= 4)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 130, output
    assert "stopped after trials: lstm" in output
    assert "Traceback" not in output
    assert (out / "best.json").exists()
    assert "RUNNING" not in states_in(out)
    with opened_storage(None, out) as storage:
        cost = cost_of(optuna.load_study(study_name=None, storage=storage).trials)
    assert cost.failed == 0
    assert cost.complete + cost.pruned == cost.trials >= 3


def test_lost_trial_is_queued_as_often_as_it_may_be():
    study = optuna.create_study()
    study.ask().set_user_attr("start", {"x": 1})
    study.tell(0, state=optuna.trial.TrialState.FAIL)
    queue_again(study, study.trials[0], 1)
    assert study.trials[1].user_attrs == {"start": {"x": 1}}
    assert earlier_runs(study.trials[1]) == [0]
    queue_again(study, study.trials[1], 1)
    assert len(study.trials) == 2
    queue_again(study, study.trials[1], None)
    assert study.trials[2].user_attrs == {"start": {"x": 1}}
    assert earlier_runs(study.trials[2]) == [0, 1]


def test_workers_give_what_this_process_gives(data, tmp_path):
    here = tuned(data, trials=3)
    there = tuned(data, trials=3, jobs=1, out=tmp_path)
    assert outcomes(here) == outcomes(there)


def test_several_workers_meet_the_budget_and_say_that_they_do_not_repeat(data):
    config = zoo.FitConfig(max_epochs=30, patience=0)  # long enough for the second to be there
    result = tuned(data, trials=21, jobs=2, pruner="none", config=config)
    assert result.cost.trials == 21 == len(result.study.trials)
    assert not result.is_reproducible
    assert "another run would give other trials" in result.notes[0]


def test_trials_are_handed_no_row_of_the_test_part(data, monkeypatch):
    handed = []

    def spy(request, given, goes_on):
        handed.append((len(given.test), len(given.train.values), len(given.valid.raw), given.split.test_end))
        return run_trial(request, given, goes_on)

    monkeypatch.setattr("zoo.tuning.supervisor.run_trial", spy)
    tuned(data, trials=2)
    end = data.split.valid_end
    assert handed == [(0, end, end, end)] * 2


class Scripted(nn.Module):
    """A model whose forecast, and so its validation loss in every epoch, is written in `level`."""

    level = 0.0

    def __init__(self, problem):
        super().__init__()
        self.shift, self.shape = nn.Parameter(torch.zeros(1)), problem.output_shape

    def forward(self, x):
        return (self.shift * 0 + self.level).expand(len(x), *self.shape)


def test_hopeless_trials_are_pruned_and_the_median_is_not(data, register_variant, monkeypatch):
    register_variant("scripted", Scripted)
    levels = (1.0, 1.1, 1.2, 1.3, 1.4, 9.0, 0.9)

    def set_level(event):
        monkeypatch.setattr(Scripted, "level", levels[event.number])

    result = zoo.tune("scripted", data, trials=7, config=zoo.FitConfig(max_epochs=12), on_event=set_level)
    assert [trial.state.name for trial in result.study.trials] == ["COMPLETE"] * 5 + ["PRUNED", "COMPLETE"]
    assert result.study.trials[5].last_step == 5  # the warm-up
    assert (result.cost.complete, result.cost.pruned) == (6, 1)
    assert result.best_trial.number == 6


@pytest.mark.parametrize("name", ["median", "hyperband", "none"])
def test_pruners_run(name, data):
    assert tuned(data, pruner=name, config=zoo.FitConfig(max_epochs=9), trials=8).cost.trials == 8


def test_timeout_begins_no_further_trial(data):
    result = tuned(data, trials=1000, timeout=1.0)
    assert 1 <= result.cost.trials < 1000
    assert result.cost.busy_seconds >= 1.0


def test_global_random_state_and_threads_are_left_alone(data):
    torch.set_num_threads(2)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    tuned(data)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert torch.get_num_threads() == 2


def test_events_tell_of_every_trial(data):
    events = []
    tuned(data, on_event=events.append)
    ended = [event for event in events if event.trial is not None]
    assert [event.number for event in ended] == [0, 1, 2, 3]
    assert [event.cost.trials for event in ended] == [1, 2, 3, 4]
    assert any(event.epoch == 2 and event.valid_loss > 0 for event in events)


@pytest.mark.parametrize(
    "how", [{"sampler": "tpe"}, {"sampler": "grid"}, {"sampler": "cmaes"}, {"pruner": "hyperband"}]
)
def test_trial_that_was_stopped_is_run_again_and_the_rest_follow(how, data, tmp_path):
    settings = {"trials": 8, "ranges": {**LITTLE, "dropout": Float(0.0, 0.1)}, "fix": {"fit.optimizer": "adam"}, **how}
    stop = threading.Event()

    def interrupt(event):
        if event.number == 3 and event.epoch == 1 and not stop.is_set():
            stop.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuned(data, out=tmp_path, on_event=interrupt, stop=stop, **settings)
    again, whole = tuned(data, out=tmp_path, **settings), tuned(data, **settings)
    assert (again.cost.trials, again.cost.lost) == (8, 1)
    assert again.study.trials[3].state.name == "FAIL"
    counted = [trial for trial in again.study.trials if trial.number != 3]
    if again.is_reproducible:
        pairs = zip(counted, whole.study.trials, strict=True)
        assert all((one.params, one.values) == (other.params, other.values) for one, other in pairs)
    assert again.is_reproducible == (how not in ({"sampler": "cmaes"}, {"pruner": "hyperband"}))


def test_verdict_on_the_last_epoch_counts_in_workers_too(data):
    how = {"config": zoo.FitConfig(max_epochs=5), "trials": 12, "ranges": {}, "sampler": "random"}
    here, there = tuned(data, "linear", **how), tuned(data, "linear", jobs=1, **how)
    assert outcomes(here) == outcomes(there)
    assert any(trial.state.name == "PRUNED" and trial.last_step == 5 for trial in here.study.trials)


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_time_in_which_nothing_ran_is_not_counted(data, tmp_path):
    before = tuned(data, out=tmp_path, trials=2)
    with quiet(), opened_storage(None, tmp_path) as storage:  # a process that asks for a trial and dies
        study = optuna.load_study(study_name="lstm", storage=storage)
        study.ask({"hidden_size": optuna.distributions.IntDistribution(4, 12)})
        time.sleep(0.3)
    result = tuned(data, out=tmp_path, trials=3, timeout=before.cost.busy_seconds + 0.25)
    assert (result.cost.trials, result.cost.lost) == (3, 1)
    complete = [trial for trial in result.study.trials if trial.state.name == "COMPLETE"]
    assert result.cost.seconds == pytest.approx(sum(trial.duration.total_seconds() for trial in complete), abs=1e-5)
