"""Pictures of speed rows: windows per second, the roofline, cliffs and scaling."""

import io
import statistics
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from PIL import Image

from zoo.report.board import Row
from zoo.report.speed import (
    PHASES,
    cliffs,
    fullest,
    is_measured,
    labels,
    main_form,
    parameter_sweeps,
    path_changes,
    sheets,
    sweeps,
    thinned,
    usual,
    value,
)

# Okabe and Ito's colours, which the colour-blind can tell apart; yellow is left out: too pale for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osDvPX*"
PHASE_MARKERS = {"train": "o", "infer": "^"}
CEILINGS = ("flops_per_second", "bytes_per_second")
GREY = "#666666"
LONGEST_LABEL = 40  # characters in a line of the legend
MOST_COLUMNS = 4  # of panels
MOST_PANELS = 6  # of sweeps

Style = dict[str, Any]


def draw(rows: Sequence[Row], folder: Path) -> list[str]:
    """Write the PNG files for which the rows hold something to show, and return their names.

    They show the first place, its main mode and dtype, and, but for cliffs.png, one set of parameters of each variant
    that is no baseline: baselines are so much faster that nothing else could be told apart.
    """
    found = sheets([row for row in rows if is_measured(row)])
    if not found:
        return []
    first = [sheet for sheet in found if sheet.place == found[0].place]
    here = [row for sheet in first for line in sheet.lines for row in line.cells.values()]
    form = main_form(here)
    shown = [row for row in here if (row["mode"], row["dtype"]) == form]
    names = {key: _verbatim(name) for key, name in labels(rows).items()}
    chosen = usual(shown)
    chosen = [row for row in chosen if "baseline" not in row["tags"]] or chosen
    styles = _styles(chosen, names)
    pictures = {
        "windows-per-second.png": _throughput(chosen, names, styles),
        "roofline.png": _roofline(chosen, names, styles),
        "cliffs.png": _cliffs(shown),
        "scaling.png": _scaling(chosen, names, styles),
    }
    written = []
    for name, figure in pictures.items():
        if figure is not None:
            _save(figure, folder / name)
            written.append(name)
    return written


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colours: a third of the size, and no eye sees it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def _throughput(rows: Sequence[Row], names: dict[str, str], styles: dict[str, Style]) -> Figure:
    """Windows a second over batch size: a row of panels for each phase, a column for each lookback."""
    found = fullest(sheets(rows, names))
    lookbacks = thinned(sorted({sheet.lookback for sheet in found}), MOST_COLUMNS)
    phases = [phase for phase in PHASES if any(sheet.phase == phase for sheet in found)]
    figure, panels = _panels(len(phases), len(lookbacks))
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
        batches_seen = {batch for line in sheet.lines for batch in line.cells}
        _furnish(axes, sheet.title, "batch size", "windows/s", ticks=batches_seen)
    _legend(figure, panels)
    return figure


def _roofline(rows: Sequence[Row], names: dict[str, str], styles: dict[str, Style]) -> Figure | None:
    """Achieved FLOP/s over the FLOP for each byte, at the middle lookback; lines go from small to large batches."""
    lookback = _middle({sheet.lookback for sheet in fullest(sheets(rows))})
    chosen = [row for row in rows if row["lookback"] == lookback and _intensity(row) and row.get("flops_per_second")]
    known = [row["ceilings"] for row in rows if all(value(row, "ceilings", name) for name in CEILINGS)]
    if not chosen or not known:
        return None
    figure, ((axes,),) = _panels(1, 1, width=6.0, height=5.0)
    for label in dict.fromkeys(names[row["key"]] for row in chosen):
        for phase, marker in PHASE_MARKERS.items():
            group = [row for row in chosen if names[row["key"]] == label and row["phase"] == phase]
            group.sort(key=lambda row: row["batch_size"])
            style = {**styles[label], "marker": marker, "linewidth": 0.8, "label": label}
            axes.plot([_intensity(row) for row in group], [1e-9 * row["flops_per_second"] for row in group], **style)
    peak, memory = (1e-9 * statistics.median(ceilings[name] for ceilings in known) for name in CEILINGS)
    ridge = peak / memory
    left, right = min(ridge, *map(_intensity, chosen)) / 2, 2 * max(ridge, *map(_intensity, chosen))
    axes.plot([left, ridge, right], [left * memory, peak, peak], color=GREY, linewidth=2)
    slope = (left * ridge) ** 0.5  # the middle of the sloping part
    axes.annotate(f"{peak:,.3g} GFLOP/s", (right, peak), (0, 4), textcoords="offset points", ha="right", color=GREY)
    axes.annotate(f"{memory:,.3g} GB/s", (slope, slope * memory), (6, -6), textcoords="offset points", va="top",
                  color=GREY)  # fmt: skip
    title = f"Lookback {lookback}: from small to large batches, below the measured ceilings"
    _furnish(axes, title, "FLOP per byte", "GFLOP/s")
    _legend(figure, [[axes]], [_marker(marker, PHASES[phase]) for phase, marker in PHASE_MARKERS.items()])
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
    fullest = sorted(grouped, key=lambda key: -sum(map(len, grouped[key])))[:MOST_PANELS]
    chosen = sorted(fullest, key=lambda key: (key[0], key[1], key[3], key[2] != "train"))
    columns = min(2, len(chosen))
    figure, panels = _panels(-(-len(chosen) // columns), columns, width=4.6, height=3.6)
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
        _furnish(
            axes, fill(f"{_verbatim(label)}, {PHASES[phase]}, lookback {lookback}", 60), name, "µs for each window"
        )
        axes.set_xscale("linear")
        _changes(axes, grouped[key], name)
    more = []
    if faster:
        ring = Line2D([], [], color=GREY, marker="o", markersize=10, markerfacecolor="none", linestyle="none")
        ring.set_label("faster than the\nsize before it")
        more.append(ring)
    if any(path_changes(*pair) for groups in grouped.values() for group in groups for pair in pairwise(group)):
        more.append(Line2D([], [], color=GREY, linestyle=":", label="the path changes"))
    _legend(figure, panels, more)
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
    figure, panels = _panels(len(phases), len(found), width=4.4)
    for column, (over, groups) in enumerate(found.items()):
        fixed = "lookback" if over == "batch_size" else "batch_size"
        for row_of_panels, phase in zip(panels, phases, strict=True):
            axes = row_of_panels[column]
            of_phase = [group for group in groups if group[0]["phase"] == phase]
            if not of_phase:
                continue
            at = _middle({group[0][fixed] for group in of_phase})
            shown = [group for group in of_phase if group[0][fixed] == at]
            for group in shown:
                label = names[group[0]["key"]]
                times = [1e3 * row["step_seconds"]["median"] for row in group]
                axes.plot([row[over] for row in group], times, label=label, **styles[label])
            title = f"{PHASES[phase].capitalize()}, {fixed.replace('_size', '')} {at:,}"
            sizes = {row[over] for group in shown for row in group}
            _furnish(axes, title, over.replace("_", " "), "ms for each step", ticks=sizes)
            _guide(axes, min(sizes), max(sizes))
    _legend(figure, panels, [Line2D([], [], color=GREY, linestyle=":", label="slope 1")])
    return figure


def _guide(axes: Axes, first: int, last: int) -> None:
    """A dotted line of slope 1 to the upper right corner of the panel, which keeps its limits."""
    low, high = axes.get_ylim()
    axes.plot([first, last], [high * first / last, high], color=GREY, linestyle=":", linewidth=1.5, zorder=1)
    axes.set_ylim(low, high)


def _styles(rows: Sequence[Row], names: dict[str, str]) -> dict[str, Style]:
    """A colour and a marker for each label, the same in all pictures."""
    found: dict[str, Style] = {}
    for number, label in enumerate(sorted({names[row["key"]] for row in rows})):
        is_second = number >= len(COLOURS)  # the colours are used up: dashes tell those that share one
        found[label] = {
            "color": COLOURS[number % len(COLOURS)],
            "marker": MARKERS[number % len(MARKERS)],
            "markersize": 5,
            "markerfacecolor": "white" if is_second else None,
            "linestyle": "--" if is_second else "-",
            "linewidth": 1.4,
        }
    return found


def _panels(rows: int, columns: int, width: float = 3.5, height: float = 3.4) -> tuple[Figure, list[list[Axes]]]:
    """A figure of rows x columns panels of so many inches, unseen until they are furnished."""
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    panels: list[list[Axes]] = figure.subplots(rows, columns, squeeze=False).tolist()
    for axes in (axes for row in panels for axes in row):
        axes.set_axis_off()
    return figure, panels


def _furnish(axes: Axes, title: str, x_label: str, y_label: str, *, ticks: Iterable[int] = ()) -> None:
    """Logarithmic axes with plain numbers, or with ticks at the values measured."""
    axes.set_axis_on()
    axes.set(xscale="log", yscale="log", xlabel=x_label, ylabel=y_label)
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3, linewidth=0.6)
    low, high = axes.get_ylim()
    middle = (low * high) ** 0.5
    axes.set_ylim(min(low, middle / 2), max(high, middle * 2))  # noise alone does not fill a panel
    _number(axes.yaxis)
    _number(axes.xaxis)
    chosen = _apart(sorted(ticks))
    if chosen:
        axes.set_xticks(chosen, [f"{tick:,}" for tick in chosen])
    axes.tick_params(labelsize=8)


def _number(axis: Axis) -> None:
    """Numbers in full at 1, 2 and 5 of each power of ten, at fewer or more where the axis is long or short."""
    low, high = axis.get_view_interval()
    subs = (1.0,) if high > 300 * low else (1.0, 2.0, 5.0) if high > 8 * low else tuple(map(float, range(1, 10)))
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}" if number >= 1 else f"{number:g}"))


def _apart(ticks: Sequence[int]) -> list[int]:
    """Those far enough from the one before, on a logarithmic axis, to be read."""
    chosen = list(ticks[:1])
    for tick in ticks[1:]:
        if tick / chosen[-1] >= (ticks[-1] / ticks[0]) ** 0.12:
            chosen.append(tick)
    return chosen


def _legend(figure: Figure, panels: Sequence[Sequence[Axes]], more: Sequence[Line2D] = ()) -> None:
    """One legend for all panels, each label once, in room of its own beside them."""
    handles: dict[str, Artist] = {}
    for axes in (axes for row in panels for axes in row):
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    handles |= {str(line.get_label()): line for line in more}
    names = [fill(label, LONGEST_LABEL) for label in handles]
    longest = max(len(line) for name in names for line in name.splitlines())
    figure.set_figwidth(figure.get_figwidth() + 0.6 + 0.075 * longest)  # inches, by the width of a letter
    figure.legend(handles.values(), names, loc="outside right upper", fontsize=9, frameon=False)


def _marker(marker: str, label: str) -> Line2D:
    return Line2D([], [], color=GREY, marker=marker, linestyle="none", label=label)


def _verbatim(label: str) -> str:
    """Text in which a dollar sign begins no formula."""
    return label.replace("$", r"\$")


def _intensity(row: Row) -> float:
    """FLOP for each byte that a step must move; 0 where either is unknown."""
    if not row.get("flops_per_window") or not row.get("bytes_per_step"):
        return 0.0
    return float(row["flops_per_window"] * row["batch_size"] / row["bytes_per_step"])


def _micros(row: Row) -> float:
    """Microseconds for each window."""
    return float(1e6 * row["step_seconds"]["median"] / row["batch_size"])


def _middle(numbers: set[int]) -> int:
    return sorted(numbers)[len(numbers) // 2]
