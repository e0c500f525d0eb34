"""Tables: a board as a header and cells of text, the same for the terminal, Markdown and LaTeX."""

import re
from collections.abc import Callable
from dataclasses import replace

from zoo.report.board import Board, Line, Spread, value_of
from zoo.report.gain import gains, points
from zoo.report.text_table import Text, TextTable

HEADER = ("variant", "rmse", "mae", "r2", "skill %", "seeds", "parameters", "train s", "windows/s")
INTERVAL, P_NAIVE = "95 % interval", "p"  # of skill, after it, where predictions are stored
TUNING_HEADER = ("variant", "default skill %", "tuned skill %", "gain", "trials", "pruned", "failed", "tuning s")


def accuracy_table(board: Board) -> TextTable:
    """One line per variant: accuracy as mean ± standard deviation over seeds, and what it cost."""
    best = {
        name: _best(board, name, choose) for name, choose in (("rmse", min), ("mae", min), ("r2", max), ("skill", max))
    }
    rows = []
    for line in board.lines:
        rows.append(
            (
                Text(line.label),
                Text(figure(line.metric("rmse")), line.label in best["rmse"]),
                Text(figure(line.metric("mae")), line.label in best["mae"]),
                Text(figure(line.metric("r2"), decimals=5), line.label in best["r2"]),
                Text(_skill(line), line.label in best["skill"]),
                *([Text(interval_text(line.interval)), Text(p_value(line.p_naive))] if board.is_tested else []),
                Text(_seeds(line)),
                Text(_whole(line.field("parameter_count"))),
                Text(figure(line.field("train_seconds"), decimals=2, with_spread=False)),
                Text(_whole(line.field("windows_per_second"))),
            )
        )
    place = HEADER.index("skill %") + 1
    header = (*HEADER[:place], *((INTERVAL, P_NAIVE) if board.is_tested else ()), *HEADER[place:])
    if any(line.is_tuned for line in board.lines):
        header = (*header, "tuning s")
        rows = [(*row, Text(_tuning_seconds(line))) for row, line in zip(rows, board.lines, strict=True)]
    return TextTable(header, tuple(rows), tuple(line.is_baseline for line in board.lines))


def tuning_table(board: Board) -> TextTable | None:
    """Default and tuned skill side by side, the gain, and what tuning cost; None where nothing is tuned."""
    rows = []
    for gain in gains(board):
        counts = [str(value_of(gain.tuned.first, f"tuning.cost.{name}")) for name in ("trials", "pruned", "failed")]
        rows.append(
            (
                Text(gain.tuned.variant),
                Text(_skill(gain.default)),
                Text(_skill(gain.tuned)),
                Text(points(gain.gain), gain.is_more_than_noise),
                *map(Text, counts),
                Text(_tuning_seconds(gain.tuned)),
            )
        )
    baseline = tuple(gain.tuned.is_baseline for gain in gains(board))
    return TextTable(TUNING_HEADER, tuple(rows), baseline) if rows else None


def target_table(board: Board) -> TextTable | None:
    """With several targets: each one's rmse in its own units, one line per variant; else None."""
    if len(board.targets) < 2:
        return None
    rows = tuple(
        (Text(line.label), *(Text(figure(line.metric("rmse", target))) for target in board.targets))
        for line in board.lines
    )
    return TextTable(("rmse of", *board.targets), rows, tuple(line.is_baseline for line in board.lines))


def without_spreads(table: TextTable) -> TextTable:
    """The means alone, for a narrow terminal."""
    rows = tuple(tuple(Text(re.sub(r" ± \S+", "", cell.text), cell.is_best) for cell in row) for row in table.rows)
    return replace(table, rows=rows)


def figure(spread: Spread | None, *, decimals: int | None = None, sign: bool = False, with_spread: bool = True) -> str:
    """Mean ± deviation; by default with five digits of the mean. A dash where there is nothing."""
    if spread is None:
        return "-"
    values = [spread.mean] + ([spread.deviation] if with_spread and spread.deviation is not None else [])
    if decimals is None and abs(spread.mean) >= 1e6:
        exponent = len(str(int(abs(spread.mean)))) - 1
        return " ± ".join(f"{value / 10**exponent:.4f}e{exponent}" for value in values)
    if decimals is None:
        digits = len(str(int(abs(spread.mean)))) if abs(spread.mean) >= 1 else 0
        decimals = max(0, 5 - digits)
    values[0] = round(spread.mean, decimals) + 0.0  # no minus before a zero
    texts = [f"{value:.{decimals}f}" for value in values]
    return ("+" if sign and values[0] >= 0 else "") + " ± ".join(texts)


def p_value(p: float | None) -> str:
    """A p-value with three decimals, a dash where there is none."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def interval_text(interval: tuple[float, float] | None) -> str:
    """An interval of shares in percent."""
    if interval is None:
        return "-"
    low, high = (round(100 * end, 2) + 0.0 for end in interval)
    return f"{low:+.2f} to {high:+.2f}"


def _skill(line: Line | None) -> str:
    skill = None if line is None or line.skill is None else line.skill.times(100)
    return figure(skill, decimals=2, sign=True)


def _whole(spread: Spread | None) -> str:
    return "-" if spread is None else f"{spread.mean:,.0f}"


def _tuning_seconds(line: Line) -> str:
    return f"{value_of(line.first, 'tuning.cost.seconds'):,.0f}" if line.is_tuned else "-"


def _seeds(line: Line) -> str:
    ended = "-" if line.is_deterministic else str(len(line.runs))
    return f"{ended} ({len(line.failed)} failed)" if len(line.failed) else ended


def _best(board: Board, name: str, choose: Callable[..., float]) -> set[str]:
    """Labels of the lines whose mean is the best; lines that share it to nine digits are all named."""
    means = {line.label: spread.mean for line in board.lines if (spread := line.metric(name)) is not None}
    best = choose(means.values(), default=0.0)
    return {label for label, mean in means.items() if abs(mean - best) <= 1e-9 * max(1.0, abs(best))}
