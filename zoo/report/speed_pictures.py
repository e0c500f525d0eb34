"""Pictures of speed: windows per second, the roofline, cliffs and scaling, as charts for PNG files and the page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from zoo.report.chart import Chart, Figure, Mark, Series, looks, png
from zoo.speed.table import (
    PHASES,
    RATE,
    TIME,
    cliffs,
    fullest,
    labels,
    main_rows,
    parameter_sweeps,
    sheets,
    speed_rows,
    sweeps,
    thinned,
    usual,
)

PICTURES = {
    "windows-per-second": "Windows per second over batch size, with the range from the 5th to the 95th percentile",
    "roofline": "Achieved FLOP/s over FLOP per byte, under the measured ceilings",
    "cliffs": "Time per window over the size of the model",
    "scaling": "Step time over batch size and over lookback",
}
MOST_COLUMNS, MOST_PANELS = 4, 6
PEAKS = ("ceilings.flops_per_second", "ceilings.bytes_per_second")


def speed_charts(frame: pd.DataFrame) -> dict[str, Figure]:
    """The figures of PICTURES for which the speed rows of a frame of results have data, by name.

    They show the first place in its usual mode and dtype, with one set of parameters for each variant (but for the
    cliffs), and leave out baselines, which are so fast that the other lines would fall together.
    """
    main = main_rows(speed_rows(frame))
    main = main[main["batch_size"] != "max"]
    if main.empty:
        return {}
    main = main.astype({"batch_size": int})
    rows = usual(main)
    rows = rows if rows["is_baseline"].all() else rows[~rows["is_baseline"]]
    styles = looks(rows["label"])
    figures = {
        "windows-per-second": _throughput(rows, styles),
        "roofline": _roofline(rows, styles),
        "cliffs": _cliffs(main),
        "scaling": _scaling(rows, styles),
    }
    return {name: figure for name, figure in figures.items() if figure}


def draw_speed(frame: pd.DataFrame, folder: Path) -> list[str]:
    """Write the figures as PNG files into the folder and return their names; files of PICTURES without data go."""
    figures = speed_charts(frame)
    for name in PICTURES:
        path = folder / f"{name}.png"
        if name in figures:
            png(figures[name], path)
        else:
            path.unlink(missing_ok=True)
    return [f"{name}.png" for name in figures]


def _throughput(rows: pd.DataFrame, styles: dict[str, dict[str, Any]]) -> Figure:
    """A row of panels for each phase, a column for each lookback."""
    found = fullest(sheets(rows))
    figure = []
    for phase in PHASES:
        of_phase = [sheet for sheet in found if sheet.phase == phase]
        charts = []
        for sheet in (of_phase[place] for place in thinned(range(len(of_phase)), MOST_COLUMNS)):
            series = [
                Series(label, group["batch_size"], group[RATE], "lines+markers", size=5,
                       band=(group["windows_per_second.p5"], group["windows_per_second.p95"]), **styles[label])
                for label, group in _lines(sheet.rows, "batch_size")
            ]  # fmt: skip
            charts.append(_chart(sheet.title, "batch size", "windows/s", series, x_ticks=_sizes(sheet.rows)))
        figure += [charts] if charts else []
    return _side_by_side(figure)


def _roofline(rows: pd.DataFrame, styles: dict[str, dict[str, Any]]) -> Figure:
    """A panel for each phase at the middle lookback; lines go from small to large batches."""
    lookbacks = sorted({int(sheet.rows["lookback"].iloc[0]) for sheet in fullest(sheets(rows))})
    lookback = lookbacks[len(lookbacks) // 2]
    rows = rows[(rows["lookback"] == lookback) & (rows["flops_per_second"] > 0) & (rows["bytes_per_step"] > 0)]
    peak, memory = (1e-9 * rows[name].astype(float).median() for name in PEAKS)
    if rows.empty or not peak > 0 or not memory > 0:
        return []
    intensity = (rows["flops_per_window"] * rows["batch_size"] / rows["bytes_per_step"]).astype(float)
    rows = rows.assign(intensity=intensity, achieved=1e-9 * rows["flops_per_second"].astype(float))
    charts = []
    for phase, word in PHASES.items():
        of_phase = rows[rows["phase"] == phase]
        series = [
            Series(label, group["intensity"], group["achieved"], "lines+markers", size=5, **styles[label])
            for label, group in _lines(of_phase, "batch_size")
        ]
        if series:
            ridge = peak / memory
            left, right = min(ridge, of_phase["intensity"].min()) / 2, 2 * max(ridge, of_phase["intensity"].max())
            middle = (left * ridge) ** 0.5
            series.append(Series("", [left, ridge, right], [left * memory, peak, peak], colour="grey", width=2))
            marks = (
                Mark(f"{peak:,.0f} GFLOP/s", right, peak, "right"),
                Mark(f"{memory:,.0f} GB/s", middle, middle * memory),
            )
            title = f"{word.capitalize()}, lookback {lookback}: from small to large batches"
            ends = (min(left * memory, of_phase["achieved"].min()) / 1.5, 2 * max(peak, of_phase["achieved"].max()))
            charts.append(
                _chart(title, "FLOP per byte", "GFLOP/s", series, marks=marks, y_range=ends, width=4.6, height=4.0)
            )
    return [charts] if charts else []


def _cliffs(rows: pd.DataFrame) -> Figure:
    """A panel for each variant and phase, a line for each batch size; rings on models faster than the next smaller."""
    panels: dict[tuple[str, str, str, int], list[pd.DataFrame]] = {}
    for name, groups in parameter_sweeps(rows).items():
        names = labels(rows, without=name)
        for group in groups:
            first = group.iloc[0]
            key = (name, str(names[first.name]), str(first["phase"]), int(first["lookback"]))
            panels.setdefault(key, []).append(group)
    longest = sorted(panels, key=lambda key: -sum(map(len, panels[key])))[:MOST_PANELS]
    batches = sorted({group.iloc[0]["batch_size"] for key in longest for group in panels[key]})
    faster = {cliff["key"] for cliff in cliffs(rows)}
    charts = []
    for key in sorted(longest, key=lambda key: (key[0], key[1], key[3], key[2] != "train")):
        name, label, phase, lookback = key
        sizes, series = f"params.{name}", []
        shown = pd.concat(panels[key])
        shown = shown.assign(micros=1e6 * shown[TIME] / shown["batch_size"])
        for batch, group in shown.groupby("batch_size"):
            series.append(Series(f"batch {batch:,}", group[sizes], group["micros"], "lines+markers",
                                 colour=batches.index(batch), size=4))  # fmt: skip
        ringed = shown[shown["key"].isin(faster)]
        if len(ringed):
            series.append(Series("faster than the next smaller size", ringed[sizes], ringed["micros"], "markers",
                                 colour="grey", size=12, is_hollow=True))  # fmt: skip
        title = f"{label}, {PHASES[phase]}, lookback {lookback}"
        charts.append(Chart(title, name, "µs per window", series, log_y=True, width=4.6, height=3.6))
    return [charts[place : place + 2] for place in range(0, len(charts), 2)]


def _scaling(rows: pd.DataFrame, styles: dict[str, dict[str, Any]]) -> Figure:
    """Step time over batch size and over lookback, a row of panels for each phase, beside a line of slope 1."""
    figure = []
    swept = {over: list(sweeps(rows, over, 4)) for over in ("batch_size", "lookback")}
    for phase in PHASES:
        charts = []
        for over, groups in swept.items():
            fixed = "lookback" if over == "batch_size" else "batch_size"
            of_phase = [group for group in groups if group.iloc[0]["phase"] == phase]
            sizes = sorted({int(group.iloc[0][fixed]) for group in of_phase})
            if not sizes:
                continue
            size = sizes[len(sizes) // 2]
            shown = pd.concat([group for group in of_phase if group.iloc[0][fixed] == size])
            series = [
                Series(label, group[over], 1e3 * group[TIME], "lines+markers", size=5, **styles[label])
                for label, group in _lines(shown, over)
            ]
            first, last, most = shown[over].min(), shown[over].max(), 1e3 * shown[TIME].max()
            ticks = sorted(set(shown[over]))
            low = 1e3 * shown[TIME].min()
            start = max(first, last * low / most)  # the guide stays within the panel
            guide = Series("slope 1", [start, last], [most * start / last, most], colour="grey", dash="dot")
            title = f"{PHASES[phase].capitalize()}, {fixed.replace('_size', '')} {size:,}"
            charts.append(
                _chart(title, over.replace("_", " "), "ms per step", [*series, guide], x_ticks=ticks, width=4.4)
            )
        figure += [charts] if charts else []
    return _side_by_side(figure)


def _side_by_side(figure: list[list[Chart]]) -> Figure:
    """Rows of one panel each as one row."""
    return [[row[0] for row in figure]] if figure and all(len(row) == 1 for row in figure) else figure


def _chart(title: str, x_label: str, y_label: str, series: Sequence[Series], **how: Any) -> Chart:
    size = {"width": 3.5, "height": 3.4, **how}
    return Chart(title, x_label, y_label, series, log_x=True, log_y=True, **size)


def _lines(rows: pd.DataFrame, over: str) -> list[tuple[str, pd.DataFrame]]:
    return [(str(label), group.sort_values(over)) for label, group in rows.groupby("label")]


def _sizes(rows: pd.DataFrame) -> list[int]:
    return sorted({int(size) for size in rows["batch_size"]})
