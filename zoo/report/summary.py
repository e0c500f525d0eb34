"""The summary of boards: their figures as plain values for JSON, and as a table for CSV."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from zoo.metrics import METRICS
from zoo.report.board import PROBLEM, Board, Line, Spread, value_of, values_under
from zoo.report.verdict import beats_naive
from zoo.stats.intervals import mean_interval

COST = ("parameter_count", "train_seconds", "epochs", "best_epoch")


def summary(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Boards as plain values for JSON: each line's means and deviations over seeds, with the 95 % interval of the mean
    over them (low, high), and the evidence: its interval of skill, whether it beats naive, its p of being the best."""
    return [
        {
            "data": values_under(board.first, "data."),
            "problem": _problem(board),
            "lines": [_line(board, line) for line in board.lines],
        }
        for board in boards
    ]


def summary_frame(boards: Sequence[Board]) -> pd.DataFrame:
    """The summary as a table, a row for each line: rmse_mean, rmse_deviation, skill_interval_low, p_best, ..."""
    nothing = dict.fromkeys(("mean", "deviation", "low", "high"))
    rows = []
    for board in boards:
        where = {"data": board.source, "targets": " ".join(board.targets), "horizon": board.horizon}
        where |= {"lookback": board.lookback, "normalise": board.first["normalise"]}
        for line in (_line(board, line) for line in board.lines):
            spreads = {name: line[name] or nothing for name in (*METRICS, *board.task.metrics, *COST)}
            interval = dict(zip(("low", "high"), line["skill_interval"] or (None, None), strict=True))
            words = {"tags": " ".join(line["tags"]), "failed": len(line["failed"]), "skill_interval": interval}
            rows.append({**where, **line, **words, "tuning": (line["tuning"] or {}).get("cost.seconds"), **spreads})
    return pd.json_normalize(rows, sep="_")


def _problem(board: Board) -> dict[str, Any]:
    fields = {name: value_of(board.first, name) for name in PROBLEM}
    if board.levels:
        fields["quantiles"] = list(board.levels)
        fields |= {name: bool(value_of(board.first, name)) for name in ("is_conformal", "is_adaptive")}
    return {**fields, "lookback": board.lookback}


def _line(board: Board, line: Line) -> dict[str, Any]:
    return {
        "variant": line.label,
        "tags": list(line.first["tags"]),
        "tuning": values_under(line.first, "tuning.") if line.is_tuned else None,
        "seeds": len(line.runs),
        "failed": list(line.failed["error"]),
        **{name: _plain(line.spread(name)) for name in (*METRICS, *board.task.metrics)},
        "skill_interval": list(line.interval) if line.interval else None,
        "p_best": line.p_best,
        "beats_naive": beats_naive(board, line) if line.p_best is not None else None,
        **{name: _plain(line.spread(name)) for name in COST},
    }


def _plain(spread: Spread | None) -> dict[str, float | None] | None:
    if spread is None:
        return None
    low, high = None, None
    if spread.deviation is not None:
        low, high = mean_interval(spread.mean, spread.deviation, spread.count)
    return {"mean": spread.mean, "deviation": spread.deviation, "low": low, "high": high}
