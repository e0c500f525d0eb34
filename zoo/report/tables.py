"""Tables: a board as a header and cells of text, the same for the terminal, Markdown, LaTeX and the page."""

from zoo.report.board import Board, Line, Spread, spread_of, value_of
from zoo.report.folds import SKILLS
from zoo.report.task import Column
from zoo.report.text_table import Text, TextTable, table_of

INTERVAL, MAY_BE_BEST = "interval", "best?"  # after skill, where predictions are stored
SKILL = Column("skill %", "skill", "max", 2, is_percent=True)


def accuracy_table(board: Board) -> TextTable:
    """One line per variant: accuracy as mean ± standard deviation over seeds, and what it cost."""
    columns = [column for column in board.task.columns if board.folds == 1 or column.is_pooled]
    best = {column.metric: _best(board, column) for column in (*columns, SKILL)}
    lines: list[dict[str, str | Text]] = []
    for line in board.lines:
        seconds = line.spread("train_seconds")
        cells: dict[str, str | Text] = {
            "variant": line.label,
            **{each.title: Text(_figure(line, each), line.label in best[each.metric]) for each in columns},
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


def _figure(line: Line, column: Column) -> str:
    spread = line.spread(column.metric)
    return figure(spread.percent if spread is not None and column.is_percent else spread, decimals=column.decimals)


def target_table(board: Board) -> TextTable | None:
    """With several targets: each one's error in its own units, one line per variant; else None."""
    if len(board.targets) < 2:
        return None
    lines = [
        {
            f"{board.task.error} of": line.label,
            **{name: figure(line.spread(f"targets.{name}.{board.task.error}")) for name in board.targets},
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


def _best(board: Board, column: Column) -> set[str]:
    """Labels of the lines whose mean is the best, of those without failed runs; all that share it to nine digits."""
    if not column.best:
        return set()
    lines = [line for line in board.lines if line.is_complete]
    means = {line.label: spread.mean for line in lines if (spread := line.spread(column.metric)) is not None}
    best = (max if column.best == "max" else min)(means.values(), default=0.0)
    return {label for label, mean in means.items() if abs(mean - best) <= 1e-9 * max(1.0, abs(best))}
