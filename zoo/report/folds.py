"""Folds: the runs of a line on each block of the test part become one run over all of it."""

import math
from typing import Any

import numpy as np
import pandas as pd

from zoo.data.split import Fold, Split, split_of_fold
from zoo.metrics import DIRECTION_METRICS, METRICS, MOVE_METRICS, QUANTILE_METRICS

SUMS = ("train_seconds", "epochs")
SKILLS = "fold_skills"  # of a pooled run: the skill in each fold, oldest first


def folds_of(runs: pd.DataFrame) -> int:
    """Blocks that the test part of these rows is cut into."""
    return int(runs["folds"].iloc[0]) if "folds" in runs and runs["folds"].notna().all() else 1


def pooled(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of one line, one for each seed over all folds.

    A seed of which a fold failed has the row of that fold, with its error; one of which a fold is missing has none.
    Errors are means over folds, weighted by their windows (those that a filled target leaves out still count); skill
    is that of the pooled errors; r2 needs all of them and is left out. predictions and truth are the tuples of the
    folds' files, in time order.
    """
    count = folds_of(runs)
    if count == 1 or runs.empty:
        return runs
    runs = runs.assign(fold=runs.get("fold", pd.Series(0, index=runs.index)).fillna(0).astype(int))
    rows = []
    for _, own in runs.sort_values("fold").groupby("seed", sort=False):
        failed = own[own["error"].notna()]
        if len(failed):
            row = failed.iloc[0].to_dict()
            rows.append({**row, "error": f"fold {row['fold'] + 1} of {count}: {row['error']}"})
        elif list(own["fold"]) == list(range(count)):
            rows.append(_over_folds(own, count))
    frame = pd.DataFrame(rows, columns=[*runs.columns, SKILLS]).astype({"error": object})
    return frame.where(frame.notna() | frame.columns.isin([SKILLS]), None) if rows else frame


def _over_folds(own: pd.DataFrame, count: int) -> dict[str, Any]:
    row = own.iloc[0].to_dict()
    train, valid, test = row["split"]
    whole = Split(train, train + valid, train + valid + test)
    parts = [split_of_fold(whole, Fold(number, count)) for number in range(count)]
    lost = (row["horizon"] - 1) * (value if (value := row.get("data.series_count")) and value == value else 1)
    weights = np.array([part.test_end - part.valid_end - lost for part in parts], dtype=float)
    weights /= weights.sum()
    prefixes = ["", *sorted({name.rsplit(".", 1)[0] + "." for name in own if name.startswith("targets.")})]
    for prefix in prefixes:
        row |= {prefix + name: value for name, value in _metrics(own, prefix, weights).items()}
    row |= {name: own[name].sum() for name in SUMS if own[name].notna().all()}
    row |= {name: tuple(own[name]) for name in ("predictions", "truth")}
    return {**row, SKILLS: tuple(own["skill"])}


def _metrics(own: pd.DataFrame, prefix: str, weights: np.ndarray) -> dict[str, float | None]:
    """The metrics of all folds together; those of targets have a prefix."""

    def mean(values: pd.Series | np.ndarray) -> float | None:
        numbers = np.asarray(values, dtype=float)
        return float(weights @ numbers) if np.isfinite(numbers).all() else None

    every = dict.fromkeys((*METRICS, *QUANTILE_METRICS, *DIRECTION_METRICS, *MOVE_METRICS))
    present = [name for name in every if prefix + name in own]
    values: dict[str, float | None] = {name: mean(own[prefix + name]) for name in present}
    mse = values["mse"]
    values |= {"r2": None, "rmse": None if mse is None else math.sqrt(mse)}
    name = next((name for name in ("crps", "brier", "rps") if values.get(name) is not None), "rmse")
    error = own[prefix + name].astype(float)
    rest = 1 - own[prefix + "skill"].astype(float)
    naive = mean((error / rest.where(rest > 0)) ** (2 if name == "rmse" else 1))
    if naive is None or naive <= 0:
        values["skill"] = None
    elif name == "rmse":
        values["skill"] = 1 - math.sqrt((mse or 0.0) / naive)
    else:
        values["skill"] = 1 - (values[name] or 0.0) / naive
    return values
