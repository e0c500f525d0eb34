"""Words: why a candidate was chosen, in three sentences."""

import math

from zoo.cell import AccuracyRow
from zoo.report.board import Line
from zoo.selection.board import Board


def reasons(board: Board, pick: str, row: AccuracyRow, line: Line | None) -> list[str]:
    """The pick and how it did before the test part; what came near; and what to expect, from the test part."""
    entry, best = board.entries[pick], board.best()
    name, lowest = entry.candidate.label, board.entries[best].candidate.label
    tried = f"{len({each.candidate.variant for each in board.entries.values() if each.losses})} variants"
    gap = _percent(1 - _over(board.error(best), board.error(pick)))
    if name == "naive":
        first = f"Keep naive, which repeats the last value: none of {tried} was better by more than a standard error "
        first += "and 0.5 %."
        second = f"Before the test part the lowest error was that of {lowest}, {gap} below naive's."
        if best == pick:
            second = "Before the test part its error was the lowest."
    else:
        first = f"Take {name}, which sees {entry.candidate.lookback} steps: before the test part its error was "
        first += f"{_percent(1 - board.error(pick))} below that of naive."
        second = (
            f"Of {tried} {lowest} had the lowest error, {gap} below that of {name}, which is simpler and within one "
        )
        second += "standard error or 0.5 %."
        if best == pick:
            second = f"That is the lowest of {tried}."
            variant = entry.candidate.variant
            others = [name for name in board.complete() if board.entries[name].candidate.variant != variant]
            if others:  # the same variant with another lookback is no rival
                other = min(others, key=board.error)
                further = _percent(_over(board.error(other), board.error(pick)) - 1)
                second = f"{second[:-1]}; {board.entries[other].candidate.label} was next, {further} higher."
    return [first, second, _test_text(row, line)]


def _test_text(row: AccuracyRow, line: Line | None) -> str:
    if row.error is not None or row.metrics is None:
        return f"It failed on the test part: {row.error}."
    skill, error = row.metrics.skill, row.metrics.rmse
    text = f"On the test part, which played no part in the choice, its rmse is {error:.5g}" if error is not None else ""
    text = (
        text or f"On the test part, which played no part in the choice, its scaled mse is {row.metrics.scaled_mse:.5g}"
    )
    if row.variant != "naive" and skill is not None:
        text += f", its skill over naive {100 * skill:+.1f} %"
        interval = line.interval if line is not None else None
        if interval is not None:
            text += f" (interval {_percent(interval[0])} to {_percent(interval[1])})"
    return f"{text}; one training took {row.train_seconds:.1f} s."


def _over(error: float, other: float) -> float:
    """One error over another, 1 where that is none."""
    return error / other if other > 0 and math.isfinite(error) else 1.0


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
