"""What arrives in TensorBoard and in MLflow, read back with their own readers."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import zoo
from tests.conftest import run_zoo_here
from tests.rows import accuracy_row, failed_row
from zoo.errors import TrackingWarning
from zoo.run.tracked import group_run, row_run
from zoo.tracking.tracking import tracking_of

KINDS = ("tensorboard", "mlflow")
STATES = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "stopped", "RUNNING": "running"}


@dataclass
class Arrived:
    """A run as the tracker shows it; parameters: as text."""

    state: str
    parameters: dict
    metrics: dict
    curves: dict
    texts: dict
    tags: dict
    parent: str | None


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """MLflow keeps texts below the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An empty database, which takes MLflow seconds to make."""
    from zoo.tracking.mlflow import MLflow

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MLflow(f"sqlite:///{path}").check("mine")
    return path


@pytest.fixture(params=KINDS)
def tracker(request, tmp_path, database):
    """(what --track is given, a function that reads all runs by name)."""
    if request.param == "tensorboard":
        return f"tensorboard:{tmp_path / 'runs'}", lambda: from_tensorboard(tmp_path / "runs")
    address = f"sqlite:///{shutil.copy(database, tmp_path / 'runs.db')}"
    return f"mlflow:{address}", lambda: from_mlflow(address)


def from_mlflow(address):
    from mlflow import MlflowClient

    client, runs = MlflowClient(address), {}
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            number, name, data = run.info.run_id, run.info.run_name, run.data
            histories = {metric: client.get_metric_history(number, metric) for metric in data.metrics}
            curves = {metric: {point.step: point.value for point in points} for metric, points in histories.items()}
            folder = Path(run.info.artifact_uri)
            texts = {file.path: (folder / file.path).read_text() for file in client.list_artifacts(number)}
            parent = data.tags.get("mlflow.parentRunId")
            assert name not in runs, f"{name} is there twice"
            state = STATES[run.info.status]
            runs[name] = Arrived(state, data.params, data.metrics, curves, texts, data.tags, parent)
    return runs


def from_tensorboard(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    runs = {}
    for place in sorted({path.parent for path in folder.rglob("events.out.tfevents.*")}):
        assert len(list(place.glob("events.out.tfevents.*"))) == 1
        events = EventAccumulator(str(place)).Reload()
        scalars = {tag: {point.step: point.value for point in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
        texts = {
            tag.removesuffix("/text_summary"): events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
            for tag in events.Tags()["tensors"]
        }
        cells = [line.strip("| ").split(" | ") for line in texts.pop("run", "").splitlines()[2:]]
        table = {cell[0]: cell[1] if len(cell) > 1 else "" for cell in cells}
        parameters = {}
        if "_hparams_/session_start_info" in events.summary_metadata:
            content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
            given = HParamsPluginData.FromString(content).session_start_info.hparams
            parameters = {name: table[name] for name in given}
        name = place.name.rpartition("-")[0]
        assert name not in runs, f"{name} is there twice"
        metrics = {tag: points[max(points)] for tag, points in scalars.items()}
        runs[name] = Arrived(table.get("state", "running"), parameters, metrics, scalars, texts, table, None)
    return {name.replace("-", " "): run for name, run in runs.items()}


def logged(track, *makes, folder):
    with tracking_of(track, "mine") as tracking:
        tracking.begin(group_run(folder, "mine"))
        for make in makes:
            tracking.log(make)
    return tracking


def cell(row, folder):
    return lambda: row_run(row, folder, group_run(folder, "mine"))


def test_a_cell_arrives_with_the_values_of_its_row(tracker, tmp_path):
    track, arrived = tracker
    losses = {"train_loss": [0.5, 0.25], "valid_loss": [0.75, 0.5, 0.375]}
    arrays = {name: np.array(values, dtype=np.float32) for name, values in losses.items()}
    np.savez(tmp_path / "own.npz", forecast=np.zeros((3, 1, 1)), **arrays)
    np.savez(tmp_path / "truth.npz", truth=np.zeros((3, 1, 1)), last=np.zeros((3, 1)), target_row=np.arange(3))
    two = {"close": accuracy_row().metrics.model_dump() | {"rmse": 0.25}}
    row = accuracy_row(predictions="own.npz", truth="truth.npz", valid_skill=0.125, metrics={"targets": two})
    logged(track, cell(row, tmp_path), cell(failed_row(seed=1, key="b" * 64), tmp_path), folder=tmp_path)
    runs = arrived()
    run, broken = runs["lstm seed 0"], runs["lstm seed 1"]
    assert run.state == "finished" and broken.state == "failed"
    assert broken.tags["error"] == "Diverged: the loss is nan"
    expected = {
        "variant": "lstm", "seed": "0", "params.hidden_size": "8", "fit.max_epochs": "20", "fit.learning_rate": "0.001",
        "data.source": "prices.csv", "lookback": "7", "channels": "open, close", "split": "210, 30, 60",
        "device": "cpu", "threads": "1",
    }  # fmt: skip
    assert expected.items() <= run.parameters.items()
    figures = {
        "test/rmse": 0.5, "test/skill": 0.5, "test/targets.close.rmse": 0.25, "valid_skill": 0.125,
        "train_seconds": 1.5, "windows_per_second": 2000, "parameter_count": 100, "epochs": 20, "best_epoch": 4,
    }  # fmt: skip
    assert figures.items() <= run.metrics.items()
    assert run.curves["train_loss"] == {1: 0.5, 2: 0.25}
    assert run.curves["valid_loss"] == {0: 0.75, 1: 0.5, 2: 0.375}
    assert run.tags["command"] == "zoo bench prices.csv --targets close"


def test_logging_twice_changes_nothing_and_a_new_measurement_is_a_new_run(tracker, tmp_path):
    track, arrived = tracker
    row = accuracy_row()
    assert logged(track, cell(row, tmp_path), folder=tmp_path).fresh == 1
    before = arrived()
    assert logged(track, cell(row, tmp_path), folder=tmp_path).fresh == 0
    assert arrived()["lstm seed 0"] == before["lstm seed 0"]
    again = accuracy_row(started="2026-11-26T12:00:00+00:00")
    assert logged(track, cell(again, tmp_path), folder=tmp_path).fresh == 1
    with pytest.raises(AssertionError, match="lstm.seed.0 is there twice"):
        arrived()


def test_a_run_that_a_killed_process_left_is_made_anew(tracker, tmp_path):
    track, arrived = tracker
    row, group = accuracy_row(), group_run(tmp_path, "mine")
    from zoo.tracking import tracking as room

    half = room._opened(track, ("mine",))
    half.start(group)
    half.start(row_run(row, tmp_path, group))
    assert logged(track, cell(row, tmp_path), folder=tmp_path).fresh == 1
    assert arrived()["lstm seed 0"].state == "finished"


def test_a_fit_arrives_epoch_by_epoch_with_its_scores(tracker, prices_csv):
    track, arrived = tracker
    seen = []
    forecaster = zoo.Forecaster("lstm", targets="close", hidden_size=16, fit={"max_epochs": 2})
    forecaster.fit(prices_csv, refit=True, track=track, on_epoch=seen.append)
    run = arrived()["lstm seed 0"]
    first, refit = seen[:2], seen[2:]
    assert run.curves["train_loss"] == pytest.approx({epoch.number: epoch.train_loss for epoch in first})
    assert run.curves["valid_loss"] == pytest.approx({epoch.number: epoch.valid_loss for epoch in first})
    assert run.curves["epoch_seconds"] == pytest.approx({epoch.number: epoch.seconds for epoch in first})
    assert run.curves["refit/train_loss"] == pytest.approx({epoch.number: epoch.train_loss for epoch in refit})
    assert run.metrics["test/rmse"] == pytest.approx(forecaster.scores["rmse"], rel=1e-6)
    assert run.state == "finished" and run.parameters["params.hidden_size"] == "16"
    assert run.metrics["parameter_count"] == sum(each.numel() for each in forecaster.model.model.parameters())


def test_a_fit_that_diverges_is_a_failed_run(tracker, prices_csv):
    track, arrived = tracker
    wild = {"max_epochs": 2, "learning_rate": 1e30, "optimizer": "sgd", "clip_norm": 0}
    with pytest.raises(zoo.Diverged):
        zoo.Forecaster("lstm", targets="close", fit=wild).fit(prices_csv, track=track)
    run = arrived()["lstm seed 0"]
    assert run.state == "failed" and "training diverged" in run.tags["error"]


def test_trials_arrive_below_their_study_which_names_the_best(tracker, prices_csv, tmp_path):
    track, arrived = tracker
    data = zoo.prepare(prices_csv, targets=["close"])
    settings = {"fix": {"fit.max_epochs": 2, "hidden_size": 16}, "out": tmp_path / "study", "track": track}
    for trials in (2, 3):  # the second call goes on with the study
        result = zoo.tune("lstm", data, trials=trials, **settings)
    runs = arrived()
    study, trials = runs.pop("lstm"), result.study.get_trials()
    assert sorted(runs) == [f"lstm trial {number}" for number in range(3)]
    for trial in trials:
        run = runs[f"lstm trial {trial.number}"]
        assert run.state == "finished"
        assert run.metrics["objective/valid_loss"] == pytest.approx(trial.value, rel=1e-6)
        assert min(run.curves["valid_loss"].values()) >= trial.value * (1 - 1e-6) and len(run.curves["valid_loss"]) == 2
        settings = result.plan.search.settings_of(trial)
        assert float(run.parameters["fit.learning_rate"]) == pytest.approx(settings["fit.learning_rate"])
    best = result.best_trial.number
    assert study.tags["best_trial"] == str(best)
    assert study.metrics["objective/valid_loss"] == pytest.approx(result.best_value, rel=1e-6)
    written = (tmp_path / "study/best.json").read_text().strip()
    assert written in study.texts["best.json"]
    if track.startswith("mlflow"):
        assert [name for name, run in runs.items() if run.tags.get("zoo.best")] == [f"lstm trial {best}"]
        assert len({run.parent for run in runs.values()}) == 1


@pytest.mark.process
def test_a_bench_arrives_with_its_report_and_is_logged_once(tracker, prices_csv, tmp_path):
    track, arrived = tracker
    arguments = ["bench", prices_csv, "--targets", "close", "--models", "naive,linear", "--seeds", "2"]
    arguments += ["--set", "fit.max_epochs=2", "--out", tmp_path / "out", "--track", track]
    ended = run_zoo_here(*arguments)
    assert ended.returncode == 0 and "has 3 new runs" in ended.stderr, ended.stderr
    runs, rows = arrived(), zoo.results(tmp_path / "out")
    assert sorted(runs) == ["linear seed 0", "linear seed 1", "naive seed 0", "out"]
    for _, row in rows.iterrows():
        run = runs[f"{row['variant']} seed {row['seed']}"]
        assert run.metrics["test/rmse"] == pytest.approx(row["rmse"], rel=1e-6)
        assert run.metrics["train_seconds"] == pytest.approx(row["train_seconds"], rel=1e-6)
        assert run.parameters["data.fingerprint"] == row["data.fingerprint"]
        assert max(run.curves.get("train_loss", {0: 0})) == row["epochs"]
    assert runs["out"].state == "finished" and "naive" in runs["out"].texts["report.md"]
    if track.startswith("mlflow"):
        assert runs["out"].texts["report.html"].startswith("<!DOCTYPE html>")
    again = run_zoo_here(*arguments)
    assert again.returncode == 0 and "has 0 new runs" in again.stderr
    assert {name: run for name, run in arrived().items() if name != "out"} == {
        name: run for name, run in runs.items() if name != "out"
    }


@pytest.mark.process
def test_a_tracker_that_breaks_in_a_bench_costs_no_rows_and_gets_the_rest_later(
    tracker, prices_csv, tmp_path, monkeypatch
):
    track, arrived = tracker
    how = {"models": ["naive", "linear"], "seeds": 2, "fit": {"max_epochs": 1}, "out": tmp_path / "out", "track": track}
    kind = zoo.tracking.tracking._opened(track, ()).__class__

    def broken(*_):
        raise ConnectionError("the server went away")

    with monkeypatch.context() as patched:
        patched.setattr(kind, "end", broken)
        with pytest.warns(TrackingWarning, match="the server went away"):
            measured = zoo.bench(prices_csv, "close", **how)
    assert len(measured.rows) == 3 and measured.rows["error"].isna().all()
    events = []
    zoo.bench(prices_csv, "close", **how, on_event=events.append)
    assert events == []  # nothing was measured again
    assert {run.state for run in arrived().values()} == {"finished"} and len(arrived()) == 4


@pytest.mark.process
def test_mlflow_sends_no_usage_unless_the_user_says_so():
    script = "import zoo.tracking.mlflow; from mlflow.telemetry.utils import is_telemetry_disabled as off; print(off())"
    ci = ("PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    bare = {name: value for name, value in os.environ.items() if name not in ci}
    printed = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={**bare, **own}).stdout
        for own in ({}, {"MLFLOW_DISABLE_TELEMETRY": "false"})
    ]
    assert printed[0] == "True\n" and printed[1] == "False\n"
