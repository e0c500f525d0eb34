"""Pictures of a board, the same as PNG beside a report and on the page: skill, trade-offs, forecasts, errors."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.report.board import Board, Line, stored_of, trades
from zoo.report.chart import Chart, Figure, Mark, Series, looks, png
from zoo.run.predictions import Stored
from zoo.stats.ranks import Ranking

PICTURES = {
    "skill": "skill of every seed against naive, with the 95 % interval over seeds and test windows",
    "trade": "rmse over training throughput, and the best trade-offs",
    "forecast": "the last forecasts of the best variant, one step ahead, and the actual values",
}
OURS = re.compile(rf"({'|'.join(PICTURES)})(-\d+)?\.png")
FAR, FAR_BASELINE = -0.2, -0.05  # skill: what is worse would squeeze the rest, so its value stands at the edge
MOST_POINTS = 2000  # of a line over time: more are thinned evenly
LAST = 120  # windows of the test part that the PNG of forecasts shows
MOST_TARGETS = 4  # panels of that PNG
RANKS = "critical-difference.png"
ACTUAL, NAIVE = "actual", "naive (the value before)"
TOGGLE = "Of each variant's first seed. Click a name in the legend to show or hide it, double-click to see it alone."


def draw_boards(boards: Sequence[Board], folder: Path) -> list[str]:
    """Write the PNG files of each board and return their names, `skill.png`, of a second board `skill-2.png`.

    Files of such names from an earlier run that no board needs any more are deleted.
    """
    drawn = []
    for number, board in enumerate(boards, start=1):
        best = dict(list(first_seeds(board).items())[:1])
        panels: dict[str, Figure] = {
            "skill": [[chart] for chart in [skill(board)] if chart is not None],
            "trade": [[chart] for chart in [trade(board)] if chart is not None],
            "forecast": [[chart] for chart in forecasts(board, best, last=LAST)[:MOST_TARGETS]],
        }
        for name, figure in panels.items():
            if figure:
                drawn.append(picture_name(name, number))
                png(figure, folder / drawn[-1])
    for path in folder.glob("*.png"):
        if OURS.fullmatch(path.name) and path.name not in drawn:
            path.unlink()
    return drawn


def picture_name(name: str, number: int) -> str:
    """The file of a board's picture; number counts boards from 1."""
    return f"{name}.png" if number == 1 else f"{name}-{number}.png"


def draw_ranks(ranking: Ranking, path: Path) -> None:
    """Write the chart of mean ranks."""
    png([[ranks(ranking)]], path)


def skill(board: Board) -> Chart | None:
    """The skill of every seed as a dot, with the 95 % interval of the mean over seeds and test windows."""
    lines = [line for line in board.lines if line.skill is not None and not line.is_naive]
    near = [line for line in lines if not _is_far(line)]
    if not near:
        return None
    values = [100 * value for line in near for value in (*line.runs["skill"], *(line.interval or ()))]
    low, high = min(*values, 0.0), max(*values, 0.0)
    edge = low - 0.04 * (high - low)
    series = []
    for place, line in enumerate(lines):
        colour: Any = "grey" if line.is_baseline else 0
        skills = 100 * line.runs["skill"].to_numpy()
        if _is_far(line):
            text = [f"{skills.mean():,.0f} %"]
            series.append(Series("", [edge], [place], "markers", colour, marker="<", size=8, text=text))
            continue
        if line.interval is not None:
            ends = [100 * end for end in line.interval]
            series.append(Series("95 % interval", ends, [place] * 2, colour=colour, width=6.0, opacity=0.35))
        label = "baseline" if line.is_baseline else "model (a dot for each seed)"
        hover = [
            f"{line.label}, seed {seed}: {one:+.2f} %" for seed, one in zip(line.runs["seed"], skills, strict=True)
        ]
        series.append(Series(label, skills, [place] * len(skills), "markers", colour, opacity=0.8, hover=hover))
    return Chart(
        "Skill of each seed",
        "skill against naive, %\n0 is as good as naive",
        "",
        series,
        marks=[Mark(x=0.0)],
        x_range=(edge - 0.02 * (high - low), high + 0.06 * (high - low)),
        y_names=[line.label for line in lines],
        height=1.3 + 0.27 * len(lines),
        note="A dot is a seed; the bar is the 95 % interval of the mean skill over seeds and test windows. "
        "An arrow is a skill too low to fit.",
    )


def trade(board: Board) -> Chart | None:
    """rmse over training throughput, dots growing with the parameters, and a line through the best trade-offs."""
    points = trades(board)
    if len(points) < 2:
        return None
    baselines = {line.label for line in board.lines if line.is_baseline}
    most = max(point.parameters for point in points)
    series = []
    for label, is_baseline in (("model", False), ("baseline", True)):
        colour: Any = "grey" if is_baseline else 0
        group = [point for point in points if (point.label in baselines) == is_baseline]
        texts = [f"{p.label}: rmse {p.rmse:.6g}, {p.windows_per_second:,.0f} windows/s, {p.parameters:,.0f} parameters"
                 for p in group]  # fmt: skip
        series.append(
            Series(label, [p.windows_per_second for p in group], [p.rmse for p in group], "markers", colour,
                   size=[6 + 18 * math.sqrt(p.parameters / most) for p in group], opacity=0.65,
                   text=[p.label for p in group], hover=texts)
        )  # fmt: skip
    best = [point for point in points if point.is_best]
    front = Series("best trade-offs", [p.windows_per_second for p in best], [p.rmse for p in best],
                   colour="ink", dash="dot", width=1.0)  # fmt: skip
    errors = [point.rmse for point in points]
    room = max(errors) - min(errors) or abs(errors[0])
    naive = next((spread.mean for line in board.lines if line.is_naive and (spread := line.metric("rmse"))), None)
    is_near = naive is not None and min(errors) - room <= naive <= max(errors) + room
    return Chart(
        "Error and training throughput",
        "training throughput, windows/s\ndots grow with the number of parameters",
        "rmse",
        [front, *(one for one in series if len(one.x))],
        marks=[Mark("naive", y=naive)] if is_near else [],
        log_x=True,
        note="Nothing is both faster and more accurate than the variants on the dotted line.",
    )


def forecasts(board: Board, stored: dict[str, Stored], last: int | None = None) -> list[Chart]:
    """For each target: actual values and each line's forecast of the first step over time, or of the last windows.

    The best line's forecast is shown, and naive's where only the last windows are.
    """
    styles, charts = looks(line.label for line in board.lines), []
    for place, target in enumerate(board.targets if stored else ()):
        shared = next(iter(stored.values()))
        rows = _thinned(len(shared.truth), last)
        when = _when(shared)[rows]
        series = [
            Series(ACTUAL, when, shared.truth[rows, 0, place], colour="ink"),
            Series(NAIVE, when, shared.last[rows, place], colour="grey", dash="dot", is_shown=last is not None),
        ]
        for number, (label, own) in enumerate(stored.items()):
            values = own.forecast[rows, 0, place]
            series.append(Series(label, when, values, is_shown=number == 0, **_line(styles[label])))
        title = f"Forecasts of {target}, one step ahead"
        charts.append(Chart(title, "", target, series, is_unified=True, height=2.8, note=TOGGLE))
    return charts


def residuals(board: Board, stored: dict[str, Stored]) -> list[Chart]:
    """For each target: forecast minus actual value of the first step over time, of naive and of each line."""
    styles, charts = looks(line.label for line in board.lines), []
    for place, target in enumerate(board.targets if stored else ()):
        shared = next(iter(stored.values()))
        rows = _thinned(len(shared.truth))
        when, actual = _when(shared)[rows], shared.truth[rows, 0, place]
        series = [Series(NAIVE, when, shared.last[rows, place] - actual, colour="grey", dash="dot")]
        for number, (label, own) in enumerate(stored.items()):
            errors = own.forecast[rows, 0, place] - actual
            series.append(Series(label, when, errors, is_shown=number == 0, **_line(styles[label])))
        title, axis = f"Errors of {target} over time", "forecast - actual"
        charts.append(Chart(title, "", axis, series, is_unified=True, height=2.8, note=TOGGLE))
    return charts


def by_step(board: Board, stored: dict[str, Stored]) -> list[Chart]:
    """For each target, with several steps: the rmse of each step ahead, of naive and of each line's first seed."""
    styles, charts = looks(line.label for line in board.lines), []
    steps = range(1, board.horizon + 1)
    for place, target in enumerate(board.targets if stored and board.horizon > 1 else ()):
        shared = next(iter(stored.values()))
        forecast_of = {NAIVE: shared.last[:, None], **{label: own.forecast for label, own in stored.items()}}
        series = []
        for label, forecast in forecast_of.items():
            errors = np.sqrt(((forecast[..., place] - shared.truth[..., place]) ** 2).mean(axis=0))
            style = _line(styles[label]) if label != NAIVE else {"colour": "grey", "dash": "dot"}
            series.append(Series(label, steps, errors, **style))
        charts.append(Chart(f"Error of {target} by step", "step ahead", f"rmse of {target}", series, note=TOGGLE))
    return charts


def learning(board: Board, stored: dict[str, Stored]) -> Chart | None:
    """Validation loss by epoch of each line's first seed, as a share of that before training."""
    styles, series = looks(line.label for line in board.lines), []
    for label, own in stored.items():
        losses = own.valid_loss
        if losses is not None and len(losses) > 1 and losses[0] > 0:
            series.append(Series(label, range(len(losses)), losses / losses[0], **_line(styles[label])))
    note = "Validation loss relative to that before training, of the first seed of each variant that trains."
    axis = "relative validation loss"
    return Chart("Learning curves", "epoch", axis, series, note=note) if series else None


def tuning(folders: Iterable[Path]) -> Chart | None:
    """The best validation value after each trial, of each tuned variant in the folders, as a share of its first."""
    values = [pair for folder in folders for pair in _trials(folder / "tune")]
    styles = looks(label for label, _ in values)
    series = []
    for label, losses in values:
        best = np.minimum.accumulate(losses) / losses[0]
        series.append(Series(label, range(1, len(best) + 1), best, **_line(styles[label])))
    axis = "relative validation loss"
    note = "The best so far after each trial that ended, relative to the first trial, of each tuned variant."
    return Chart("Validation value over trials", "trial", axis, series, note=note) if series else None


def ranks(ranking: Ranking, note: str = "") -> Chart:
    """Mean ranks, best first, and bars that join variants without a clear difference.

    Source: Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006), figure 1, turned by
    90 degrees; the bars are of Wilcoxon's test with Holm's correction, see zoo.stats.ranks.
    """
    places = {name: place for place, name in enumerate(ranking.names)}
    dots = Series("mean rank", ranking.ranks, range(len(places)), "markers", size=8,
                  text=[f"{rank:.2f}" for rank in ranking.ranks])  # fmt: skip
    bars = [
        Series("no clear difference", [len(places) + 0.3 * number] * 2, [places[group[0]], places[group[-1]]],
               colour=1, width=5.0)
        for number, group in enumerate(ranking.groups, start=1)
    ]  # fmt: skip
    title, axis = f"Mean ranks over {ranking.data_sets} problems", "mean rank, 1 is best"
    return Chart(title, axis, "", [dots, *bars], y_names=ranking.names, height=1.2 + 0.27 * len(places), note=note)


def first_seeds(board: Board) -> dict[str, Stored]:
    """The stored forecasts of each line's first seed, best line first, without naive, whose forecast is known."""
    stored: dict[str, Stored] = {}
    for line in board.lines:
        own = stored_of(line.runs.iloc[0]) if len(line.runs) and not line.is_naive else None
        if own is not None and all(np.array_equal(own.truth, other.truth) for other in list(stored.values())[:1]):
            stored[line.label] = own
    return stored


def _is_far(line: Line) -> bool:
    return line.skill is not None and line.skill.mean <= (FAR_BASELINE if line.is_baseline else FAR)


def _line(look: dict[str, Any]) -> dict[str, Any]:
    """A look without its marker."""
    return {"colour": look["colour"], "dash": look["dash"]}


def _when(stored: Stored) -> np.ndarray:
    return stored.target_row if stored.time is None else stored.time.astype("datetime64[s]")


def _thinned(count: int, last: int | None = None) -> slice:
    return slice(None, None, math.ceil(count / MOST_POINTS)) if last is None else slice(-last, None)


def _trials(folder: Path) -> list[tuple[str, list[float]]]:
    """Of each tuned variant the validation values of its trials, in the order that they ended."""
    histories = []
    for path in sorted(folder.glob("*/trials.jsonl")):
        try:
            trials = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            complete = [trial["valid_loss"] for trial in trials if trial.get("state") == "complete"]
        except (OSError, ValueError, AttributeError, KeyError, RecursionError):
            continue
        values = [value for value in complete if isinstance(value, float) and math.isfinite(value)]
        if len(values) > 1 and values[0] > 0:
            histories.append((path.parent.name, values))
    return histories
