"""MLflow: each suite is an experiment, and the runs of a folder lie below one run, which holds the report."""

import os
import time
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

USUAL = {  # unless the user has set them
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # after 2 and 4 seconds; MLflow's own 7 take minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
for name, value in USUAL.items():
    os.environ.setdefault(name, value)  # MLflow reads some of them when it is imported

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException

from zoo.errors import InputError, first_line
from zoo.tracking.run import Curves, Run
from zoo.tracking.tracking import check_place

KEY, PARENT, BEST = "zoo.key", "mlflow.parentRunId", "zoo.best"
STATES = {"finished": "FINISHED", "failed": "FAILED", "pruned": "KILLED", "stopped": "KILLED"}
SQLITE = "sqlite:///"


def opened(address: str, suites: Sequence[str]) -> "MLflow":
    """The tracking store at an address, by default what MLFLOW_TRACKING_URI names, else ./mlflow.db."""
    tracker = MLflow(address or mlflow.get_tracking_uri())
    path = Path(tracker.address.removeprefix(SQLITE))
    if tracker.address.startswith(SQLITE) and not path.exists():
        check_place(path.parent)  # and the database is made with the first run
    else:
        try:
            for suite in suites:
                tracker.check(suite)
        except MlflowException as error:
            is_silent = isinstance(error.__context__, RequestException)
            why = "no MLflow server answers there" if is_silent else first_line(error)
            raise InputError(f"{why}; name a server, or a database, such as mlflow:sqlite:///mlflow.db") from error
    return tracker


class MLflow:
    """Runs of a tracking store, found again by their tag zoo.key."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._ids: dict[str, str] = {}

    @cached_property
    def _client(self) -> mlflow.MlflowClient:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of SQLAlchemy, about MLflow's tables
            return mlflow.MlflowClient(self.address)

    def check(self, suite: str) -> None:
        """Raise what MLflow raises for a store that does not answer, and InputError for an experiment in the trash."""
        experiment = self._client.get_experiment_by_name(_experiment(suite))
        if experiment is not None and experiment.lifecycle_stage != "active":
            name = _experiment(suite)
            raise InputError(f"experiment '{name}' is deleted: restore it, or name another in MLFLOW_EXPERIMENT_NAME")

    def start(self, run: Run) -> bool:
        name = _experiment(run.suite)
        known = self._client.get_experiment_by_name(name)
        experiment = known.experiment_id if known is not None else self._client.create_experiment(name)
        for earlier in self._client.search_runs([experiment], f"tags.`{KEY}` = '{run.key}'"):
            self._ids[run.key] = earlier.info.run_id
            if run.group is None:
                self._client.update_run(earlier.info.run_id, status="RUNNING")
                return True
            if earlier.info.status != "RUNNING":
                return False
            self._client.delete_run(earlier.info.run_id)
        tags = {**run.tags, KEY: run.key} | ({PARENT: self._ids[run.group]} if run.group is not None else {})
        began = int(1000 * (run.started.timestamp() if run.started is not None else time.time()))
        made = self._client.create_run(experiment, start_time=began, tags=tags, run_name=run.name)
        self._ids[run.key] = made.info.run_id
        params = [Param(name, str(value)) for name, value in run.parameters.items()]
        for place in range(0, len(params), 100):  # the most that a request takes
            self._client.log_batch(made.info.run_id, params=params[place : place + 100])
        return True

    def add(self, run: Run, curves: Curves) -> None:
        self._measured(run, [(name, value, step) for name, points in curves.items() for step, value in points.items()])

    def end(self, run: Run) -> None:
        number = self._ids[run.key]
        self._measured(run, [(name, value, 0) for name, value in run.metrics.items()])
        self._client.log_batch(number, tags=[RunTag(name, value) for name, value in run.tags.items()])
        for name, text in run.texts.items():
            self._client.log_text(number, text, name)
        if run.best is not None:
            within = [self._client.get_run(number).info.experiment_id]
            for earlier in self._client.search_runs(within, f"tags.`{PARENT}` = '{number}' and tags.`{BEST}` = 'true'"):
                self._client.delete_tag(earlier.info.run_id, BEST)
            self._client.set_tag(self._ids[run.best], BEST, "true")
        ended = None  # now
        if run.started is not None and run.seconds is not None:
            ended = int(1000 * (run.started.timestamp() + run.seconds))
        self._client.set_terminated(number, STATES[run.state], ended)

    def _measured(self, run: Run, points: Sequence[tuple[str, float, int]]) -> None:
        now = int(1000 * time.time())
        for place in range(0, len(points), 1000):
            metrics = [Metric(name, value, now, step) for name, value, step in points[place : place + 1000]]
            self._client.log_batch(self._ids[run.key], metrics=metrics)


def _experiment(suite: str) -> str:
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or suite
