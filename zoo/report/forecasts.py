"""The test forecasts of a board as one wide table: a row for each step to forecast, a column for each variant."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from zoo.data.moves import MOVES
from zoo.errors import InputError
from zoo.report.board import Board
from zoo.report.evidence import stored_of
from zoo.run.predictions import Stored


def forecasts_frame(board: Board) -> pd.DataFrame:
    """Actual values beside every line's forecast, the mean over its seeds.

    Columns: series (where there are several), row (of the step in the data), time (where each forecast is of one step
    and the data have times), step and target (where there are several), actual, naive, and a column for each line; of
    quantiles also LABEL_q10, ...; of directions the probability of a rise; of moves the mean move, with LABEL_down,
    LABEL_flat and LABEL_up. Of sequences that were classified: case, actual, and each line's class by its mean
    probabilities.

    Raises InputError where no predictions are stored.
    """
    lines = {line.label: _mean_of(line.runs) for line in board.lines}
    stored = {label: each for label, each in lines.items() if each is not None}
    if not stored:
        raise InputError(f"no forecasts of '{board.title}' are stored beside its rows: run zoo bench again")
    first = next(iter(stored.values()))
    stored = {label: each for label, each in stored.items() if np.array_equal(each.truth, first.truth)}
    if board.classes:
        classes = np.array(board.classes)
        names = first.cases if first.cases is not None else first.target_row
        chosen = {label: classes[each.forecast[:, 0].argmax(axis=1)] for label, each in stored.items()}
        return pd.DataFrame({"case": names, "actual": classes[first.truth[:, 0].argmax(axis=1)], **chosen})
    count, steps, targets = first.truth.shape
    window, step, target = (part.ravel() for part in np.indices((count, steps, targets)))
    columns: dict[str, Any] = {}
    if first.series is not None:
        columns["series"] = np.array(first.series_names)[first.series[window]]
    columns["row"] = first.target_row[window] + step
    if first.time is not None and steps == 1:  # of later steps the times are not stored
        columns["time"] = first.time[window]
    columns |= {"step": step + 1} if steps > 1 else {}
    columns |= {"target": np.array(board.targets)[target]} if targets > 1 else {}
    columns |= {"actual": first.truth.ravel(), "naive": first.naive_points().ravel()}
    for label, each in stored.items():
        columns[label] = each.forecast.ravel()
        for place, level in enumerate(each.levels if each.quantiles is not None else ()):
            if level != 0.5 and each.quantiles is not None:
                columns[f"{label}_q{100 * level:g}"] = each.quantiles[..., place].ravel()
        for place, name in enumerate(MOVES if each.moves is not None else ()):
            columns[f"{label}_{name}"] = np.asarray(each.moves)[..., place].ravel()
    return pd.DataFrame(columns)


def _mean_of(runs: pd.DataFrame) -> Stored | None:
    """The stored predictions of a line, whose forecasts are means over seeds; None where a seed's are missing."""
    every = [stored_of(run) for _, run in runs.iterrows()]
    parts = [each for each in every if each is not None]
    if not parts or len(parts) < len(every):
        return None
    names = [name for name in ("forecast", "quantiles", "moves") if getattr(parts[0], name) is not None]
    return replace(parts[0], **{name: np.mean([getattr(each, name) for each in parts], axis=0) for name in names})
