"""Pictures of speed: windows per second, the roofline, cliffs and scaling, as charts for PNG files and the page."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from zoo.report.chart import Chart, Figure, Series, looks
from zoo.throughput import table
from zoo.throughput.table import PHASES, RATE, TIME

PICTURES = {
    "windows-per-second.png": "Windows per second over batch size, with the range from the 5th to the 95th percentile",
    "roofline.png": "Achieved FLOP/s over FLOP per byte, under the measured ceilings",
    "cliffs.png": "Time per window over the size of the model",
    "scaling.png": "Step time over batch size and over lookback",
}
MOST_COLUMNS, MOST_PANELS = 4, 6
Looks = dict[str, dict[str, Any]]


def speed_charts(rows: pd.DataFrame) -> dict[str, Figure]:
    """The figures of PICTURES for which speed rows have data, by file.

    They show the first place in its main mode and dtype, with one set of parameters for each variant (but for the
    cliffs), and leave out baselines, which are so fast that the other lines would fall together.
    """
    main = table.main_rows(rows)
    main = main[main["batch_size"] != "max"].astype({"batch_size": int})
    if main.empty:
        return {}
    shown = table.usual(main)
    shown = shown if shown["is_baseline"].all() else shown[~shown["is_baseline"]]
    styles = looks(shown["label"])
    figures = {
        "windows-per-second.png": _throughput(shown, styles),
        "roofline.png": _roofline(shown, styles),
        "cliffs.png": _cliffs(main),
        "scaling.png": _scaling(shown, styles),
    }
    return {name: figure for name, figure in figures.items() if figure}


def _throughput(rows: pd.DataFrame, styles: Looks) -> Figure:
    """A row of panels for each phase, a column for each lookback."""
    full = table.fullest(table.sheets(rows))
    figure = []
    for phase in PHASES:
        charts = []
        for sheet in table.thinned([sheet for sheet in full if sheet.phase == phase], MOST_COLUMNS):
            shown = sheet.rows.sort_values("batch_size")
            band = ["windows_per_second.p5", "windows_per_second.p95"]
            ticks = sorted(set(shown["batch_size"]))
            series = _lines(shown, "batch_size", RATE, styles, band)
            charts.append(_chart(sheet.title, "batch size", "windows/s", series, x_ticks=ticks))
        figure.append(charts)
    return _without_empty(figure)


def _roofline(rows: pd.DataFrame, styles: Looks) -> Figure:
    """A panel for each phase at the middle lookback; lines go from small to large batches."""
    lookbacks = sorted({sheet.rows["lookback"].iloc[0] for sheet in table.fullest(table.sheets(rows))})
    lookback = lookbacks[len(lookbacks) // 2]
    rows = rows[(rows["lookback"] == lookback) & (rows["flops_per_second"] > 0) & (rows["bytes_per_step"] > 0)]
    peak, memory = (1e-9 * rows[f"ceilings.{name}_per_second"].median() for name in ("flops", "bytes"))
    if not (peak > 0 and memory > 0):
        return []
    intensity = rows["flops_per_window"] * rows["batch_size"] / rows["bytes_per_step"]
    rows = rows.assign(intensity=intensity, achieved=1e-9 * rows["flops_per_second"]).sort_values("batch_size")
    charts, ridge = [], peak / memory
    for phase, word in PHASES.items():
        group = rows[rows["phase"] == phase]
        if group.empty:
            continue
        left, right = min(ridge, group["intensity"].min()) / 2, 2 * max(ridge, group["intensity"].max())
        x = [left, (left * ridge) ** 0.5, ridge, (ridge * right) ** 0.5, right]
        names = ["", f"{memory:,.0f} GB/s", "", f"{peak:,.0f} GFLOP/s", ""]
        ceiling = Series("", x, [min(peak, at * memory) for at in x], colour="grey", width=2, text=names)
        title = f"{word.capitalize()}, lookback {lookback}: from small to large batches"
        ends = (min(left * memory, group["achieved"].min()) / 1.5, 2 * max(peak, group["achieved"].max()))
        series = [*_lines(group, "intensity", "achieved", styles), ceiling]
        charts.append(_chart(title, "FLOP per byte", "GFLOP/s", series, y_range=ends, width=4.6, height=4.0))
    return _without_empty([charts])


def _cliffs(rows: pd.DataFrame) -> Figure:
    """A panel for each variant and phase, a line for each batch size; rings on models faster than the next smaller."""
    panels: dict[tuple[str, str, str, int], pd.DataFrame] = {}
    for name, groups in table.parameter_sweeps(rows).items():
        for (line, phase, lookback), group in pd.concat(groups).groupby(["line", "phase", "lookback"]):
            panels[name, line, phase, lookback] = group.assign(micros=1e6 * group[TIME] / group["batch_size"])
    fullest = sorted(panels, key=lambda key: -len(panels[key]))[:MOST_PANELS]
    batches = sorted({batch for key in fullest for batch in panels[key]["batch_size"]})
    faster = table.cliffs(rows)["key"]
    charts = []
    for name, line, phase, lookback in sorted(fullest, key=lambda key: (key[0], key[1], key[3], key[2] != "train")):
        shown, sizes = panels[name, line, phase, lookback], f"params.{name}"
        series = [
            Series(f"batch {batch:,}", group[sizes], group["micros"], "lines+markers", batches.index(batch), size=4)
            for batch, group in shown.groupby("batch_size")
        ]
        ringed = shown[shown["key"].isin(faster)]
        if len(ringed):
            ends = ringed[sizes], ringed["micros"]
            series.append(
                Series("faster than the next smaller size", *ends, "markers", "grey", size=12, is_hollow=True)
            )
        title = f"{line}, {PHASES[phase]}, lookback {lookback}"
        charts.append(Chart(title, name, "µs per window", series, log_y=True, width=4.6, height=3.6))
    return [charts[place : place + 2] for place in range(0, len(charts), 2)]


def _scaling(rows: pd.DataFrame, styles: Looks) -> Figure:
    """Step time over batch size and over lookback, a row of panels for each phase, beside a line of slope 1."""
    rows = rows.assign(milliseconds=1e3 * rows[TIME])
    figure: list[list[Chart]] = [[] for _ in PHASES]
    for over, fixed in (("batch_size", "lookback"), ("lookback", "batch_size")):
        groups = list(table.sweeps(rows, over, 4))
        for row, (phase, word) in zip(figure, PHASES.items(), strict=True):
            of_phase = [group for group in groups if group["phase"].iloc[0] == phase]
            if not of_phase:
                continue
            sizes = sorted({group[fixed].iloc[0] for group in of_phase})
            size = sizes[len(sizes) // 2]
            shown = pd.concat([group for group in of_phase if group[fixed].iloc[0] == size])
            last, least, most = shown[over].max(), shown["milliseconds"].min(), shown["milliseconds"].max()
            start = max(shown[over].min(), last * least / most)  # the guide stays within the panel
            guide = Series("slope 1", [start, last], [most * start / last, most], colour="grey", dash="dot")
            title = f"{word.capitalize()}, {fixed.replace('_size', '')} {size:,}"
            series = [*_lines(shown, over, "milliseconds", styles), guide]
            ticks = sorted(set(shown[over]))
            row.append(_chart(title, over.replace("_", " "), "ms per step", series, x_ticks=ticks, width=4.4))
    return _without_empty(figure)


def _lines(rows: pd.DataFrame, x: str, y: str, styles: Looks, band: Sequence[str] = ()) -> list[Series]:
    """A line for each label; band: columns of its lower and its upper edge."""
    return [
        Series(str(label), group[x], group[y], "lines+markers", size=5, **styles[str(label)],
               band=(group[band[0]], group[band[1]]) if band else None)
        for label, group in rows.groupby("label")
    ]  # fmt: skip


def _chart(title: str, x_label: str, y_label: str, series: Sequence[Series], **how: Any) -> Chart:
    return Chart(title, x_label, y_label, series, log_x=True, log_y=True, **{"width": 3.5, "height": 3.4, **how})


def _without_empty(figure: Sequence[list[Chart]]) -> Figure:
    """The rows that have panels; rows of one panel each become one row."""
    rows = [row for row in figure if row]
    return [[chart for row in rows for chart in row]] if rows and max(map(len, rows)) == 1 else rows
