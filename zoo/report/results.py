"""Results: the rows of several folders together, each once, with their stored predictions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import InputError
from zoo.report.board import Row, current
from zoo.report.predictions import Load, Stored, stored_in
from zoo.run.store import read_all, read_rows


@dataclass(frozen=True)
class Results:
    """Accuracy rows with what reads their predictions, speed rows, and sentences on what was left out.

    trials: of each tuned variant, the validation values of its trials in the order that they ended.
    """

    accuracy: tuple[Row, ...]
    speed: tuple[Row, ...]
    left_out: tuple[str, ...]
    load: Load
    trials: tuple[tuple[str, list[float]], ...] = ()


def read_results(folders: Sequence[Path]) -> Results:
    """Every row of the folders; of rows with the same key the first that ended.

    What is no folder is left out where several are named. Raises InputError for a folder without rows, and where
    nothing is left.
    """
    accuracy: dict[str, Row] = {}
    speed: dict[str, Row] = {}
    left_out: list[str] = []
    loads: dict[str, Load] = {}
    for folder in folders:
        if len(folders) > 1 and folder.is_file():
            left_out.append(f"{folder} is no folder: left out")
            continue
        rows, broken = read_all(folder)
        if not rows:
            raise InputError(
                f"no rows in {folder / 'rows.jsonl'}: run zoo bench ... or zoo speed ... --out {folder} first"
            )
        timed = [row for row in rows if row.get("kind") == "speed"]
        if timed:
            speed = {row["key"]: row for row in timed} | speed
        else:
            rows, unreadable = read_rows(folder)
            broken = unreadable if rows else [f"{unreadable[0]}, as all its rows"]
            load = stored_in(folder)
            for row in rows:
                if row["key"] not in accuracy or (accuracy[row["key"]]["error"] and not row["error"]):
                    accuracy[row["key"]], loads[row["key"]] = row, load
        left_out += broken if len(folders) == 1 else [f"{folder}: {sentence}" for sentence in broken]

    timed_now = current(list(speed.values()))
    if len(timed_now) < len(speed):
        left_out.append(f"speed rows of an earlier source of their variant: {len(speed) - len(timed_now)} left out")

    def load_any(row: Row) -> Stored | None:
        return loads[row["key"]](row) if row["key"] in loads else None

    if not accuracy and not speed:
        raise InputError(f"there is nothing to report: {left_out[0]}")
    found = (tuple(accuracy.values()), tuple(timed_now), tuple(left_out), load_any)
    return Results(*found, trials=tuple(each for folder in folders for each in _trials(folder / "tune")))


def _trials(folder: Path) -> list[tuple[str, list[float]]]:
    found = []
    for path in sorted(folder.glob("*/trials.jsonl")):
        try:
            trials = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            ended = [trial for trial in trials if trial.get("state") == "complete"]
            values = [trial["valid_loss"] for trial in ended if isinstance(trial.get("valid_loss"), float)]
        except (OSError, ValueError, AttributeError):
            continue
        if len(values) > 1 and values[0] > 0:
            found.append((path.parent.name, values))
    return found
