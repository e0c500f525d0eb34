"""Evidence: what the stored forecasts of a board say about its skills, beyond the spread over seeds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zoo.report.board import Board, Line, Row, boards
from zoo.report.predictions import Load
from zoo.stats.accuracy import diebold_mariano
from zoo.stats.intervals import skill_interval
from zoo.stats.timings import holm

SIGNIFICANT = 0.05


def judged(rows: Sequence[Row], load: Load) -> list[Board]:
    """The boards of rows, their lines with intervals and tests where predictions are stored."""
    return [with_evidence(board, load) for board in boards(rows)]


def with_evidence(board: Board, load: Load) -> Board:
    """The board with each line's skill interval, and its p-values against naive and against the best line.

    Losses are those that skill is made of: squared errors, averaged over a window's steps and targets (and over
    the line's seeds, for the tests). Both p-values are Diebold and Mariano's after Holm's correction over the lines
    of the board; 1 where losses are equal everywhere, or differ the other way than skill does (a mean over seeds of
    rmse need not order as the mean of losses). A line without predictions of all its rows has none; where no line has
    any, `untested` says why.
    """
    found = {line.label: _losses(line, load) for line in board.lines}
    naive = next((losses[1] for losses in found.values() if losses is not None), None)
    known = {
        line.label: losses[0]
        for line in board.lines
        if (losses := found[line.label]) is not None and naive is not None and np.array_equal(losses[1], naive)
    }
    if naive is None or not known:
        return replace(board, untested="no usable predictions are stored")
    horizon = board.problem["horizon"]
    means = {label: losses.mean(axis=0) for label, losses in known.items()}
    others = [line.label for line in board.lines if line.label in known and not line.is_naive]
    best = next(iter(others), None)  # lines stand best skill first
    skills = {line.label: skill.mean for line in board.lines if (skill := line.metric("skill")) is not None}
    better = {label: skills.get(label, 0.0) > 0 for label in others}
    p_naive = _tested({label: means[label] for label in others}, naive, horizon, better)
    p_best: dict[str, float] = {}
    if best is not None:
        rivals = [label for label in others if label != best]
        p_best = _tested({label: means[label] for label in rivals}, means[best], horizon, dict.fromkeys(rivals, False))
    lines = []
    for line in board.lines:
        interval = None
        if line.label in others:
            interval = skill_interval(known[line.label], naive, horizon=horizon)
        lines.append(replace(line, interval=interval, p_naive=p_naive.get(line.label), p_best=p_best.get(line.label)))
    few = "" if p_naive else f"{len(naive)} test windows are too few for a horizon of {horizon}"
    return replace(board, lines=tuple(lines), untested=few)


def _losses(line: Line, load: Load) -> tuple[np.ndarray, np.ndarray] | None:
    """([S, n] of the line's rows, [n] of naive); None where a row has no predictions."""
    own, naive = [], None
    for row in line.rows:
        stored = load(row)
        losses = stored.losses() if stored is not None else None
        if stored is None or losses is None:
            return None
        naive = stored.naive_losses()
        own.append(losses)
    return (np.stack(own), naive) if naive is not None and len({len(one) for one in own}) == 1 else None


def _tested(
    losses: dict[str, np.ndarray], other: np.ndarray, horizon: int, better: dict[str, bool]
) -> dict[str, float]:
    """Holm's p of each against the other, `better` telling which way skill points; what cannot be tested is missing."""
    raw: dict[str, float] = {}
    for label, own in losses.items():
        if np.array_equal(own, other):
            raw[label] = 1.0
            continue
        found = diebold_mariano(own, other, horizon=horizon)
        if found is not None:
            raw[label] = found[1] if (found[0] < 0) == better[label] else 1.0
    return dict(zip(raw, holm(list(raw.values())), strict=True)) if raw else {}
