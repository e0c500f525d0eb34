"""Charts: what a figure shows, as plain values, and its PNG by matplotlib; html/figure.py draws it on the page."""

import io
import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any, Literal

import numpy as np

from zoo.files import MARK, write_atomically
from zoo.report.sides import SIDES, text_sides

# Okabe and Ito's colours: the colour-blind can tell them apart, and they are legible on white and on black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
GREY = "#8C8C8C"
DASHES = {"solid": "-", "dash": "--", "dot": ":"}  # plotly's names and matplotlib's
MARKERS = ("o", "s", "D", "^", "v", "X")
POINTS = 0.72  # in a pixel of a PNG, which has 100 to the inch
LONGEST_LABEL = 40  # characters in a line of a legend
NARROWEST = 4.0  # the least ratio of the ends of a logarithmic y axis, which noise alone does not fill

Values = Sequence[Any] | np.ndarray
Colour = int | Literal["grey", "ink"]


@dataclass(frozen=True, eq=False)
class Series:
    """Points of one colour, joined or not. A label of "" stays out of the legend.

    colour: a number, which COLOURS repeat, "grey", or "ink" (the colour of the text); band: (low, high) of each point;
    size: the diameter of its markers in pixels; text: shown beside each marker; hover: shown when it is pointed at.
    What is not shown is left out of a PNG; on the page a click in the legend shows it.
    """

    label: str
    x: Values
    y: Values
    kind: Literal["line", "markers", "lines+markers"] = "line"
    colour: Colour = 0
    dash: str = "solid"
    marker: str = "o"
    width: float = 1.5
    opacity: float = 1.0
    size: float = 6.0
    band: tuple[Values, Values] | None = None
    text: Sequence[str] = ()
    hover: Sequence[str] = ()
    is_hollow: bool = False
    is_shown: bool = True

    @property
    def hexadecimal(self) -> str:
        if isinstance(self.colour, int):
            return COLOURS[self.colour % len(COLOURS)]
        return GREY if self.colour == "grey" else "#000000"


@dataclass(frozen=True, eq=False)
class Chart:
    """One panel. y_names: rows from top to bottom, row n at y = n; x_names: columns from left to right; note: what to
    know to read it.

    width and height are inches of a PNG; on the page the width follows the window.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_x: bool = False
    log_y: bool = False
    x_ticks: Iterable[float] = ()
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    y_names: Sequence[str] = ()
    x_names: Sequence[str] = ()
    is_unified: bool = False  # on the page one box shows the values of all series at x
    opens_on: int | None = None  # on the page so many of the last points are shown first
    width: float = 7.5
    height: float = 4.2
    note: str = ""

    @property
    def x_ends(self) -> tuple[float, float] | None:
        """The ends of the x axis, where the values alone do not give them."""
        return (-0.5, len(self.x_names) - 0.5) if self.x_names else self.x_range

    @property
    def y_ends(self) -> tuple[float, float] | None:
        """The ends of the y axis, where the values alone do not give them."""
        if self.y_names:
            return len(self.y_names) - 0.5, -0.5
        if self.y_range is not None or not self.log_y:
            return self.y_range
        values = np.concatenate([np.asarray(part, dtype=float) for s in self.series for part in (s.y, *(s.band or ()))])
        values = values[np.isfinite(values) & (values > 0)]
        low, high = (float(values.min()) / 1.3, float(values.max()) * 1.3) if len(values) else (1.0, 1.0)
        middle = math.sqrt(low * high)
        return min(low, middle / NARROWEST**0.5), max(high, middle * NARROWEST**0.5)

    @property
    def ticks(self) -> list[float]:
        """Its x_ticks; on a logarithmic axis those that can be read apart."""
        ticks = sorted(self.x_ticks)
        apart = ticks[:1]
        for tick in ticks[1:]:
            if not self.log_x or tick / apart[-1] >= (ticks[-1] / ticks[0]) ** 0.12:
                apart.append(tick)
        return apart


Figure = Sequence[Sequence[Chart]]  # rows of panels


def looks(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """For each label the colour, dash and marker of its Series, the same in all charts of these labels."""
    dashes, count = list(DASHES), len(COLOURS)
    return {
        label: {"colour": number, "dash": dashes[number // count % len(dashes)], "marker": MARKERS[number % count]}
        for number, label in enumerate(sorted(set(labels)))
    }


def plain(number: float) -> str:
    """A tick: a whole number with its thousands apart."""
    return f"{number:,.0f}" if number >= 1 and number == round(number) else f"{number:g}"


def canvas_of(figure: Figure) -> Any:
    """The panels as one figure of matplotlib, which a notebook shows whether or not it has imported pyplot."""
    from matplotlib.figure import Figure as Canvas

    class Shown(Canvas):
        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    width = max(sum(chart.width for chart in row) for row in figure)
    heights = [max(chart.height for chart in row) for row in figure]
    columns = max(map(len, figure))
    canvas = Shown(figsize=(width, sum(heights)), layout="constrained", dpi=100)
    panels = canvas.subplots(len(figure), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
    for row, axes_of_row in zip(figure, panels, strict=True):
        for axes in axes_of_row[len(row) :]:
            axes.set_axis_off()
        for chart, axes in zip(row, axes_of_row, strict=False):
            _draw(chart, axes)
    _legend(canvas)
    return canvas


def png(figure: Figure, path: Path) -> None:
    """Write the panels as one PNG of 256 colours: a third of the size, and no visible loss."""
    import matplotlib
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    buffer = io.BytesIO()
    # A dollar sign begins no formula, and a letter that the font lacks is drawn as a box.
    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        canvas_of(figure).savefig(buffer, format="png")
    mark, small = PngInfo(), io.BytesIO()
    mark.add_text("Software", MARK)
    image = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(small, "png", optimize=True, pnginfo=mark)
    write_atomically(path, small.getvalue())


def _draw(chart: Chart, axes: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    for series, sides in zip(chart.series, text_sides(chart), strict=True):
        if series.is_shown:
            _draw_series(series, axes)
            for place, side in enumerate(sides):
                _draw_text(series, place, side, axes)
    axes.set_title(fill(chart.title, 60), fontsize=10)
    axes.set_xlabel(chart.x_label, fontsize=9)
    axes.set_ylabel(chart.y_label, fontsize=9)
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.tick_params(labelsize=8)
    axes.margins(0.12 if any(series.text for series in chart.series) else 0.03)
    if chart.x_names:
        axes.set_xticks(range(len(chart.x_names)), [fill(name, LONGEST_LABEL) for name in chart.x_names])
    if chart.y_names:
        axes.set_yticks(range(len(chart.y_names)), [fill(name, LONGEST_LABEL) for name in chart.y_names])
    if chart.log_x:
        axes.set_xscale("log")
    if chart.log_y:
        axes.set_yscale("log")
    axes.set(xlim=chart.x_ends, ylim=chart.y_ends)
    for axis, is_log in ((axes.xaxis, chart.log_x), (axes.yaxis, chart.log_y)):
        if is_log:
            _tick_powers(axis)
    if chart.ticks:
        axes.set_xticks(chart.ticks, [plain(tick) for tick in chart.ticks])
    if any(np.asarray(series.x).dtype.kind == "M" for series in chart.series):
        axes.xaxis.set_major_locator(locator := AutoDateLocator(minticks=3, maxticks=9))
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _tick_powers(axis: Any) -> None:
    """Ticks of a logarithmic axis, as plain numbers: the wider its range, the fewer."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    steps = [1.0] if high > 300 * low else [1.0, 2.0, 5.0] if high > 8 * low else [float(n) for n in range(1, 10)]
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda number, _: plain(number)))


def _draw_series(series: Series, axes: Any) -> None:
    y = np.asarray(series.y, dtype=float)
    look = {"color": series.hexadecimal, "alpha": series.opacity}
    look["label"] = f" {series.label}" if series.label else ""  # matplotlib leaves out what begins with an underscore
    if series.kind != "markers":
        line = {"linewidth": series.width, "linestyle": DASHES[series.dash], "solid_capstyle": "butt"}
        axes.plot(series.x, y, **look, **line)
    if series.kind != "line":
        face = {"facecolors": "none", "linewidths": 1.2} if series.is_hollow else {"linewidths": 0}
        axes.scatter(series.x, y, s=(POINTS * series.size) ** 2, marker=series.marker, zorder=2.5, **look, **face)
    if series.band is not None:
        axes.fill_between(series.x, *series.band, color=series.hexadecimal, alpha=0.2, linewidth=0)


def _draw_text(series: Series, place: int, side: str, axes: Any) -> None:
    across, up = SIDES[side]
    away = POINTS * (series.size / 2 + 3)
    axes.annotate(series.text[place], (series.x[place], series.y[place]), (across * away, up * away),
                  textcoords="offset points", fontsize=8, ha=("center", "left", "right")[across],
                  va=("center", "bottom", "top")[up])  # fmt: skip


def _legend(canvas: Any) -> None:
    """Each label once, in room of its own: above where they are few and short, else to the right."""
    handles: dict[str, dict[type, Any]] = {}
    for axes in canvas.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, {}).setdefault(type(handle), handle)  # a line and its markers share an entry
    if not handles:
        return
    names = [fill(label.strip(), LONGEST_LABEL) for label in handles]
    entries = [tuple(parts.values()) for parts in handles.values()]
    is_above = sum(len(name) + 6 for name in names) < 13 * canvas.get_figwidth() and len(names) <= 5
    if not is_above:
        longest = max(len(line) for name in names for line in name.splitlines())
        canvas.set_figwidth(canvas.get_figwidth() + 0.6 + 0.075 * longest)  # inches, by the width of a letter
    where = {"loc": "outside upper right", "ncols": len(names)} if is_above else {"loc": "outside right upper"}
    canvas.legend(entries, names, fontsize=9 - is_above, frameon=False, **where)
