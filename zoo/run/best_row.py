"""The best row of a run, by its skill on validation rows, and the suite that repeats it."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cell import AccuracyRow
from zoo.data.sources import READING
from zoo.errors import InputError
from zoo.registry import is_registered, variant
from zoo.run.store import NAME, read_rows

SAME_PROBLEM = (
    "task", "targets", "horizon", "split", "split_of_each", "quantiles", "is_conformal", "is_adaptive", "folds",
    "classes", "flat",
)  # fmt: skip
SAME_DATA = ("source", "rows", "first", "last", "series", "only")
UNKNOWN = "no skill on validation rows was stored"
MOST_NAMES = 5  # in a sentence


@dataclass(frozen=True)
class BestRow:
    """The row that did best on the validation part; notes: why it is that one, and which rows were no candidates."""

    row: AccuracyRow
    notes: tuple[str, ...]


def best_row(folder: Path, names: Sequence[str] | None = None) -> BestRow:
    """The best row of a folder that zoo bench wrote, of the variants `names` where they are given.

    The settings with the highest mean skill on the validation part, over seeds and folds, and the best seed of these.
    Test figures decide nothing, so that the test part stays a test. Settings with a failed run or of another code than
    the present one are not considered, nor are those without a validation skill, unless they are the only ones. Raises
    InputError where none is left, and for a folder that holds several problems.
    """
    rows = [row for row in read_rows(folder)[0] if isinstance(row, AccuracyRow)]
    if not rows:
        raise InputError(f"no accuracy rows in {folder / NAME}: run zoo bench DATA --out {folder} first")
    if names is not None:
        ran = sorted({row.variant for row in rows})
        rows = [row for row in rows if row.variant in names]
        if not rows:
            raise InputError(f"{folder} has no rows of {', '.join(names)}, only of {', '.join(ran)}")
    problems = {_problem_of(row): _problem_text(row) for row in rows}
    if len(problems) > 1:
        texts = "; ".join(problems.values())
        raise InputError(f"{folder} holds several problems ({texts}): name a folder that holds one")
    groups: dict[str, list[AccuracyRow]] = {}
    for row in rows:
        groups.setdefault(_settings_of(row), []).append(row)
    candidates: list[tuple[float, list[AccuracyRow]]] = []
    left_out: dict[str, list[str]] = {}
    for own in groups.values():
        if reason := _why_none(own):
            left_out.setdefault(reason, []).append(own[0].variant)
        else:
            candidates.append((_mean(own), own))
    if len(groups) == 1 and UNKNOWN in left_out:  # nothing to choose between
        return BestRow(rows[0], (f"{rows[0].variant}, seed {rows[0].seed}, from {folder}: the only settings there",))
    reasons = [f"{_shortened(list(dict.fromkeys(those)))} ({reason})" for reason, those in left_out.items()]
    if not candidates:
        raise InputError(
            f"no settings in {folder} can be chosen: {'; '.join(reasons)}; name one variant, or measure them again "
            "with zoo bench --force"
        )
    skill, best = max(candidates, key=lambda candidate: candidate[0])
    seeds = {seed: _mean([row for row in best if row.seed == seed]) for seed in dict.fromkeys(row.seed for row in best)}
    seed = max(seeds, key=lambda each: seeds[each])
    row = next(row for row in best if row.seed == seed)
    percent = f"{round(100 * skill, 2) + 0.0:+.2f} %"  # + 0.0: no -0.00
    note = (
        f"{row.variant}, seed {seed}, from {folder}: the highest skill on validation rows ({percent}, mean of "
        f"{len(best)}) of {len(candidates)} settings; test rows decided nothing"
    )
    return BestRow(row, (note, *([f"not considered: {'; '.join(reasons)}"] if reasons else [])))


def suite_settings(row: AccuracyRow, source: str | None = None) -> dict[str, Any]:
    """The settings of a suite that trains a row's model again: on its own data, or on those of another source.

    Of another source the split has the same shares; on its own data it has the same rows, whatever came after them.
    """
    data, problem = row.data, row.problem
    split: list[Any] = list(problem.split_of_each or problem.split)
    whole = {name: getattr(data, name) for name in (*READING, "missing", "outliers")}
    if source is not None:
        whole["test"] = None
        if not problem.split_of_each:
            split = shares_of(problem.split)
    return {
        "name": row.suite,
        "data": {**_given(whole), "source": source or data.source}
        | ({"channels": list(problem.channels)} if problem.classes else _columns_of(row)),
        "problem": {
            "horizon": problem.horizon,
            "split": split,
            "scaler": problem.scaler,
            "normalise": problem.normalise,
            "quantiles": list(problem.quantiles),
            "conformal": problem.is_conformal,
            "adaptive": problem.is_adaptive,
            "direction": problem.flat or problem.task == "direction",
            "calendar": list(problem.calendar),
            "known": list(problem.known),
        }
        | ({} if problem.classes else {"lookback": problem.lookback}),
        "run": {"models": [row.variant], "seeds": [row.seed]},
        "fit": dict(row.fit or {}),
        "models": {row.variant: {key: list(v) if isinstance(v, tuple) else v for key, v in row.params.items()}},
    }


def shares_of(split: tuple[int, int, int]) -> list[float]:
    """The shares of a split in rows; of as many rows they give the same split."""
    rows, train, before_test = sum(split), split[0], split[0] + split[1]
    first, second = (math.ceil(1e9 * count / rows) / 1e9 for count in (train, before_test))
    return [first, round(second - first, 9), round(1 - second, 9)]


def _columns_of(row: AccuracyRow) -> dict[str, Any]:
    return {"channels": list(row.problem.channels), "targets": list(row.problem.targets)}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return {name: value for name, value in plain.items() if value is not None}


def _problem_of(row: AccuracyRow) -> tuple[Any, ...]:
    """What rows must share to be compared on the same validation rows."""
    data = tuple(getattr(row.data, name) for name in SAME_DATA)
    return (*data, *(getattr(row.problem, name) for name in SAME_PROBLEM))


def _problem_text(row: AccuracyRow) -> str:
    split = "/".join(map(str, row.problem.split))
    what = f"{', '.join(row.problem.targets)} of {Path(row.data.source).name}"
    levels = f", quantiles {'/'.join(map(str, row.problem.quantiles))}" if row.problem.quantiles else ""
    return f"{row.problem.task} of {what}, {row.problem.horizon} ahead{levels}, split {split}"


def _settings_of(row: AccuracyRow) -> str:
    """All that a row has in common with those of its other seeds and folds, as text."""
    fields = row.model_dump(mode="json", include={"variant", "params", "fit", "problem", "device"})
    fields["problem"].pop("fold", None)
    cleaning = row.data.missing, row.data.outliers
    return json.dumps([fields, cleaning, row.tuning is not None, row.code and row.code.sha256], sort_keys=True)


def _why_none(rows: Sequence[AccuracyRow]) -> str | None:
    """Why settings are no candidate; None where they are one."""
    first = rows[0]
    if any(row.error is not None for row in rows):
        return "a run failed"
    if not is_registered(first.variant):
        return "the variant is not loaded: name its file"
    if first.code is None or first.code.sha256 != variant(first.variant).code.sha256:
        return "its code has changed since"
    if any(row.valid_skill is None for row in rows):
        return UNKNOWN
    return None


def _shortened(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _mean(rows: Sequence[AccuracyRow]) -> float:
    return statistics.fmean(row.valid_skill for row in rows if row.valid_skill is not None)
