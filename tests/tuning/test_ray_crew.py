"""Studies whose trials run on a real cluster of two machines, both of them this one."""

import json

import pytest

from tests.conftest import MACHINE, patiently, run_zoo, run_zoo_here
from tests.machines import in_background, is_busy, kill, wait_until

pytest.importorskip("ray")
pytestmark = [pytest.mark.process, pytest.mark.ray]


def trials_in(folder):
    lines = (folder / "trials.jsonl").read_text().splitlines()
    fields = ("trial", "state", "params", "valid_loss", "epochs")
    return [[json.loads(line).get(field) for field in fields] for line in lines]


def test_study_on_a_cluster_has_the_trials_of_one_here(cluster, prices_csv, tmp_path):
    arguments = ["tune", "lstm", prices_csv, "--targets", "close", "--trials", 9, "--fix", "hidden_size=8"]
    arguments += ["--fix", "fit.max_epochs=12", "--fix", "fit.batch_size=64", "--jobs", 1, "--out"]
    there = run_zoo(*arguments, tmp_path / "there", "--engine", f"ray:{cluster.address}")
    assert there.returncode == 0, there.stderr
    here = run_zoo_here(*arguments, tmp_path / "here")
    assert here.returncode == 0, here.stderr
    assert trials_in(tmp_path / "there") == trials_in(tmp_path / "here")
    assert {state for _, state, *_ in trials_in(tmp_path / "here")} == {"complete", "pruned"}
    again = run_zoo(*arguments, tmp_path / "there", "--engine", f"ray:{cluster.address}", "--trials", 11, "--jobs", 2)
    assert again.returncode == 0, again.stderr
    assert len(trials_in(tmp_path / "there")) == 11


def test_trial_of_a_lost_machine_runs_again_on_another(cluster, prices_csv, tmp_path):
    """The trial that ran there is kept as failed, and its settings have a trial of their own once more."""
    third = patiently(lambda: cluster.add_node(**MACHINE))
    arguments = [
        "tune", "lstm", prices_csv, "--targets", "close", "--trials", 6, "--pruner", "none", "--fix", "hidden_size=8",
        "--fix", "fit.max_epochs=60", "--fix", "fit.patience=0", "--fix", "fit.batch_size=16", "--jobs", 3,
    ]  # fmt: skip
    process = in_background(*arguments, "--out", tmp_path / "out", "--engine", f"ray:{cluster.address}")
    wait_until(lambda: is_busy(third, "trial_there"), process)
    kill(cluster, third)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    trials = trials_in(tmp_path / "out")
    lost = [params for _, state, params, *_ in trials if state == "failed"]
    ended = [params for _, state, params, _, epochs in trials if (state, epochs) == ("complete", 60)]
    assert (len(lost), len(ended), len(trials)) == (1, 6, 7)
    assert ended.count(lost[0]) == 1
    assert (tmp_path / "out/trials.jsonl").read_text().count("the machine of the trial was lost") == 1
