"""Tracking: sends runs to a tracker from a thread of its own, so that no slow or broken one costs a measurement."""

import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from zoo.errors import InputError, TrackingWarning, message_of, unknown
from zoo.tracking.run import Run, Tracker

NAMES = ("tensorboard", "mlflow")  # each is a file beside this one, with a function `opened`
INSTALL = 'pip install "lstm-zoo[track]"'


class Tracking:
    """Runs on their way to a tracker, in the order in which they are logged; without a tracker nothing happens.

    shown: the tracker as a user names it, without a password; fresh: how many runs it did not have yet; error: why it
    failed, after which it gets nothing more.
    """

    def __init__(self, tracker: Tracker | None = None, shown: str = "") -> None:
        self.tracker, self.shown = tracker, shown
        self.fresh = 0
        self.error: str | None = None
        self._sent: dict[str, Run] = {}
        self._waiting: SimpleQueue[Callable[[], Run] | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        if tracker is not None:
            self._thread.start()

    def begin(self, run: Run) -> None:
        """Log the first run, before the work begins; raises InputError where the tracker cannot take it."""
        if self.tracker is None or self._sent:
            self.log(lambda: run)
            return
        self._try(lambda: run)
        error, self.error = self.error, None
        if error is not None:
            raise InputError(f"--track {self.shown} cannot be used: {hidden(error)}")

    def log(self, make: Callable[[], Run]) -> None:
        """Bring a run of the tracker up to date, soon; `make` gives it, in another thread."""
        if self.tracker is not None:
            self._waiting.put(make)

    def close(self, state: Literal["failed", "stopped"] = "stopped", **tags: str) -> None:
        """Wait until everything is logged, end the runs that still go on, and warn where the tracker failed."""
        if self.tracker is None:
            return
        self._waiting.put(None)
        self._thread.join()
        for run in [run for run in self._sent.values() if run.state == "running"]:
            ended = replace(run, state=state, tags={**run.tags, **tags})
            self._try(lambda ended=ended: ended)  # type: ignore[misc]
        if self.error is not None:
            text = f"{self.shown} failed and lacks some runs: repeat the command to send them ({hidden(self.error)})"
            warnings.warn(text, TrackingWarning, stacklevel=2)

    def _serve(self) -> None:
        while (make := self._waiting.get()) is not None:
            self._try(make)

    def _try(self, make: Callable[[], Run]) -> None:
        if self.error is None:
            try:
                with self._gate:
                    self._send(make())
            except Exception as error:  # of any kind: a tracker must not end what it watches
                self.error = message_of(error)

    def _send(self, run: Run) -> None:
        assert self.tracker is not None
        before = self._sent.get(run.key)
        if before is not None and before.state != "running":
            return
        if before is None and not self.tracker.start(run):
            self._sent[run.key] = replace(run, state="finished")
            return
        self.fresh += before is None and bool(run.parameters)  # a group has none
        seen = before.curves if before is not None else {}
        curves = {
            name: {step: value for step, value in points.items() if step not in seen.get(name, {})}
            for name, points in run.curves.items()
        }
        self.tracker.add(run, curves)
        if run.state != "running":
            self.tracker.end(run)
        self._sent[run.key] = run


NOWHERE = Tracking()


@contextmanager
def tracking_of(track: str | Tracking | None, *suites: str) -> Iterator[Tracking]:
    """The tracking that `tensorboard:DIR`, `mlflow` or `mlflow:URI` names, for runs of these suites; None: nowhere.

    A Tracking stays as it is, and whoever made it closes it. Raises InputError for a tracker that cannot be used, and
    has then written nothing.
    """
    if track is None or isinstance(track, Tracking):
        yield track or NOWHERE
        return
    tracking = Tracking(_opened(track, suites), hidden(track))
    ends: dict[str, Any] = {}
    try:
        yield tracking
    except Exception as error:
        ends = {"state": "failed", "error": message_of(error)}
        raise
    finally:
        tracking.close(**ends)


def hidden(text: str) -> str:
    """A text without the user and the password of an address in it."""
    return re.sub(r"(?<=:)//[^/\s]*@", "//***@", text)


def check_place(path: Path) -> None:
    """Raise InputError unless a folder is there, or can be made."""
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not there.is_dir():
        raise InputError(f"{there} is a file: name a folder")
    if not os.access(there, os.W_OK):
        raise InputError(f"{there} cannot be written: name another folder")


def _opened(track: str, suites: tuple[str, ...]) -> Tracker:
    name, _, address = track.partition(":")
    if name not in NAMES:
        raise unknown("tracker", name, NAMES, "of --track")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of their own packages, at import
            tracker: Tracker = import_module(f"zoo.tracking.{name}").opened(address, suites)
    except ImportError as error:
        raise InputError(f"--track {name} needs {error.name}, which is not installed: {INSTALL}") from error
    except Exception as error:
        why = str(error) if isinstance(error, InputError) else message_of(error)
        raise InputError(f"--track {hidden(track)} cannot be used: {hidden(why)}") from error
    return tracker
