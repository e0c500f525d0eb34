"""Tables: a board as a header and cells of text, the same for the terminal and for Markdown."""

from collections.abc import Callable
from dataclasses import replace

from zoo.report.board import Board, Line, Spread
from zoo.report.gain import gains, points
from zoo.report.text_table import Text, TextTable

HEADER = ("variant", "rmse", "mae", "r2", "skill %", "seeds", "parameters", "train s", "windows/s")
INTERVAL, P_NAIVE = "95 % interval", "p"  # of skill, after it, where predictions are stored


def accuracy_table(board: Board) -> TextTable:
    """One line per variant: accuracy as mean ± standard deviation over seeds, and what it cost."""
    is_tested = any(line.p_naive is not None for line in board.lines)
    best = {
        "rmse": _best(board, "rmse", min),
        "mae": _best(board, "mae", min),
        "r2": _best(board, "r2", max),
        "skill": _best(board, "skill", max),
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
                *([Text(_interval(line)), Text(p_value(line.p_naive))] if is_tested else []),
                Text(_seeds(line)),
                Text(whole(line.field("parameter_count"))),
                Text(figure(line.field("train_seconds"), decimals=2, with_spread=False)),
                Text(whole(line.field("windows_per_second"))),
            )
        )
    place = HEADER.index("skill %") + 1
    header = (*HEADER[:place], *((INTERVAL, P_NAIVE) if is_tested else ()), *HEADER[place:])
    table = TextTable(header, tuple(rows), tuple(line.is_baseline for line in board.lines))
    if all(line.tuning is None for line in board.lines):
        return table
    spent = tuple(Text(_tuning_seconds(line)) for line in board.lines)
    return replace(
        table,
        header=(*header, "tuning s"),
        rows=tuple((*row, seconds) for row, seconds in zip(table.rows, spent, strict=True)),
    )


def tuning_table(board: Board) -> TextTable | None:
    """Default and tuned skill side by side, the gain, and what tuning cost; None where nothing is tuned."""
    found = gains(board)
    if not found:
        return None
    rows = []
    for gain in found:
        cost = gain.tuned.tuning
        assert cost is not None
        rows.append(
            (
                Text(gain.tuned.variant),
                Text(_skill(gain.default)),
                Text(_skill(gain.tuned)),
                Text(points(gain.gain), gain.is_more_than_noise),
                Text(str(cost["trials"])),
                Text(str(cost["pruned"])),
                Text(str(cost["failed"])),
                Text(_tuning_seconds(gain.tuned)),
            )
        )
    header = ("variant", "default skill %", "tuned skill %", "gain", "trials", "pruned", "failed", "tuning s")
    return TextTable(header, tuple(rows), tuple(gain.tuned.is_baseline for gain in found))


def target_table(board: Board) -> TextTable | None:
    """With several targets: each one's rmse in its own units, one line per variant; else None."""
    targets = board.problem["targets"]
    if len(targets) < 2:
        return None
    rows = tuple(
        (Text(line.label), *(Text(figure(line.metric("rmse", target))) for target in targets)) for line in board.lines
    )
    return TextTable(("rmse of", *targets), rows, tuple(line.is_baseline for line in board.lines))


def figure(spread: Spread | None, *, decimals: int | None = None, sign: bool = False, with_spread: bool = True) -> str:
    """Mean ± deviation; by default with five digits of the mean. A dash where there is nothing."""
    if spread is None:
        return "-"
    if decimals is None and abs(spread.mean) >= 1e6:
        exponent = len(str(int(abs(spread.mean)))) - 1
        parts = [spread.mean] + ([spread.deviation] if with_spread and spread.deviation is not None else [])
        return " ± ".join(f"{part / 10**exponent:.4f}e{exponent}" for part in parts)
    if decimals is None:
        digits = len(str(int(abs(spread.mean)))) if abs(spread.mean) >= 1 else 0
        decimals = max(0, 5 - digits)
    mean = round(spread.mean, decimals) + 0.0  # no minus before a zero
    text = f"{mean:{'+' if sign else ''}.{decimals}f}"
    if with_spread and spread.deviation is not None:
        text += f" ± {spread.deviation:.{decimals}f}"
    return text


def whole(spread: Spread | None) -> str:
    """The mean as a whole number with thousands apart."""
    return "-" if spread is None else f"{spread.mean:,.0f}"


def _skill(line: Line | None) -> str:
    return "-" if line is None else figure(_hundredfold(line.metric("skill")), decimals=2, sign=True)


def p_value(p: float | None) -> str:
    """A p-value with three decimals, a dash where there is none."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _interval(line: Line) -> str:
    if line.interval is None:
        return "-"
    low, high = (round(100 * end, 2) + 0.0 for end in line.interval)
    return f"{low:+.2f} to {high:+.2f}"


def _tuning_seconds(line: Line) -> str:
    return "-" if line.tuning is None else f"{line.tuning['seconds']:,.0f}"


def _hundredfold(spread: Spread | None) -> Spread | None:
    if spread is None:
        return None
    return Spread(100 * spread.mean, None if spread.deviation is None else 100 * spread.deviation, spread.count)


def _seeds(line: Line) -> str:
    ended = "-" if line.is_deterministic else str(len(line.rows))
    return f"{ended} ({len(line.failed)} failed)" if line.failed else ended


def _best(board: Board, name: str, choose: Callable[..., float]) -> set[str]:
    """Labels of the lines whose mean is the best; lines that share it to nine digits share the honour."""
    means = {line.label: spread.mean for line in board.lines if (spread := line.metric(name)) is not None}
    if not means:
        return set()
    best = choose(means.values())
    return {label for label, mean in means.items() if abs(mean - best) <= 1e-9 * max(1.0, abs(best))}
