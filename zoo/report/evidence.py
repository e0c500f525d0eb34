"""Evidence: each line's interval of skill, and whether it may be the best line of its board."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from zoo.report.board import MINIMUM_SKILL, Board, boards, value_of
from zoo.run.predictions import Stored, joined, stored
from zoo.stats.best_set import best_set_p
from zoo.stats.intervals import skill_interval, table_level


def judged(frame: pd.DataFrame, *, minimum_skill: float = MINIMUM_SKILL) -> list[Board]:
    """The boards of a frame of results, their lines with evidence where predictions are stored.

    minimum_skill: a skill below it does not matter, however certain it is.
    """
    return [_with_evidence(replace(board, minimum_skill=minimum_skill)) for board in boards(frame)]


def stored_of(run: pd.Series) -> Stored | None:
    """The predictions that are stored beside a row, of all its folds; None where there are none, or damaged ones."""
    folder, names = Path(run["folder"]), (run["predictions"], run["truth"])
    if not isinstance(names[0], tuple):
        return stored(folder, value_of(run, "predictions"), value_of(run, "truth"))
    parts = [stored(folder, *files) for files in zip(*names, strict=True)]
    return joined([part for part in parts if part is not None]) if all(parts) else None


def losses_of(runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """(losses [S, n] of the rows, those of naive [n]); None where a row has no predictions or other windows."""
    losses: list[np.ndarray] = []
    naive = None
    for _, run in runs.iterrows():
        predictions = stored_of(run)
        own_losses = predictions.losses() if predictions is not None else None
        if predictions is None or own_losses is None or (losses and len(losses[0]) != len(own_losses)):
            return None
        losses.append(own_losses)
        naive = predictions.naive_losses()
    return None if naive is None else (np.stack(losses), naive)


def _with_evidence(board: Board) -> Board:
    """The board with the skill interval of each line but naive, and the risk at which each line leaves the best set.

    Losses are those that skill is made of: squared errors, averaged over a window's steps and targets. A line with
    failed runs, or without predictions of all its rows, has neither; where no line has any, `untested` says why.
    """
    complete = [line for line in board.lines if line.is_complete]
    pairs = {line.label: pair for line in complete if (pair := losses_of(line.runs)) is not None}
    naive = next((other for _, other in pairs.values()), np.empty(0))
    losses = {label: own for label, (own, other) in pairs.items() if np.array_equal(other, naive)}
    rivals = [line for line in complete if line.label in losses and not line.is_naive]
    if not rivals:
        return replace(board, untested="no usable predictions are stored")
    how = {"is_squared": board.task.is_squared}
    p_values = best_set_p([naive[None], *(losses[line.label] for line in rivals)], horizon=board.horizon, **how)
    if p_values is None:
        few = f"{len(naive)} test windows are too few for a horizon of {board.horizon}"
        return replace(board, untested=few)
    level, p_best = table_level(len(rivals)), dict(zip([line.label for line in rivals], p_values[1:], strict=True))
    lines = []
    for line in board.lines:
        if line.label in p_best:
            interval = skill_interval(losses[line.label], naive, horizon=board.horizon, level=level, **how)
            line = replace(line, interval=interval, p_best=p_best[line.label])
        elif line.is_naive and line.is_complete:
            line = replace(line, p_best=p_values[0])
        lines.append(line)
    return replace(board, lines=tuple(lines))
