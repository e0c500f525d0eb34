"""Studies whose trials run on a real cluster of two machines, both of them this one."""

import json

import pytest

from tests.conftest import run_zoo, run_zoo_here

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
