"""Pictures of speed rows: windows per second, the roofline, cliffs and scaling."""

import statistics
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zoo.report.board import Row
from zoo.report.canvas import (
    COLOURS,
    GREY,
    Style,
    furnish,
    legend,
    marker_line,
    panels_of,
    save,
    styles_of,
    verbatim,
)
from zoo.speed.report.paths import path_changes
from zoo.speed.report.rows import CEILINGS, intensity, is_measured, labels, main_form, middle, thinned, usual, value
from zoo.speed.report.sheets import fullest, sheets
from zoo.speed.report.trends import cliffs, parameter_sweeps, sweeps
from zoo.speed.report.words import PHASES

NAMES = ("windows-per-second.png", "roofline.png", "cliffs.png", "scaling.png")
PHASE_MARKERS = {"train": "o", "infer": "^"}
MOST_COLUMNS = 4  # of panels
MOST_PANELS = 6  # of sweeps


def draw(rows: Sequence[Row], folder: Path) -> list[str]:
    """Write the PNG files for which the rows hold something to show, and return their names.

    They show the first place, its main mode and dtype, and, but for cliffs.png, one set of parameters of each variant
    that is no baseline: baselines are so much faster that nothing else could be told apart. Of the
    four, those that nothing is left to show for are deleted from the folder.
    """
    figures = _figures(rows)
    for name in NAMES:
        if name in figures:
            save(figures[name], folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    return list(figures)


def _figures(rows: Sequence[Row]) -> dict[str, Figure]:
    """By name, the pictures for which there are rows."""
    found = sheets([row for row in rows if is_measured(row)])
    if not found:
        return {}
    here = [row for sheet in found if sheet.place == found[0].place for row in sheet.rows]
    form = main_form(here)
    shown = [row for row in here if (row["mode"], row["dtype"]) == form]
    chosen = usual(shown)
    chosen = [row for row in chosen if "baseline" not in row["tags"]] or chosen
    names = {key: verbatim(name) for key, name in labels(rows).items()}
    styles = styles_of(names[row["key"]] for row in chosen)
    figures = (
        _throughput(chosen, names, styles),
        _roofline(chosen, names, styles),
        _cliffs(shown),
        _scaling(chosen, names, styles),
    )
    return {name: figure for name, figure in zip(NAMES, figures, strict=True) if figure is not None}


def _throughput(rows: Sequence[Row], names: dict[str, str], styles: dict[str, Style]) -> Figure:
    """Windows a second over batch size: a row of panels for each phase, a column for each lookback."""
    found = fullest(sheets(rows, names))
    lookbacks = thinned(sorted({sheet.lookback for sheet in found}), MOST_COLUMNS)
    phases = [phase for phase in PHASES if any(sheet.phase == phase for sheet in found)]
    figure, panels = panels_of(len(phases), len(lookbacks))
    for sheet in found:
        if sheet.lookback not in lookbacks:
            continue
        axes = panels[phases.index(sheet.phase)][lookbacks.index(sheet.lookback)]
        for line in sheet.lines:
            batches = sorted(line.cells)
            rates = [line.cells[batch]["windows_per_second"] for batch in batches]
            axes.plot(batches, [rate["median"] for rate in rates], label=line.label, **styles[line.label])
            low, high = ([rate.get(name) or rate["median"] for rate in rates] for name in ("p5", "p95"))
            axes.fill_between(batches, low, high, color=styles[line.label]["color"], alpha=0.25, linewidth=0)
        furnish(axes, sheet.title, "batch size", "windows/s", ticks={row["batch_size"] for row in sheet.rows})
    legend(figure, panels)
    return figure


def _roofline(rows: Sequence[Row], names: dict[str, str], styles: dict[str, Style]) -> Figure | None:
    """Achieved FLOP/s over the FLOP for each byte, at the middle lookback; lines go from small to large batches."""
    lookback = middle(sorted({sheet.lookback for sheet in fullest(sheets(rows))}))
    chosen = [row for row in rows if row["lookback"] == lookback and intensity(row) and row.get("flops_per_second")]
    known = [row["ceilings"] for row in rows if all(value(row, "ceilings", name) for name in CEILINGS)]
    if not chosen or not known:
        return None
    figure, ((axes,),) = panels_of(1, 1, width=6.0, height=5.0)
    for label in dict.fromkeys(names[row["key"]] for row in chosen):
        for phase, marker in PHASE_MARKERS.items():
            group = [row for row in chosen if names[row["key"]] == label and row["phase"] == phase]
            group.sort(key=lambda row: row["batch_size"])
            style = {**styles[label], "marker": marker, "linewidth": 0.8, "label": label}
            axes.plot([intensity(row) for row in group], [1e-9 * row["flops_per_second"] for row in group], **style)
    peak, memory = (1e-9 * statistics.median(ceilings[name] for ceilings in known) for name in CEILINGS)
    ridge = peak / memory
    left, right = min(ridge, *map(intensity, chosen)) / 2, 2 * max(ridge, *map(intensity, chosen))
    axes.plot([left, ridge, right], [left * memory, peak, peak], color=GREY, linewidth=2)
    slope = (left * ridge) ** 0.5  # the middle of the sloping part
    axes.annotate(f"{peak:,.0f} GFLOP/s", (right, peak), (0, 4), textcoords="offset points", ha="right", color=GREY)
    axes.annotate(f"{memory:,.0f} GB/s", (slope, slope * memory), (6, -6), textcoords="offset points", va="top",
                  color=GREY)  # fmt: skip
    title = f"Lookback {lookback}: from small to large batches, below the measured ceilings"
    furnish(axes, title, "FLOP per byte", "GFLOP/s")
    legend(figure, [[axes]], [marker_line(marker, PHASES[phase]) for phase, marker in PHASE_MARKERS.items()])
    return figure


def _cliffs(rows: Sequence[Row]) -> Figure | None:
    """Time for each window over a swept parameter: a panel for each variant and phase, a line for each batch size."""
    grouped: dict[tuple[str, str, str, int], list[list[Row]]] = {}
    for name, swept in parameter_sweeps(rows).items():
        shown = labels(rows, without=name)
        for group in swept:
            first = group[0]
            grouped.setdefault((name, shown[first["key"]], first["phase"], first["lookback"]), []).append(group)
    if not grouped:
        return None
    longest = sorted(grouped, key=lambda key: -sum(map(len, grouped[key])))[:MOST_PANELS]
    chosen = sorted(longest, key=lambda key: (key[0], key[1], key[3], key[2] != "train"))
    columns = min(2, len(chosen))
    figure, panels = panels_of(-(-len(chosen) // columns), columns, width=4.6, height=3.6)
    faster = {cliff.bigger["key"] for cliff in cliffs(rows)}
    batches = sorted({group[0]["batch_size"] for key in chosen for group in grouped[key]})
    for place, key in enumerate(chosen):
        axes, (name, label, phase, lookback) = panels[place // columns][place % columns], key
        for group in sorted(grouped[key], key=lambda group: group[0]["batch_size"]):
            batch = group[0]["batch_size"]
            colour = COLOURS[batches.index(batch) % len(COLOURS)]
            sizes, times = [row["params"][name] for row in group], [_micros(row) for row in group]
            axes.plot(sizes, times, color=colour, marker=".", linewidth=1.2, label=f"batch {batch:,}")
            ringed = [(size, time) for size, time, row in zip(sizes, times, group, strict=True) if row["key"] in faster]
            for size, time in ringed:
                axes.plot(size, time, "o", markersize=10, markerfacecolor="none", markeredgecolor=colour)
        furnish(axes, fill(f"{verbatim(label)}, {PHASES[phase]}, lookback {lookback}", 60), name, "µs for each window")
        axes.set_xscale("linear")
        _changes(axes, grouped[key], name)
    more = []
    if faster:
        ring = Line2D([], [], color=GREY, marker="o", markersize=10, markerfacecolor="none", linestyle="none")
        ring.set_label("faster than the\nsize before it")
        more.append(ring)
    if any(path_changes(*pair) for groups in grouped.values() for group in groups for pair in pairwise(group)):
        more.append(Line2D([], [], color=GREY, linestyle=":", label="the path changes"))
    legend(figure, panels, more)
    return figure


def _changes(axes: Axes, groups: Sequence[Sequence[Row]], name: str) -> None:
    """Vertical lines where the expected path changes, with the path that begins there."""
    marks = {
        ((small["params"][name] + big["params"][name]) / 2, ", ".join(f"{way} {new}" for way, _, new in changes))
        for group in groups
        for small, big in pairwise(group)
        if (changes := path_changes(small, big))
    }
    for position, text in sorted(marks):
        axes.axvline(position, color=GREY, linestyle=":", linewidth=1)
        axes.annotate(text, (position, 0), (2, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
                      rotation=90, va="bottom", fontsize=7, color=GREY)  # fmt: skip


def _scaling(rows: Sequence[Row], names: dict[str, str], styles: dict[str, Style]) -> Figure | None:
    """Step time over batch size and over lookback, a row of panels for each phase, beside a line of slope 1."""
    found = {over: sweeps(rows, over, 4) for over in ("batch_size", "lookback")}
    found = {over: groups for over, groups in found.items() if groups}
    phases = [phase for phase in PHASES if any(g[0]["phase"] == phase for groups in found.values() for g in groups)]
    if not found:
        return None
    figure, panels = panels_of(len(phases), len(found), width=4.4)
    for column, (over, groups) in enumerate(found.items()):
        fixed = "lookback" if over == "batch_size" else "batch_size"
        for row_of_panels, phase in zip(panels, phases, strict=True):
            axes = row_of_panels[column]
            of_phase = [group for group in groups if group[0]["phase"] == phase]
            if not of_phase:
                continue
            at = middle(sorted({group[0][fixed] for group in of_phase}))
            shown = [group for group in of_phase if group[0][fixed] == at]
            for group in shown:
                label = names[group[0]["key"]]
                times = [1e3 * row["step_seconds"]["median"] for row in group]
                axes.plot([row[over] for row in group], times, label=label, **styles[label])
            title = f"{PHASES[phase].capitalize()}, {fixed.replace('_size', '')} {at:,}"
            sizes = {row[over] for group in shown for row in group}
            furnish(axes, title, over.replace("_", " "), "ms for each step", ticks=sizes)
            _guide(axes, min(sizes), max(sizes))
    legend(figure, panels, [Line2D([], [], color=GREY, linestyle=":", label="slope 1")])
    return figure


def _guide(axes: Axes, first: int, last: int) -> None:
    """A dotted line of slope 1 to the upper right corner of the panel, which keeps its limits."""
    low, high = axes.get_ylim()
    axes.plot([first, last], [high * first / last, high], color=GREY, linestyle=":", linewidth=1.5, zorder=1)
    axes.set_ylim(low, high)


def _micros(row: Row) -> float:
    """Microseconds for each window."""
    return float(1e6 * row["step_seconds"]["median"] / row["batch_size"])
