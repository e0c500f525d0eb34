"""Pictures of a board, the same as PNG beside a report and on the page: skill, forecasts, errors."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.report.board import Board, Line, counted
from zoo.report.chart import Chart, Colour, Figure, Series, looks
from zoo.report.classes import confusion
from zoo.report.evidence import stored_of
from zoo.report.section import Picture
from zoo.report.task import TASKS
from zoo.run.predictions import Stored
from zoo.stats.ranks import Ranking

PICTURES = {
    "skill": "skill of every seed against naive, with the 95 % interval over seeds and test windows",
    "forecast": "the last forecasts of the best variant, one step ahead, and the actual values",
}
FAR, FAR_BASELINE = -0.2, -0.05  # skill: what is worse would squeeze the other lines, so its value stands at the edge
MOST_POINTS = 2000  # of a line over time: more are thinned evenly
LAST = 120  # windows of the test part that the PNG of forecasts shows
BINS, LEAST_IN_BIN = 10, 20  # of the calibration of directions
MOST_TARGETS = 4  # panels of that PNG
ACTUAL, NAIVE = "actual", "naive (the value before)"
LEVEL: dict[str, Any] = {"colour": "grey", "dash": "dash", "width": 1.0}
NAIVE_LOOK: dict[str, Any] = {"colour": "grey", "dash": "dot"}
TOGGLE = "Of each variant's first seed. Click a name in the legend to show or hide it, double-click to see it alone."
STEPS_SHOWN = 60  # of the forecasts on the page, at first
ALL_STEPS = "The last 60 steps; double-click the picture for all."


def board_figures(boards: Sequence[Board]) -> dict[str, Figure]:
    """The figures of each board by the file to draw: `skill.png`, of a second board `skill-2.png`."""
    figures: dict[str, Figure] = {}
    for number, board in enumerate(boards, start=1):
        best = dict(list(first_seeds(board).items())[:1])
        last_forecasts = forecasts(board, best, last=LAST)[:MOST_TARGETS]
        charts: list[list[Chart | None]] = [[skill(board)], [*last_forecasts]]
        for picture, panels in zip(pictures_of(number), charts, strict=True):
            if figure := [[chart] for chart in panels if chart is not None]:
                figures[picture.file] = figure
    return figures


def pictures_of(number: int, *, of_classes: bool = False) -> list[Picture]:
    """The pictures that a board may have; number counts boards from 1; of_classes: sequences were classified."""
    ending = f"-{number}.png" if number > 1 else ".png"
    alts = {**PICTURES, "forecast": "classes that the best variant confused"} if of_classes else PICTURES
    return [Picture(name + ending, alt) for name, alt in alts.items()]


def skill(board: Board) -> Chart | None:
    """The skill of every seed as a dot, with the 95 % interval of the mean over seeds and test windows."""
    lines = [line for line in board.lines if line.skill is not None and not line.is_naive]
    near = [line for line in lines if not _is_far(line)]
    if not near:
        return None
    values = [100 * value for line in near for value in (*line.runs["skill"], *(line.interval or ()))]
    low, high = min(*values, 0.0), max(*values, 0.0)
    edge = low - 0.04 * (high - low)
    series = [Series("", [0.0, 0.0], [-0.5, len(lines) - 0.5], **LEVEL)]
    for place, line in enumerate(lines):
        kind, colour = _kind(line.is_baseline)
        skills = 100 * line.runs["skill"].to_numpy()
        if _is_far(line):
            text = [f"{skills.mean():,.0f} %"]
            series.append(Series("", [edge], [place], "markers", colour, marker="<", size=8, text=text))
            continue
        if line.interval is not None:
            ends = [100 * end for end in line.interval]
            series.append(Series("interval of skill", ends, [place] * 2, colour=colour, width=6.0, opacity=0.35))
        points = zip(line.runs["seed"], skills, strict=True)
        hover = [f"{line.label}, seed {seed}: {share:+.2f} %" for seed, share in points]
        series.append(Series(kind, skills, [place] * len(skills), "markers", colour, opacity=0.8, hover=hover))
    return Chart(
        "Skill of each seed",
        "skill against naive, %\n0 is as good as naive",
        "",
        series,
        x_range=(edge - 0.02 * (high - low), high + 0.06 * (high - low)),
        y_names=[line.label for line in lines],
        height=1.3 + 0.27 * len(lines),
        note="A dot is a seed; the bar is the interval of skill for other seeds and test windows, as in the table. "
        "An arrow is a skill too low to fit.",
    )


def forecasts(board: Board, stored: Mapping[str, Stored], last: int | None = None) -> list[Chart]:
    """For each target: actual values and each line's forecast of the first step over time, or of the last windows.

    The best line's forecast is shown, and naive's where only the last windows are.
    """
    if board.classes:
        return confusion(board, stored)
    if board.task in (TASKS["direction"], TASKS["move"]):
        return calibration(board, stored)
    charts = []
    for place, target in enumerate(board.targets if stored else ()):
        shared = next(iter(stored.values()))
        rows = slice(-last, None) if last is not None else _thinned(shared)
        actual = Series(ACTUAL, _when(shared)[rows], shared.truth[rows, 0, place], colour="ink")
        series = [actual, *_over_time(board, stored, place, rows, 0.0, is_naive_shown=last is not None)]
        title = f"Forecasts of {target}, one step ahead"
        opens_on, note = (STEPS_SHOWN, f"{TOGGLE} {ALL_STEPS}") if len(actual.x) > STEPS_SHOWN else (None, TOGGLE)
        charts.append(Chart(title, "", target, series, is_unified=True, height=2.8, note=note, opens_on=opens_on))
    return charts


def calibration(board: Board, stored: Mapping[str, Stored]) -> list[Chart]:
    """How often the target rose where a line gave a rise that probability; a right one lies on the diagonal."""
    looks_of = _looks(board)
    series = [Series("right", [0, 100], [0, 100], **LEVEL)]
    for number, (label, own) in enumerate(stored.items()):
        chances = 100 * (own.forecast if own.moves is None else own.moves[..., 2]).ravel()
        rose = 100.0 * (own.truth == 1).ravel()
        parts = np.array_split(np.argsort(chances, kind="stable"), min(BINS, max(1, len(chances) // LEAST_IN_BIN)))
        points = [(chances[part].mean(), rose[part].mean()) for part in parts]
        x, y = zip(*points, strict=True)
        series.append(Series(label, x, y, "lines+markers", is_shown=number == 0, **looks_of[label]))
    title = f"Calibration of {', '.join(board.targets)}: forecast and actual share of rises"
    return [Chart(title, "forecast probability, %", "rose, %", series, note=TOGGLE)]


def residuals(board: Board, stored: Mapping[str, Stored]) -> list[Chart]:
    """For each target: forecast minus actual value of the first step over time, of naive and of each line."""
    charts = []
    for place, target in enumerate(board.targets if stored and not board.classes else ()):
        shared = next(iter(stored.values()))
        rows = _thinned(shared)
        series = _over_time(board, stored, place, rows, shared.truth[rows, 0, place], is_naive_shown=True)
        title, axis = f"Errors of {target} over time", "forecast - actual"
        charts.append(Chart(title, "", axis, series, is_unified=True, height=2.8, note=TOGGLE))
    return charts


def _over_time(
    board: Board, stored: Mapping[str, Stored], place: int, rows: slice, base: Any, *, is_naive_shown: bool
) -> list[Series]:
    """The first step's forecast of a target minus `base`, of naive and of each line, the best of which is shown."""
    looks_of, shared = _looks(board), next(iter(stored.values()))
    when = _when(shared)[rows]
    naive = shared.naive_points()[rows, 0, place]
    series = [Series(NAIVE, when, naive - base, is_shown=is_naive_shown, **NAIVE_LOOK)]
    for number, (label, own) in enumerate(stored.items()):
        values, band = own.forecast[rows, 0, place] - base, None
        if own.quantiles is not None:
            band = own.quantiles[rows, 0, place, 0] - base, own.quantiles[rows, 0, place, -1] - base
        series.append(Series(label, when, values, band=band, is_shown=number == 0, **looks_of[label]))
    return series


def by_step(board: Board, stored: Mapping[str, Stored]) -> list[Chart]:
    """For each target, with several steps: the rmse of each step ahead, of naive and of each line's first seed."""
    looks_of, charts = {NAIVE: NAIVE_LOOK, **_looks(board)}, []
    for place, target in enumerate(board.targets if stored and board.horizon > 1 else ()):
        shared = next(iter(stored.values()))
        series = []
        forecast_of = {NAIVE: shared.naive_points(), **{label: own.forecast for label, own in stored.items()}}
        for label, forecast in forecast_of.items():
            errors = np.sqrt(((forecast[..., place] - shared.truth[..., place]) ** 2).mean(axis=0))
            series.append(Series(label, range(1, board.horizon + 1), errors, **looks_of[label]))
        charts.append(Chart(f"Error of {target} by step", "step ahead", f"rmse of {target}", series, note=TOGGLE))
    return charts


def learning(board: Board, stored: Mapping[str, Stored]) -> Chart | None:
    """Validation loss by epoch of each line's first seed, as a share of that before training."""
    looks_of, series = _looks(board), []
    for label, own in stored.items():
        losses = own.valid_loss
        if losses is not None and len(losses) > 1 and losses[0] > 0:
            series.append(Series(label, range(len(losses)), losses / losses[0], **looks_of[label]))
    note = "Validation loss relative to that before training, of the first seed of each variant that trains."
    return Chart("Learning curves", "epoch", "relative validation loss", series, note=note) if series else None


def ranks(ranking: Ranking) -> Chart:
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
    problems = counted(ranking.data_sets, "problem")
    few = ": with so few problems that is all of them" if ranking.differing is None else ""
    return Chart(
        f"Mean ranks over {problems}",
        "mean rank, 1 is best",
        "",
        [dots, *bars],
        y_names=ranking.names,
        height=1.2 + 0.27 * len(places),
        note=f"Mean ranks over {problems}, 1 is best. A bar joins variants that no test separates{few}.",
    )


def first_seeds(board: Board) -> dict[str, Stored]:
    """The stored forecasts of each line's first seed, best line first, without naive, whose forecast is known."""
    stored: dict[str, Stored] = {}
    for line in board.lines:
        first = stored_of(line.runs.iloc[0]) if len(line.runs) and not line.is_naive else None
        if first is not None and all(np.array_equal(first.truth, other.truth) for other in list(stored.values())[:1]):
            stored[line.label] = first
    return {label: each.of_series(0) for label, each in stored.items()}


def _kind(is_baseline: bool) -> tuple[str, Colour]:
    """The label and the colour of models and of baselines."""
    return ("baseline", "grey") if is_baseline else ("model", 0)


def _is_far(line: Line) -> bool:
    return line.skill is not None and line.skill.mean <= (FAR_BASELINE if line.is_baseline else FAR)


def _looks(board: Board) -> dict[str, dict[str, Any]]:
    return looks(line.label for line in board.lines)


def _when(stored: Stored) -> np.ndarray:
    return stored.target_row if stored.time is None else stored.time.astype("datetime64[s]")


def _thinned(stored: Stored) -> slice:
    return slice(None, None, math.ceil(len(stored.truth) / MOST_POINTS))
