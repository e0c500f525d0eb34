"""Tables: a board as a header and cells of text, the same for the terminal, Markdown, LaTeX and the page."""

from zoo.report.board import Board, Line, Spread, spread_of, value_of
from zoo.report.folds import SKILLS
from zoo.report.text_table import Text, TextTable, table_of

INTERVAL, MAY_BE_BEST = "interval", "best?"  # after skill, where predictions are stored
BEST = {
    "rmse": min, "mae": min, "r2": max, "crps": min, "winkler": min, "brier": min, "log_loss": min, "accuracy": max,
    "balanced_accuracy": max, "roc_auc": max, "skill": max,
}  # fmt: skip


def accuracy_table(board: Board) -> TextTable:
    """One line per variant: accuracy as mean ± standard deviation over seeds, and what it cost."""
    best = {metric: _best(board, metric) for metric in BEST}
    lines: list[dict[str, str | Text]] = []
    for line in board.lines:
        seconds = line.spread("train_seconds")
        cells: dict[str, str | Text] = {
            "variant": line.label,
            **_accuracy(board, line, best),
            "skill %": Text(skill_percent(line), line.label in best["skill"]),
        }
        if board.is_tested:
            best_text = "-" if line.p_best is None else "maybe" if line.may_be_best else "no"
            cells |= {INTERVAL: interval_text(line.interval), MAY_BE_BEST: best_text}
        cells |= {
            "seeds": _seeds(line),
            "parameters": _whole(line.spread("parameter_count")),
            "train s": "-" if seconds is None else f"{seconds.mean:.2f}",
        }
        if board.tuned:
            cells["tuning s"] = tuning_seconds(line) if line.is_tuned else "-"
        lines.append(cells)
    return table_of(lines, [line.is_baseline for line in board.lines])


def _accuracy(board: Board, line: Line, best: dict[str, set[str]]) -> dict[str, str | Text]:
    if board.task == "quantile":
        return _of_quantiles(line, best)
    if board.task == "direction":
        return _of_directions(line, best)
    return _of_points(line, best, with_r2=board.folds == 1)


def _of_directions(line: Line, best: dict[str, set[str]]) -> dict[str, str | Text]:
    spreads = {name: line.spread(name) for name in ("accuracy", "balanced_accuracy")}
    percents = {name: spread.percent if spread is not None else None for name, spread in spreads.items()}
    return {
        "brier": Text(figure(line.spread("brier")), line.label in best["brier"]),
        "log loss": Text(figure(line.spread("log_loss")), line.label in best["log_loss"]),
        "accuracy %": Text(figure(percents["accuracy"], decimals=1), line.label in best["accuracy"]),
        "balanced %": Text(figure(percents["balanced_accuracy"], decimals=1), line.label in best["balanced_accuracy"]),
        "auc": Text(figure(line.spread("roc_auc"), decimals=3), line.label in best["roc_auc"]),
    }


def _of_points(line: Line, best: dict[str, set[str]], *, with_r2: bool) -> dict[str, str | Text]:
    r2 = {"r2": Text(figure(line.spread("r2"), decimals=5), line.label in best["r2"])}
    return {
        "rmse": Text(figure(line.spread("rmse")), line.label in best["rmse"]),
        "mae": Text(figure(line.spread("mae")), line.label in best["mae"]),
        **(r2 if with_r2 else {}),
    }


def _of_quantiles(line: Line, best: dict[str, set[str]]) -> dict[str, str | Text]:
    coverage = line.spread("coverage")
    return {
        "crps": Text(figure(line.spread("crps")), line.label in best["crps"]),
        "coverage %": figure(coverage.percent if coverage is not None else None, decimals=1),
        "width": figure(line.spread("width")),
        "winkler": Text(figure(line.spread("winkler")), line.label in best["winkler"]),
        "rmse": Text(figure(line.spread("rmse")), line.label in best["rmse"]),
    }


def target_table(board: Board) -> TextTable | None:
    """With several targets: each one's error in its own units, one line per variant; else None."""
    if len(board.targets) < 2:
        return None
    lines = [
        {
            f"{board.error} of": line.label,
            **{name: figure(line.spread(f"targets.{name}.{board.error}")) for name in board.targets},
        }
        for line in board.lines
    ]
    return table_of(lines, [line.is_baseline for line in board.lines])


def fold_table(board: Board) -> TextTable | None:
    """With several folds: the skill of each line in each of them, the mean over its seeds; else None."""
    if board.folds == 1:
        return None
    lines = []
    for line in board.lines:
        skills = [fold_skills(line, number) for number in range(board.folds)]
        cells = {f"fold {number}": figure(each, decimals=2, sign=True) for number, each in enumerate(skills, start=1)}
        lines.append({"skill % of": line.label, **cells})
    return table_of(lines, [line.is_baseline for line in board.lines])


def fold_skills(line: Line, number: int) -> Spread | None:
    """The skill in percent of a line in a fold, over its seeds."""
    values = [skills[number] for skills in line.runs[SKILLS]] if SKILLS in line.runs else []
    spread = spread_of(values)
    return spread.percent if spread is not None else None


def figure(spread: Spread | None, *, decimals: int | None = None, sign: bool = False) -> str:
    """Mean ± deviation; by default with five digits of the mean. A dash where there is nothing."""
    if spread is None:
        return "-"
    values = [spread.mean] + ([spread.deviation] if spread.deviation is not None else [])
    if decimals is None and abs(spread.mean) >= 1e6:
        exponent = len(str(int(abs(spread.mean)))) - 1
        return " ± ".join(f"{value / 10**exponent:.4f}e{exponent}" for value in values)
    if decimals is None:
        digits = len(str(int(abs(spread.mean)))) if abs(spread.mean) >= 1 else 0
        decimals = max(0, 5 - digits)
    values[0] = round(spread.mean, decimals) + 0.0  # no minus before a zero
    return f"{values[0]:{'+' * sign}.{decimals}f}" + "".join(f" ± {value:.{decimals}f}" for value in values[1:])


def skill_percent(line: Line) -> str:
    """The skill of a line in percent, mean ± deviation over seeds."""
    return figure(line.skill.percent if line.skill is not None else None, decimals=2, sign=True)


def tuning_seconds(line: Line) -> str:
    """Seconds of all trials of a tuned line."""
    return f"{value_of(line.first, 'tuning.cost.seconds'):,.0f}"


def p_value(p: float | None) -> str:
    """A p-value with three decimals, a dash where there is none."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def interval_text(interval: tuple[float, float] | None) -> str:
    """An interval of shares in percent."""
    if interval is None:
        return "-"
    low, high = (round(100 * end, 2) + 0.0 for end in interval)
    return f"{low:+.2f} to {high:+.2f}"


def _whole(spread: Spread | None) -> str:
    return "-" if spread is None else f"{spread.mean:,.0f}"


def _seeds(line: Line) -> str:
    ended = "-" if line.is_deterministic else str(len(line.runs))
    return f"{ended} ({len(line.failed)} failed)" if len(line.failed) else ended


def _best(board: Board, metric: str) -> set[str]:
    """Labels of the lines whose mean is the best, of those without failed runs; all that share it to nine digits."""
    lines = [line for line in board.lines if line.is_complete]
    means = {line.label: spread.mean for line in lines if (spread := line.spread(metric)) is not None}
    best = BEST[metric](means.values(), default=0.0)
    return {label for label, mean in means.items() if abs(mean - best) <= 1e-9 * max(1.0, abs(best))}
