"""Figures: what a board and its stored forecasts look like, as plain values that plotly.js draws."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from zoo.report.board import Board, Line, Row
from zoo.report.front import points, unbeaten
from zoo.report.predictions import Load, Stored
from zoo.speed.report.rows import CEILINGS, intensity, is_measured, labels, value
from zoo.stats.ranks import Ranking

# Okabe and Ito's colours, which the colour-blind can tell apart and which read on white and on black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8C8C8C")
DASHES = ("solid", "dash", "dot")
MOST_POINTS = 2000  # of a line over time: more are thinned evenly
FAR = -0.2  # skill: what is worse lies beyond the edge of the picture, and would squeeze the rest
NAIVE = "naive"

Figure = dict[str, Any]


def styles_of(board: Board) -> dict[str, tuple[str, str]]:
    """A colour and a dash for each line of a board, the same in all its figures."""
    labels = sorted(line.label for line in board.lines)
    return {
        label: (COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)])
        for number, label in enumerate(labels)
    }


def pareto(board: Board) -> Figure | None:
    """rmse over training throughput, dots growing with the parameters, and the front of the best trades."""
    found = points(board)
    if len(found) < 2:
        return None
    styles = styles_of(board)
    most = max(point.parameters for point in found)
    data: list[Figure] = [
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [_figures(point.windows_per_second)],
            "y": [_figures(point.rmse)],
            "text": [point.label],
            "textposition": ("top center", "bottom center")[place % 2],
            "textfont": {"size": 11},
            "name": point.label,
            "showlegend": False,
            "marker": {
                "size": 8 + 24 * math.sqrt(point.parameters / most),
                "color": styles[point.label][0],
                "opacity": 0.75,
            },
            "hovertemplate": f"%{{text}}: rmse %{{y}}, %{{x:,.0f}} windows/s, {point.parameters:,.0f} parameters"
            "<extra></extra>",
        }
        for place, point in enumerate(found)
    ]
    best = unbeaten(found)
    data.append(
        {
            "type": "scatter", "mode": "lines", "name": "front", "ink": True, "hoverinfo": "skip", "showlegend": False,
            "x": [_figures(point.windows_per_second) for point in best], "y": [_figures(point.rmse) for point in best],
            "line": {"width": 1, "dash": "dot"},
        }
    )  # fmt: skip
    errors = [point.rmse for point in found]
    room = 0.25 * (max(errors) - min(errors)) or 0.05 * max(errors)
    layout: Figure = {
        "xaxis": {"title": {"text": "training throughput, windows/s"}, "type": "log"},
        "yaxis": {"title": {"text": "rmse"}, "range": [_figures(min(errors) - room), _figures(max(errors) + room)]},
    }
    naive = next((spread.mean for line in board.lines if line.is_naive and (spread := line.metric("rmse"))), None)
    if naive is not None and min(errors) - 4 * room <= naive <= max(errors) + 4 * room:
        layout["yaxis"]["range"] = [_figures(min(*errors, naive) - room), _figures(max(*errors, naive) + room)]
        layout["shapes"] = [
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": naive, "y1": naive,
             "line": {"dash": "dash", "width": 1, "color": "#8C8C8C"}}
        ]  # fmt: skip
        layout["annotations"] = [
            {"xref": "paper", "x": 0, "xanchor": "left", "y": naive, "yanchor": "bottom", "text": "naive",
             "showarrow": False}
        ]  # fmt: skip
    return {"data": data, "layout": layout}


def seeds(board: Board) -> Figure | None:
    """The skill of every seed as a dot, with the 95 % interval of the mean over seeds and test windows."""
    lines = [line for line in board.lines if not line.is_naive and line.metric("skill") is not None]
    if not lines:
        return None
    styles = styles_of(board)
    data = []
    for line in lines:
        colour = styles[line.label][0]
        skills = [_figures(100 * row["metrics"]["skill"]) for row in line.rows]
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": line.label, "showlegend": False,
                "x": skills, "y": [line.label] * len(skills),
                "text": [f"seed {row['seed']}" for row in line.rows],
                "hovertemplate": "%{y}, %{text}: %{x:+.2f} %<extra></extra>",
                "marker": {"size": 8, "color": colour, "opacity": 0.65},
            }
        )  # fmt: skip
        if line.interval is not None:
            low, high = (100 * end for end in line.interval)
            data.append(
                {
                    "type": "scatter", "mode": "lines", "x": [_figures(low), _figures(high)], "y": [line.label] * 2,
                    "line": {"color": colour, "width": 3}, "opacity": 0.5, "showlegend": False, "hoverinfo": "x",
                }
            )  # fmt: skip
    near = [line for line in lines if (skill := line.metric("skill")) is not None and skill.mean > FAR]
    shown = [100 * row["metrics"]["skill"] for line in near for row in line.rows]
    shown += [100 * end for line in near for end in line.interval or ()]
    axis: Figure = {"title": {"text": "skill against naive, %"}, "zeroline": True, "zerolinewidth": 2}
    if near and len(near) < len(lines):
        axis["range"] = [_figures(min(shown) - 1), _figures(max(shown) + 1)]
    return {
        "data": data,
        "layout": {"xaxis": axis, "yaxis": {"autorange": "reversed"}, "margin": {"l": 150}},
    }


def forecasts(board: Board, load: Load) -> list[tuple[str, Figure]]:
    """For each target: truth and each line's forecast of the first step, of its first seed, over time."""
    found = _first_seeds(board, load)
    if not found:
        return []
    styles, best = styles_of(board), next(iter(found))
    figures = []
    truth = next(iter(found.values()))
    when, kept = _when(truth), _thinned(len(truth.truth))
    for place, target in enumerate(board.problem["targets"]):
        data: list[Figure] = [
            _series(when, truth.truth[kept, 0, place], "truth", None, "solid", is_shown=True),
            _series(when, truth.last[kept, place], "naive (the value before)", "#8C8C8C", "dot", is_shown=False),
        ]
        for label, stored in found.items():
            colour, dash = styles[label]
            data.append(_series(when, stored.forecast[kept, 0, place], label, colour, dash, is_shown=label == best))
        figures.append((target, {"data": data, "layout": _over_time(target)}))
    return figures


def residuals(board: Board, load: Load) -> list[tuple[str, Figure]]:
    """For each target: forecast less truth of the first step over time, naive's and each line's."""
    found = _first_seeds(board, load)
    if not found:
        return []
    styles, best = styles_of(board), next(iter(found))
    truth = next(iter(found.values()))
    when, kept = _when(truth), _thinned(len(truth.truth))
    figures = []
    for place, target in enumerate(board.problem["targets"]):
        came = truth.truth[kept, 0, place]
        data = [_series(when, truth.last[kept, place] - came, NAIVE, "#8C8C8C", "dot", is_shown=True)]
        for label, stored in found.items():
            colour, dash = styles[label]
            error = stored.forecast[kept, 0, place] - came
            data.append(_series(when, error, label, colour, dash, is_shown=label == best))
        figures.append((target, {"data": data, "layout": _over_time(f"forecast - {target}")}))
    return figures


def by_step(board: Board, load: Load) -> list[tuple[str, Figure]]:
    """For each target, with several steps: the rmse of each step ahead, naive's and each line's first seed's."""
    if board.problem["horizon"] < 2:
        return []
    found, styles = _first_seeds(board, load), styles_of(board)
    if not found:
        return []
    truth = next(iter(found.values()))
    steps = list(range(1, board.problem["horizon"] + 1))
    figures = []
    for place, target in enumerate(board.problem["targets"]):
        naive = truth.last[:, None, place] - truth.truth[..., place]
        data = [_series(steps, _rmse(naive), NAIVE, "#8C8C8C", "dot", is_shown=True)]
        for label, stored in found.items():
            colour, dash = styles[label]
            error = stored.forecast[..., place] - truth.truth[..., place]
            data.append(_series(steps, _rmse(error), label, colour, dash, is_shown=True))
        layout = {"xaxis": {"title": {"text": "step ahead"}}, "yaxis": {"title": {"text": f"rmse of {target}"}}}
        figures.append((target, {"data": data, "layout": layout}))
    return figures


def learning(board: Board, load: Load) -> Figure | None:
    """Validation loss by epoch of each line's first seed, as a share of that before training."""
    styles, data = styles_of(board), []
    for line in board.lines:
        stored = load(line.rows[0]) if line.rows else None
        if stored is None or stored.valid_loss is None or len(stored.valid_loss) < 2 or not stored.valid_loss[0] > 0:
            continue
        colour, dash = styles[line.label]
        shares = stored.valid_loss / stored.valid_loss[0]
        data.append(_series(list(range(len(shares))), shares, line.label, colour, dash, is_shown=True))
    layout = {
        "xaxis": {"title": {"text": "epoch"}},
        "yaxis": {"title": {"text": "validation loss / that before training"}},
    }
    return {"data": data, "layout": layout} if data else None


def speed_curves(title: str, batches: Sequence[int], curves: dict[str, list[float | None]]) -> Figure:
    """Windows a second of each label over batch size."""
    data = []
    for number, (label, rates) in enumerate(curves.items()):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
        found = _series(
            list(batches), np.array([np.nan if rate is None else rate for rate in rates]), label, colour, dash
        )
        data.append(found | {"mode": "lines+markers"})
    return {
        "data": data,
        "layout": {
            "title": {"text": title, "font": {"size": 14}},
            "margin": {"t": 45},
            "xaxis": {"title": {"text": "batch size"}, "type": "log", "tickvals": list(batches)},
            "yaxis": {"title": {"text": "windows/s"}, "type": "log"},
        },
    }


def roofline(rows: Sequence[Row]) -> Figure | None:
    """Achieved FLOP/s over FLOP for each byte of each measured cell, below the ceilings of its dtype."""
    known = [row for row in rows if is_measured(row) and row["batch_size"] != "max" and intensity(row)]
    known = [row for row in known if row.get("flops_per_second") and all(value(row, "ceilings", n) for n in CEILINGS)]
    if not known:
        return None
    names = labels(rows)
    data: list[Figure] = []
    for number, label in enumerate(sorted({names[row["key"]] for row in known})):
        group = [row for row in known if names[row["key"]] == label]
        told = [f"{label}, {row['phase']}, batch {row['batch_size']:,}, lookback {row['lookback']}" for row in group]
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": label, "text": told, "hovertemplate":
                "%{text}: %{y:.3g} GFLOP/s, %{x:.3g} FLOP per byte<extra></extra>",
                "x": [_figures(intensity(row)) for row in group],
                "y": [_figures(1e-9 * row["flops_per_second"]) for row in group],
                "marker": {
                    "color": COLOURS[number % len(COLOURS)], "size": 8, "opacity": 0.8,
                    "symbol": ["circle" if row["phase"] == "train" else "triangle-up" for row in group],
                },
            }
        )  # fmt: skip
    across = [intensity(row) for row in known]
    for form in sorted({(row["device"], row["dtype"]) for row in known}):
        tops = [row["ceilings"] for row in known if (row["device"], row["dtype"]) == form]
        peak, memory = (1e-9 * statistics.median(top[name] for top in tops) for name in CEILINGS)
        ends = [min(peak / memory, *across) / 2, peak / memory, 2 * max(peak / memory, *across)]
        data.append(
            {
                "type": "scatter", "mode": "lines", "name": f"ceiling, {form[1]}", "ink": True, "hoverinfo": "name",
                "x": [_figures(end) for end in ends], "y": [_figures(min(peak, end * memory)) for end in ends],
                "line": {"width": 2},
            }
        )  # fmt: skip
    axes = {name: {"title": {"text": text}, "type": "log"} for name, text in
            (("xaxis", "FLOP per byte"), ("yaxis", "GFLOP/s"))}  # fmt: skip
    return {"data": data, "layout": axes}


def ranks(found: Ranking) -> Figure:
    """Mean ranks as dots, best first, and beside them a bar for each group that no test tells apart."""
    data: list[Figure] = [
        {
            "type": "scatter", "mode": "markers+text", "x": [_figures(rank) for rank in found.ranks],
            "y": list(found.names), "text": [f"{rank:.2f}" for rank in found.ranks], "textposition": "middle left",
            "marker": {"size": 9, "color": COLOURS[0]}, "showlegend": False, "hoverinfo": "skip",
        }
    ]  # fmt: skip
    for number, group in enumerate(found.groups, start=1):
        place = len(found.names) + 0.5 * number
        data.append(
            {
                "type": "scatter", "mode": "lines", "x": [place] * len(group), "y": list(group), "showlegend": False,
                "line": {"color": COLOURS[1], "width": 5}, "hovertemplate": "not told apart<extra></extra>",
            }
        )  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": "mean rank, 1 is best; bars join what no test tells apart"}},
        "yaxis": {"autorange": "reversed"},
        "margin": {"l": 150},
    }
    return {"data": data, "layout": layout}


def trials(histories: dict[str, list[float]]) -> Figure:
    """The best validation value after each trial, of each variant, as a share of its first trial's."""
    data = []
    for number, (label, values) in enumerate(histories.items()):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
        best = np.minimum.accumulate(np.array(values)) / values[0]
        data.append(_series(list(range(1, len(best) + 1)), best, label, colour, dash))
    layout = {
        "xaxis": {"title": {"text": "trial"}},
        "yaxis": {"title": {"text": "best validation value / the first trial's"}},
    }
    return {"data": data, "layout": layout}


def _first_seeds(board: Board, load: Load) -> dict[str, Stored]:
    """The stored forecasts of each line's first seed, best line first; naive is drawn from the truth."""
    found: dict[str, Stored] = {}
    for line in board.lines:
        stored = load(line.rows[0]) if line.rows and not line.is_naive else None
        if stored is not None and (not found or _is_alike(stored, next(iter(found.values())))):
            found[line.label] = stored
    return found


def _is_alike(one: Stored, other: Stored) -> bool:
    return one.truth.shape == other.truth.shape and bool((one.truth == other.truth).all())


def _series(
    x: Sequence[Any], y: np.ndarray, name: str, colour: str | None, dash: str, *, is_shown: bool = True
) -> Figure:
    """One line of a figure; without a colour it takes that of the text."""
    found: Figure = {
        "type": "scatter", "mode": "lines", "name": name, "x": list(x), "y": [_figures(value) for value in y],
        "line": {"color": colour, "dash": dash, "width": 1.5}, "visible": True if is_shown else "legendonly",
    }  # fmt: skip
    return found if colour is not None else found | {"ink": True}


def _over_time(label: str) -> Figure:
    return {"xaxis": {"title": {"text": ""}}, "yaxis": {"title": {"text": label}}, "hovermode": "x unified"}


def _when(stored: Stored) -> list[Any]:
    kept = _thinned(len(stored.truth))
    if stored.time is None:
        return [int(row) for row in stored.target_row[kept]]
    return [str(moment).removesuffix("T00:00:00") for moment in stored.time[kept].astype("datetime64[s]")]


def _thinned(count: int) -> slice:
    return slice(None, None, max(1, math.ceil(count / MOST_POINTS)))


def _rmse(errors: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt((errors**2).mean(axis=0)))


def _figures(value: float) -> float | None:
    """A number with six digits; None where there is none."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def worst_windows(line: Line, load: Load, most: int = 5) -> tuple[list[int], list[int], Stored] | None:
    """The test windows in which a line's first seed errs most and least, and its stored forecasts."""
    stored = load(line.rows[0]) if line.rows else None
    losses = stored.losses() if stored is not None else None
    if stored is None or losses is None:
        return None
    order: Iterable[int] = np.argsort(losses, kind="stable")
    ordered = [int(place) for place in order]
    return ordered[::-1][:most], ordered[:most], stored
