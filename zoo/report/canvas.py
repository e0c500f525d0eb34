"""The canvas: panels with axes, colours and a legend that all pictures of reports share."""

import io
from collections.abc import Iterable, Sequence
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

# Okabe and Ito's colours, which the colour-blind can tell apart; yellow is left out: too pale for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osDvPX*"
GREY = "#666666"
LONGEST_LABEL = 40  # characters in a line of the legend

Style = dict[str, Any]


def styles_of(labels: Iterable[str]) -> dict[str, Style]:
    """A colour and a marker for each label, the same in all pictures."""
    found: dict[str, Style] = {}
    for number, label in enumerate(sorted(set(labels))):
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


def panels_of(rows: int, columns: int, width: float = 3.5, height: float = 3.4) -> tuple[Figure, list[list[Axes]]]:
    """A figure of rows x columns panels of so many inches, unseen until they are furnished."""
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    panels: list[list[Axes]] = figure.subplots(rows, columns, squeeze=False).tolist()
    for axes in (axes for row in panels for axes in row):
        axes.set_axis_off()
    return figure, panels


def furnish(axes: Axes, title: str, x_label: str, y_label: str, *, ticks: Iterable[int] = ()) -> None:
    """Logarithmic axes with plain numbers, or with ticks at the values measured."""
    axes.set_axis_on()
    axes.set(xscale="log", yscale="log", xlabel=x_label, ylabel=y_label)
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3, linewidth=0.6)
    low, high = axes.get_ylim()
    middle = (low * high) ** 0.5
    axes.set_ylim(min(low, middle / 2), max(high, middle * 2))  # noise alone does not fill a panel
    plain_numbers(axes.yaxis)
    plain_numbers(axes.xaxis)
    chosen = _apart(sorted(ticks))
    if chosen:
        axes.set_xticks(chosen, [f"{tick:,}" for tick in chosen])
    axes.tick_params(labelsize=8)


def legend(figure: Figure, panels: Sequence[Sequence[Axes]], more: Sequence[Line2D] = ()) -> None:
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


def marker_line(marker: str, label: str) -> Line2D:
    """A grey marker that explains itself in a legend."""
    return Line2D([], [], color=GREY, marker=marker, linestyle="none", label=label)


def verbatim(label: str) -> str:
    """Text in which a dollar sign begins no formula."""
    return label.replace("$", r"\$")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colours: a third of the size, and no eye sees it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def plain_numbers(axis: Axis) -> None:
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
