"""Run: what a tracker shows of one training, one trial, or of all those of a command together."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

Curves = Mapping[str, Mapping[int, float]]  # by name, values by step
LONGEST = 500  # signs of a parameter, which is what every server takes


@dataclass(frozen=True)
class Run:
    """key: the same key is the same run, also in another process; group: the key of the run that it lies below.

    suite: of runs that are compared with each other; tags: what is no setting, such as an error; texts: files, by name;
    seconds: how long it took; best: of a group, the key of its best run.
    """

    key: str
    name: str
    suite: str
    group: str | None = None
    state: Literal["running", "finished", "failed", "pruned", "stopped"] = "running"
    parameters: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    curves: Curves = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    started: datetime | None = None
    seconds: float | None = None
    best: str | None = None


class Tracker(Protocol):
    """Where runs go. What a method raises ends the tracking, never the work."""

    def start(self, run: Run) -> bool:
        """Make the run, with its parameters and tags; False where it is there and has ended, so that nothing follows.

        A run that an earlier process left unfinished is made anew; a run without a group goes on.
        """

    def add(self, run: Run, curves: Curves) -> None:
        """Add new points to a run's curves."""

    def end(self, run: Run) -> None:
        """Add metrics, tags and texts, and say how the run ended."""


def key_of(*parts: object) -> str:
    """A key that stands for these parts."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def settings_from(values: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """The values as a tracker takes them: lists as text, and without those that are None or empty."""
    given = {_plain(name): value for name, value in values.items() if value is not None and value not in ((), [])}
    return {name: value if isinstance(value, bool | int | float) else _text(value) for name, value in given.items()}


def metrics_from(values: Mapping[str, Any], section: str = "") -> dict[str, float]:
    """The numbers among the values; section: the part of the tracker's page, such as test/."""
    numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
    return {section + _plain(name): float(value) for name, value in numbers.items() if not isinstance(value, bool)}


def _text(value: Any) -> str:
    return (", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value))[:LONGEST]


def _plain(name: str) -> str:
    """A name with the signs that every tracker takes; a column's name may have any."""
    return re.sub(r"[^\w.-]", "_", name)
