"""Pictures of a board: skill of every seed, what accuracy costs, and the last forecasts beside what came."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zoo.report.board import Board
from zoo.report.canvas import COLOURS, GREY, plain_numbers, save, verbatim
from zoo.report.front import points, unbeaten
from zoo.report.markdown import PICTURES, picture_name
from zoo.report.predictions import Load, Stored
from zoo.stats.ranks import Ranking

OURS = re.compile(rf"({'|'.join(PICTURES)})(-\d+)?\.png")
FAR, FAR_BASELINE = -0.2, -0.05  # skill: what is worse would squeeze the rest
LAST = 120  # windows of the test part that a picture of forecasts shows
MOST_TARGETS = 4
RANKS = "critical-difference.png"


def draw_boards(boards: Sequence[Board], load: Load, folder: Path) -> list[str]:
    """Write the PNG files of each board and return their names, `skill.png`, of a second board `skill-2.png`.

    Pictures of these names that nothing is left to show for are deleted.
    """
    drawn = []
    for number, board in enumerate(boards, start=1):
        for name, figure in (("skill", _skill(board)), ("trade", _trade(board)), ("forecast", _forecast(board, load))):
            if figure is not None:
                drawn.append(picture_name(name, number))
                save(figure, folder / drawn[-1])
    for path in folder.glob("*.png"):
        if OURS.fullmatch(path.name) and path.name not in drawn:
            path.unlink()
    return drawn


def draw_ranks(ranks: Ranking, path: Path) -> None:
    """Write the critical-difference diagram: mean ranks on a line, a bar over each group that no test tells apart.

    Source: Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006), figure 1; the bars
    are of Wilcoxon's test with Holm's correction, see zoo.stats.ranks.
    """
    count = len(ranks.names)
    half = (count + 1) // 2
    low, high = 1, count
    figure = Figure(figsize=(8.0, 1.2 + 0.28 * half + 0.12 * len(ranks.groups)), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    bars = 0.45 * len(ranks.groups)
    axes.plot([low, high], [0, 0], color="black", linewidth=1)
    for tick in range(low, high + 1):
        axes.plot([tick, tick], [0, 0.25], color="black", linewidth=1)
        axes.text(tick, 0.4, str(tick), ha="center", va="bottom", fontsize=9)
    for place, (name, rank) in enumerate(zip(ranks.names, ranks.ranks, strict=True)):
        is_left = place < half
        depth = -bars - 0.8 * (1 + (place if is_left else count - 1 - place))
        edge = low - 0.3 if is_left else high + 0.3
        axes.plot([rank, rank, edge], [0, depth, depth], color="black", linewidth=0.8)
        text = f"{verbatim(name)}  {rank:.2f}" if is_left else f"{rank:.2f}  {verbatim(name)}"
        axes.text(edge, depth, f"{text} " if is_left else f" {text}", ha="right" if is_left else "left", va="center",
                  fontsize=9)  # fmt: skip
    places = dict(zip(ranks.names, ranks.ranks, strict=True))
    for number, group in enumerate(ranks.groups):
        height = -0.45 * (number + 1)
        axes.plot([places[group[0]] - 0.04, places[group[-1]] + 0.04], [height] * 2, color=COLOURS[0], linewidth=4,
                  solid_capstyle="butt")  # fmt: skip
    axes.set_xlim(low - 2.5, high + 2.5)
    save(figure, path)


def _skill(board: Board) -> Figure | None:
    skills = {line.label: skill.mean for line in board.lines if (skill := line.metric("skill")) is not None}
    lines = [line for line in board.lines if line.label in skills and not line.is_naive]
    near = [line for line in lines if skills[line.label] > (FAR_BASELINE if line.is_baseline else FAR)]
    if not near:
        return None
    figure = Figure(figsize=(7.5, 0.9 + 0.27 * len(near)), layout="constrained")
    axes = figure.subplots()
    for place, line in enumerate(near):
        colour = GREY if line.is_baseline else COLOURS[0]
        dots = [100 * row["metrics"]["skill"] for row in line.rows]
        if line.interval is not None:
            axes.plot([100 * end for end in line.interval], [place] * 2, color=colour, linewidth=3, alpha=0.4)
        axes.plot(dots, [place] * len(dots), "o", color=colour, markersize=4, alpha=0.8)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(near)), [verbatim(line.label) for line in near])
    axes.invert_yaxis()
    beyond = [line.label for line in lines if line not in near]
    note = f" (too low to be shown: {verbatim(', '.join(beyond))})" if beyond else ""
    _finish(axes, f"skill against naive, %{note}", "")
    return figure


def _trade(board: Board) -> Figure | None:
    found = points(board)
    if len(found) < 2:
        return None
    best = unbeaten(found)
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    names = {line.label: line.is_baseline for line in board.lines}
    most = max(point.parameters for point in found)
    for number, point in enumerate(found):
        colour = GREY if names[point.label] else COLOURS[0]
        size = 25 + 250 * point.parameters / most
        axes.scatter(point.windows_per_second, point.rmse, s=size, color=colour, alpha=0.6, linewidths=0)
        axes.annotate(verbatim(point.label), (point.windows_per_second, point.rmse),
                      (0, 9 if number % 2 else -9), textcoords="offset points", ha="center",
                      va="bottom" if number % 2 else "top", fontsize=8)  # fmt: skip
    axes.plot([p.windows_per_second for p in best], [p.rmse for p in best], ":", color="black", linewidth=1)
    naive = next((spread.mean for line in board.lines if line.is_naive and (spread := line.metric("rmse"))), None)
    errors = [point.rmse for point in found]
    room = max(errors) - min(errors) or abs(errors[0])
    if naive is not None and min(errors) - room <= naive <= max(errors) + room:
        axes.axhline(naive, color=GREY, linestyle="--", linewidth=1)
        axes.annotate("naive", (0.01, naive), xycoords=("axes fraction", "data"), fontsize=8, va="bottom", color=GREY)
    axes.set_xscale("log")
    axes.margins(0.12)
    plain_numbers(axes.xaxis)
    _finish(axes, "training throughput, windows/s; dots grow with the number of parameters", "rmse")
    return figure


def _forecast(board: Board, load: Load) -> Figure | None:
    line = next((line for line in board.lines if line.rows and not line.is_naive), None)
    stored = load(line.rows[0]) if line is not None else None
    if line is None or stored is None:
        return None
    targets = board.problem["targets"][:MOST_TARGETS]
    figure = Figure(figsize=(7.5, 0.6 + 2.2 * len(targets)), layout="constrained")
    panels: list[Axes] = np.atleast_1d(figure.subplots(len(targets), 1, sharex=True)).tolist()
    when = _when(stored)
    for place, (axes, target) in enumerate(zip(panels, targets, strict=True)):
        axes.plot(when, stored.truth[-LAST:, 0, place], color="black", linewidth=1.2, label="what came")
        axes.plot(when, stored.last[-LAST:, place], color=GREY, linewidth=0.9, linestyle=":",
                  label="naive (the value before)")  # fmt: skip
        axes.plot(when, stored.forecast[-LAST:, 0, place], color=COLOURS[1], linewidth=1.2, label=verbatim(line.label))
        _finish(axes, "", verbatim(target))
    panels[0].legend(fontsize=8, frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    figure.autofmt_xdate(rotation=0, ha="center")
    return figure


def _when(stored: Stored) -> Any:
    if stored.time is None:
        return stored.target_row[-LAST:]
    return stored.time[-LAST:].astype("datetime64[s]")


def _finish(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.xaxis.label.set_fontsize(9)
    axes.yaxis.label.set_fontsize(9)
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.tick_params(labelsize=8)
