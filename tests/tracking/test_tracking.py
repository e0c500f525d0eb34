"""Runs on their way to a tracker: nothing that the tracker does costs the work."""

import sys
import threading
import warnings
from dataclasses import replace

import pytest

import zoo
from zoo.cli.options import typed_line
from zoo.errors import TrackingWarning
from zoo.tracking.run import Run, metrics_from, settings_from
from zoo.tracking.tracking import Tracking, hidden, tracking_of

GROUP = Run("g", "out", "mine")
CELL = Run("c", "lstm seed 0", "mine", group="g", state="finished", parameters={"seed": 0})


class Memory:
    """A tracker that remembers what it was told, and fails where a run's name says so."""

    def __init__(self, ended=()):
        self.told, self.ended = [], set(ended)

    def start(self, run):
        self.told.append(("start", run.name))
        return run.key not in self.ended

    def add(self, _, curves):
        self.told += [("add", name, dict(points)) for name, points in curves.items() if points]

    def end(self, run):
        if run.name == "broken":
            raise ConnectionError("the server went away")
        self.told.append(("end", run.name, run.state, dict(run.tags)))


def test_points_are_sent_once_and_runs_end_in_the_order_of_the_calls():
    memory = Memory()
    tracking = Tracking(memory)
    tracking.begin(GROUP)
    for curves in ({"loss": {1: 0.5}}, {"loss": {1: 0.5, 2: 0.25}}):
        tracking.log(lambda curves=curves: replace(CELL, state="running", curves=curves))
    for _ in range(2):
        tracking.log(lambda: replace(CELL, curves={"loss": {1: 0.5, 2: 0.25, 3: 0.125}}))
    tracking.log(lambda: replace(GROUP, state="finished"))
    tracking.close()
    assert memory.told == [
        ("start", "out"), ("start", "lstm seed 0"), ("add", "loss", {1: 0.5}), ("add", "loss", {2: 0.25}),
        ("add", "loss", {3: 0.125}), ("end", "lstm seed 0", "finished", {}), ("end", "out", "finished", {}),
    ]  # fmt: skip
    assert tracking.fresh == 1


def test_a_run_that_the_tracker_has_gets_nothing():
    memory = Memory(ended=["c"])
    tracking = Tracking(memory)
    for _ in range(2):
        tracking.log(lambda: CELL)
    tracking.close()
    assert memory.told == [("start", "lstm seed 0")] and tracking.fresh == 0


def test_a_tracker_that_fails_in_the_middle_gets_nothing_more_and_is_named_once():
    memory = Memory()
    tracking = Tracking(memory, "mlflow:http://x")
    tracking.begin(GROUP)
    for run in (replace(CELL, key="b", name="broken"), CELL):
        tracking.log(lambda run=run: run)
    with pytest.warns(TrackingWarning, match="mlflow:http://x failed .*repeat the command.*went away") as seen:
        tracking.close()
    assert len(seen) == 1 and ("start", "lstm seed 0") not in memory.told


def test_a_run_that_cannot_be_made_is_a_failure_of_the_tracking_alone():
    tracking = Tracking(Memory(), "x")
    tracking.log(lambda: 1 / 0)
    with pytest.warns(TrackingWarning, match="x failed .*division by zero"):
        tracking.close()


def test_a_slow_tracker_does_not_hold_up_the_work():
    class Slow(Memory):
        def start(self, run):
            assert goes_on.wait(timeout=30)
            return super().start(run)

    goes_on, memory = threading.Event(), Slow()
    tracking = Tracking(memory)
    tracking.log(lambda: CELL)  # returns while the tracker waits
    assert memory.told == []
    goes_on.set()
    tracking.close()
    assert memory.told[-1] == ("end", "lstm seed 0", "finished", {})


def test_a_tracker_that_refuses_the_first_run_is_an_error_before_the_work():
    tracking = Tracking(Memory(), "mlflow:http://x")
    with pytest.raises(zoo.InputError, match="--track mlflow:http://x cannot be used: .*went away"):
        tracking.begin(replace(GROUP, name="broken", state="finished"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracking.close()


@pytest.mark.parametrize(
    ("ending", "state", "tags"),
    [(None, "stopped", {}), (KeyboardInterrupt, "stopped", {}), (zoo.Diverged("no"), "failed", {"error": "no"})],
)
def test_runs_that_go_on_end_as_the_work_does(monkeypatch, ending, state, tags):
    memory = Memory()
    monkeypatch.setattr("zoo.tracking.tracking._opened", lambda *_: memory)
    try:
        with tracking_of("tensorboard:x") as tracking:
            tracking.begin(GROUP)
            if ending is not None:
                raise ending
    except (KeyboardInterrupt, zoo.Diverged):
        pass
    assert memory.told[-1] == ("end", "out", state, tags)


@pytest.mark.parametrize(
    ("track", "rule"),
    [
        ("mlfow", "unknown tracker 'mlfow' of --track; did you mean 'mlflow'"),
        ("tensorboard", "name a folder, as in tensorboard:runs"),
        ("tensorboard:{file}", "x.csv is a file: name a folder"),
        ("tensorboard:{file}/runs", "x.csv is a file: name a folder"),
        ("mlflow:sqlite:///{file}/x.db", "x.csv is a file: name a folder"),
        ("mlflow:foo://x", "unsupported URI 'foo://x'.*; name a server, or a database"),
        ("mlflow:http://me:secret@127.0.0.1:9", r"mlflow:http://\*\*\*@127.0.0.1:9 cannot be used: no MLflow server"),
    ],
)
def test_a_tracker_that_cannot_be_used_is_named_and_nothing_is_written(tmp_path, monkeypatch, track, rule):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "x.csv").write_text("a")
    with (
        pytest.raises(zoo.InputError, match=rule) as error,
        tracking_of(track.format(file=tmp_path / "x.csv"), "mine"),
    ):
        pass
    assert "secret" not in str(error.value) and [path.name for path in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize(("track", "package"), [("tensorboard:runs", "tensorboard"), ("mlflow", "mlflow")])
def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch, track, package):
    for name in [*sys.modules]:
        if name.split(".")[0] == package or name in (f"zoo.tracking.{package}", "torch.utils.tensorboard"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    rule = rf'--track {package} needs {package}, which is not installed: pip install "lstm-zoo\[track\]"'
    with pytest.raises(zoo.InputError, match=rule), tracking_of(track):
        pass


def test_no_password_of_an_address_is_stored(monkeypatch):
    track = "mlflow:http://me:secret@host:5000"
    monkeypatch.setattr(sys, "argv", ["zoo", "bench", "sp500", "--track", track])
    assert typed_line(track=track) == "zoo bench sp500 --track 'mlflow:http://***@host:5000'"
    assert hidden("mlflow:sqlite:///a@b.db") == "mlflow:sqlite:///a@b.db"


def test_names_and_values_are_what_every_tracker_takes():
    assert settings_from({"a (b)/c": ("x", 1), "none": None, "empty": (), "flag": True, "rate": 0.1}) == {
        "a__b__c": "x, 1", "flag": True, "rate": 0.1,
    }  # fmt: skip
    assert metrics_from({"rmse": 1, "temp °C.rmse": 2.5, "no": None, "is": True, "text": "x"}, "test/") == {
        "test/rmse": 1.0, "test/temp__C.rmse": 2.5,
    }  # fmt: skip
    assert len(settings_from({"channels": ["x"] * 1000})["channels"]) == 500
