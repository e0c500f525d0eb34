"""Evidence: each line's skill interval, and tests of whether it differs from naive and from the best line."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from zoo.report.board import Board, boards, value_of
from zoo.run.predictions import Stored, stored
from zoo.stats.accuracy import diebold_mariano
from zoo.stats.intervals import skill_interval
from zoo.stats.timings import holm


def judged(frame: pd.DataFrame) -> list[Board]:
    """The boards of a frame of results, their lines with intervals and tests where predictions are stored."""
    return [_with_evidence(board) for board in boards(frame)]


def stored_of(run: pd.Series) -> Stored | None:
    """The predictions that are stored beside a row; None where there are none, or damaged ones."""
    return stored(Path(run["folder"]), value_of(run, "predictions"), value_of(run, "truth"))


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
    """The board with each line's skill interval, and its p-values against naive and against the best line.

    Losses are those that skill is made of: squared errors, averaged over a window's steps and targets (and over
    the line's seeds, for the tests). Both p-values are Diebold and Mariano's after Holm's correction over the lines
    of the board; 1 where losses are equal everywhere, or differ the other way than skill does (a mean over seeds of
    rmse need not order as the mean of losses). A line without predictions of all its rows has none; where no line has
    any, `untested` says why.
    """
    pairs = {line.label: pair for line in board.lines if (pair := losses_of(line.runs)) is not None}
    naive = next((other for _, other in pairs.values()), np.empty(0))
    losses = {label: own for label, (own, other) in pairs.items() if np.array_equal(other, naive)}
    tested = [line for line in board.lines if line.label in losses and not line.is_naive]
    if not tested:
        return replace(board, untested="no usable predictions are stored")
    means = {label: own.mean(axis=0) for label, own in losses.items()}
    is_ahead = {line.label: line.skill is not None and line.skill.mean > 0 for line in tested}
    p_naive = _p_values({label: (means[label], naive, ahead) for label, ahead in is_ahead.items()}, board.horizon)
    best, *rivals = is_ahead  # lines stand best skill first
    p_best = _p_values({label: (means[label], means[best], False) for label in rivals}, board.horizon)
    lines = [
        replace(
            line,
            interval=skill_interval(losses[line.label], naive, horizon=board.horizon) if line in tested else None,
            p_naive=p_naive.get(line.label),
            p_best=p_best.get(line.label),
        )
        for line in board.lines
    ]
    few = "" if p_naive else f"{len(naive)} test windows are too few for a horizon of {board.horizon}"
    return replace(board, lines=tuple(lines), untested=few)


def loss_p(losses: np.ndarray, other: np.ndarray, is_ahead: bool, horizon: int) -> float | None:
    """The p-value of equal losses [n]; 1 where they are lower and yet not `is_ahead`, or the other way round."""
    test = diebold_mariano(losses, other, horizon=horizon)
    return None if test is None else test[1] if (test[0] < 0) == is_ahead else 1.0


def _p_values(pairs: Mapping[str, tuple[np.ndarray, np.ndarray, bool]], horizon: int) -> dict[str, float]:
    """Holm's p of each (losses, other losses, whether skill is the better); what cannot be tested is missing."""
    raw: dict[str, float] = {}
    for label, (own, other, is_ahead) in pairs.items():
        p = 1.0 if np.array_equal(own, other) else loss_p(own, other, is_ahead, horizon)
        if p is not None:
            raw[label] = p
    return dict(zip(raw, holm(list(raw.values())), strict=True))
