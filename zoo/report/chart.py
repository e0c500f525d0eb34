"""Charts: what a figure shows, as plain values; matplotlib draws them as PNG, plotly draws them on the page."""

import io
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import fill
from typing import Any, Literal

import numpy as np

# Okabe and Ito's colours, which the colour-blind can tell apart and which read on white and on black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
GREY = "#8C8C8C"
DASHES = {"solid": "-", "dash": "--", "dot": ":"}  # plotly's names and matplotlib's
MARKERS = {
    "o": "circle",
    "s": "square",
    "D": "diamond",
    "^": "triangle-up",
    "v": "triangle-down",
    "X": "x",
    "<": "triangle-left",
}
ANCHORS = ("top center", "bottom center", "middle right", "middle left", "top right", "top left", "bottom right",
           "bottom left")  # fmt: skip
POINTS = 0.72  # in a pixel of a PNG, which has 100 to the inch
LONGEST_LABEL = 40  # characters in a line of a legend
PAGE = 96  # pixels to the inch on the page

Values = Sequence[Any] | np.ndarray


@dataclass(frozen=True, eq=False)
class Series:
    """Points of one colour, joined or not. A label of "" stays out of the legend.

    colour: a number, which COLOURS repeat, "grey", or "ink" (the colour of the text); band: (low, high) of each point;
    size: the diameter of markers in pixels; text: shown beside each marker; hover: shown when it is pointed at.
    What is not shown is left out of a PNG; on the page a click in the legend shows it.
    """

    label: str
    x: Values
    y: Values
    kind: Literal["line", "markers", "lines+markers"] = "line"
    colour: int | Literal["grey", "ink"] = 0
    dash: str = "solid"
    marker: str = "o"
    width: float = 1.5
    opacity: float = 1.0
    size: float | Sequence[float] = 6.0
    band: tuple[Values, Values] | None = None
    text: Sequence[str] = ()
    hover: Sequence[str] = ()
    is_hollow: bool = False
    is_shown: bool = True


@dataclass(frozen=True)
class Mark:
    """A dashed line across the panel at x or at y, with a text on it; only the text where both are given.

    Of a text alone, side "left" begins to the right of the point and below it, "right" ends at the point, above it.
    """

    text: str = ""
    x: float | None = None
    y: float | None = None
    side: Literal["left", "right"] = "left"


@dataclass(frozen=True, eq=False)
class Chart:
    """One panel. y_names: rows from top to bottom, row n at y = n; note: what to know to read it.

    width and height are inches of a PNG; on the page the width follows the window.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    marks: Sequence[Mark] = ()
    log_x: bool = False
    log_y: bool = False
    x_ticks: Iterable[float] = ()
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    y_names: Sequence[str] = ()
    is_unified: bool = False  # on the page one box shows the values of all series at x
    width: float = 7.5
    height: float = 4.2
    note: str = ""


Figure = Sequence[Sequence[Chart]]  # rows of panels


def looks(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """For each label the colour, dash and marker of its Series, the same in all charts of these labels."""
    dashes, markers = list(DASHES), list(MARKERS)[: len(COLOURS)]
    return {
        label: {
            "colour": number,
            "dash": dashes[number // len(COLOURS) % len(dashes)],
            "marker": markers[number % len(markers)],
        }
        for number, label in enumerate(sorted(set(labels)))
    }


def png(figure: Figure, path: Path) -> None:
    """Write the panels as one PNG of 256 colours, a third of the size, and no eye sees it."""
    import matplotlib
    from matplotlib.figure import Figure as Canvas
    from PIL import Image

    width = max(sum(chart.width for chart in row) for row in figure)
    heights = [max(chart.height for chart in row) for row in figure]
    columns = max(map(len, figure))
    buffer = io.BytesIO()
    # A dollar sign begins no formula, and a letter that the font lacks is drawn as a box.
    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        canvas = Canvas(figsize=(width, sum(heights)), layout="constrained", dpi=100)
        panels = canvas.subplots(len(figure), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
        for row, axes_of_row in zip(figure, panels, strict=True):
            for axes in axes_of_row[len(row) :]:
                axes.set_axis_off()
            for chart, axes in zip(row, axes_of_row, strict=False):
                _draw(chart, axes)
        _legend(canvas, [axes for axes in panels.flat])
        canvas.savefig(buffer, format="png")
    Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def plotly(chart: Chart) -> dict[str, Any]:
    """The chart as data and layout of plotly.js; a trace with `ink` takes the colour of the page's text."""
    places = _text_places(chart)
    traces: list[dict[str, Any]] = []
    labels = {""}
    for number, series in enumerate(chart.series):
        traces += _traces(series, places.get(number, ()), is_listed=series.label not in labels)
        labels.add(series.label)
    log = {"type": "log", "tickformat": ",~r", "nticks": 4}
    x_axis: dict[str, Any] = {"title": {"text": _html(chart.x_label)}} | (log if chart.log_x else {})
    y_axis: dict[str, Any] = {"title": {"text": _html(chart.y_label)}} | (log if chart.log_y else {})
    ticks = _ticks(chart)
    if ticks:
        x_axis |= {"tickvals": ticks, "ticktext": [_plain(tick) for tick in ticks]}
    if chart.y_names:
        names = [_html(name) for name in chart.y_names]
        y_axis |= {"tickvals": list(range(len(names))), "ticktext": names, "range": [len(names) - 0.5, -0.5]}
    for axis, ends, is_log in ((x_axis, chart.x_range, chart.log_x), (y_axis, _y_range(chart), chart.log_y)):
        if ends is not None:
            axis["range"] = [_digits(math.log10(end) if is_log else end) for end in ends]
    layout = {
        "xaxis": x_axis,
        "yaxis": y_axis,
        "hovermode": "x unified" if chart.is_unified else "closest",
        "shapes": [_shape(mark) for mark in chart.marks if mark.x is None or mark.y is None],
        "annotations": [_annotation(mark, chart) for mark in chart.marks if mark.text],
    }
    return {"data": traces, "layout": layout}


def _draw(chart: Chart, axes: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    for number, series in enumerate(chart.series):
        if series.is_shown:
            _draw_series(series, axes)
            for place, anchor in enumerate(_text_places(chart).get(number, ())):
                _draw_text(series, place, anchor, axes)
    for mark in chart.marks:
        _draw_mark(mark, axes)
    axes.set(xscale="log" if chart.log_x else axes.get_xscale(), yscale="log" if chart.log_y else axes.get_yscale())
    axes.set_title(fill(chart.title, 60), fontsize=10)
    axes.set_xlabel(chart.x_label, fontsize=9)
    axes.set_ylabel(chart.y_label, fontsize=9)
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.tick_params(labelsize=8)
    axes.margins(0.12 if any(series.text for series in chart.series) else 0.03)
    if chart.y_names:
        axes.set_yticks(range(len(chart.y_names)), [fill(name, LONGEST_LABEL) for name in chart.y_names])
        axes.set_ylim(len(chart.y_names) - 0.5, -0.5)
    if chart.x_range is not None:
        axes.set_xlim(chart.x_range)
    if (y_range := _y_range(chart)) is not None:
        axes.set_ylim(y_range)
    for axis, is_log in ((axes.xaxis, chart.log_x), (axes.yaxis, chart.log_y)):
        if is_log:
            low, high = axis.get_view_interval()
            subs = (
                (1.0,) if high > 300 * low else (1.0, 2.0, 5.0) if high > 8 * low else tuple(map(float, range(1, 10)))
            )
            axis.set_major_locator(LogLocator(subs=subs))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda number, _: _plain(number)))
    if ticks := _ticks(chart):
        axes.set_xticks(ticks, [_plain(tick) for tick in ticks])
    if any(np.asarray(series.x).dtype.kind == "M" for series in chart.series):
        axes.xaxis.set_major_locator(locator := AutoDateLocator(minticks=3, maxticks=9))
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _draw_series(series: Series, axes: Any) -> None:
    colour, y = _colour(series), np.asarray(series.y, dtype=float)
    style = {"color": colour, "alpha": series.opacity, "linewidth": series.width, "linestyle": DASHES[series.dash]}
    if series.kind != "markers":
        axes.plot(series.x, y, label=_entry(series), solid_capstyle="butt", **style)
    if series.kind != "line":
        areas = (POINTS * np.broadcast_to(np.asarray(series.size, dtype=float), y.shape)) ** 2
        faces = "none" if series.is_hollow else colour
        axes.scatter(series.x, y, s=areas, marker=series.marker, facecolors=faces, edgecolors=colour, zorder=2.5,
                     linewidths=1.2 if series.is_hollow else 0, alpha=series.opacity, label=_entry(series))  # fmt: skip
    if series.band is not None:
        axes.fill_between(series.x, *series.band, color=colour, alpha=0.2, linewidth=0)


def _draw_text(series: Series, place: int, anchor: str, axes: Any) -> None:
    across, up, radius = _offset(series, place, anchor)
    axes.annotate(series.text[place], (series.x[place], series.y[place]),
                  (POINTS * radius * across, POINTS * radius * up), textcoords="offset points", fontsize=8,
                  ha=("center", "left", "right")[across], va=("center", "bottom", "top")[up])  # fmt: skip


def _draw_mark(mark: Mark, axes: Any) -> None:
    if mark.x is not None and mark.y is not None:
        offset, upright = ((6, -6), "top") if mark.side == "left" else ((0, 4), "bottom")
        axes.annotate(mark.text, (mark.x, mark.y), offset, textcoords="offset points", ha=mark.side, va=upright,
                      fontsize=8, color=GREY)  # fmt: skip
    elif mark.x is not None:
        axes.axvline(mark.x, color=GREY, linestyle="--", linewidth=1, zorder=1)
        axes.annotate(mark.text, (mark.x, 0), (2, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
                      rotation=90, va="bottom", fontsize=7, color=GREY)  # fmt: skip
    elif mark.y is not None:
        axes.axhline(mark.y, color=GREY, linestyle="--", linewidth=1, zorder=1)
        axes.annotate(
            mark.text, (0.01, mark.y), xycoords=("axes fraction", "data"), va="bottom", fontsize=8, color=GREY
        )


def _legend(canvas: Any, panels: Iterable[Any]) -> None:
    """Each label once, in room of its own: above where they are few and short, else to the right."""
    handles: dict[str, dict[type, Any]] = {}
    for axes in panels:
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


def _traces(series: Series, places: Sequence[str], *, is_listed: bool) -> Iterator[dict[str, Any]]:
    x = _values(series.x)
    shared = {
        "type": "scatter",
        "x": x,
        "legendgroup": _html(series.label) or None,
        "ink": series.colour == "ink" or None,
        "visible": True if series.is_shown else "legendonly",
    }
    line = {"color": _colour(series), "dash": series.dash, "width": series.width}
    symbol = MARKERS[series.marker] + "-open" * series.is_hollow
    sizes = series.size if isinstance(series.size, (int, float)) else _values(series.size)
    marker = {"color": _colour(series), "size": sizes, "symbol": symbol, "opacity": series.opacity}
    trace = shared | {
        "y": _values(series.y),
        "name": _html(series.label),
        "showlegend": is_listed,
        "mode": {"line": "lines"}.get(series.kind, series.kind) + "+text" * bool(series.text),
        "opacity": series.opacity if series.kind == "line" else None,
        "line": line if series.kind != "markers" else None,
        "marker": marker if series.kind != "line" else None,
        "text": [_html(text) for text in series.text] or None,
        "textposition": list(places) or None,
        "cliponaxis": False if series.text else None,
        "hovertext": [_html(text) for text in series.hover] or None,
        "hoverinfo": "text" if series.hover else None if series.label else "skip",
    }
    yield {name: value for name, value in trace.items() if value is not None}
    if series.band is not None:
        low, high = (_values(ends) for ends in series.band)
        around = {"x": [*x, *x[::-1]], "y": [*high, *low[::-1]], "fill": "toself", "mode": "lines", "hoverinfo": "skip"}
        band = shared | around | {"line": {"color": _colour(series), "width": 0}, "opacity": 0.2, "showlegend": False}
        yield {name: value for name, value in band.items() if value is not None}


def _shape(mark: Mark) -> dict[str, Any]:
    line = {"dash": "dash", "width": 1, "color": GREY}
    if mark.y is None:
        return {"type": "line", "yref": "paper", "x0": mark.x, "x1": mark.x, "y0": 0, "y1": 1, "line": line}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": mark.y, "y1": mark.y, "line": line}


def _annotation(mark: Mark, chart: Chart) -> dict[str, Any]:
    x = math.log10(mark.x) if mark.x is not None and chart.log_x else mark.x
    y = math.log10(mark.y) if mark.y is not None and chart.log_y else mark.y
    where: dict[str, Any] = {
        "x": x,
        "y": y,
        "xanchor": mark.side,
        "yanchor": "top" if mark.side == "left" else "bottom",
    }
    if x is None:
        where |= {"x": 0, "xref": "paper", "yanchor": "bottom"}
    if y is None:
        where |= {"y": 0, "yref": "paper", "yanchor": "bottom", "textangle": -90}
    return {"text": _html(mark.text), "showarrow": False, "font": {"color": GREY, "size": 11}, **where}


def _text_places(chart: Chart) -> dict[int, list[str]]:
    """For each series with texts, on which side of each marker its text covers least of the others, as plotly names it.

    Sizes are those of a PNG, about.
    """
    labelled = {number: series for number, series in enumerate(chart.series) if series.text}
    if not labelled or chart.y_names:  # beside its marker in a row of its own
        return {number: ["middle right"] * len(series.text) for number, series in labelled.items()}
    width, height = 75 * chart.width, 65 * chart.height
    xs = _shares([series.x for series in labelled.values()], chart.log_x) * width
    ys = _shares([series.y for series in labelled.values()], chart.log_y) * height
    spots = [(number, place) for number, series in labelled.items() for place in range(len(series.text))]
    boxes = [(-width, -height, -10, 2 * height), (width + 10, -height, 2 * width, 2 * height)]  # left and right of all
    for (number, place), x, y in zip(spots, xs, ys, strict=True):
        radius = 0.8 * _offset(labelled[number], place, "middle center")[2]
        boxes.append((x - radius, y - radius, x + radius, y + radius))
    places: dict[int, list[str]] = {number: [] for number in labelled}
    for (number, place), x, y in zip(spots, xs, ys, strict=True):
        half, options = 3.1 * len(labelled[number].text[place]), {}
        for anchor in ANCHORS:
            across, up, radius = _offset(labelled[number], place, anchor)
            middle_x, middle_y = x + across * (radius + half), y + up * (radius + 7)
            options[anchor] = (middle_x - half, middle_y - 7, middle_x + half, middle_y + 7)
        covered = {anchor: sum(_overlap(box, other) for other in boxes) for anchor, box in options.items()}
        best = min(covered, key=covered.__getitem__)
        places[number].append(best)
        boxes.append(options[best])
    return places


def _offset(series: Series, place: int, anchor: str) -> tuple[int, int, float]:
    """Where a text stands from the middle of its marker: -1, 0 or 1 across and up, and how many pixels away."""
    vertical, horizontal = anchor.split()
    across, up = {"left": -1, "center": 0, "right": 1}[horizontal], {"bottom": -1, "middle": 0, "top": 1}[vertical]
    size = float(np.broadcast_to(np.asarray(series.size), len(series.x))[place])
    return across, up, (0.36 if across and up else 0.5) * size + 3


def _shares(values: Sequence[Values], is_log: bool) -> np.ndarray:
    """Where each number of the series lies between their smallest, 0, and their largest, 1."""
    flat = np.concatenate([np.asarray(part, dtype=float) for part in values])
    flat = np.log(flat) if is_log else flat
    return np.asarray((flat - flat.min()) / ((flat.max() - flat.min()) or 1.0))


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The area that two boxes (left, bottom, right, top) share."""
    return max(0.0, min(one[2], other[2]) - max(one[0], other[0])) * max(
        0.0, min(one[3], other[3]) - max(one[1], other[1])
    )


def _y_range(chart: Chart) -> tuple[float, float] | None:
    """The ends of a logarithmic y axis, which noise alone does not fill; else as the chart has them."""
    if chart.y_range is not None or not chart.log_y:
        return chart.y_range
    parts = [np.asarray(part, dtype=float) for s in chart.series for part in (s.y, *(s.band or ()))]
    values = np.concatenate([part[np.isfinite(part) & (part > 0)] for part in parts] or [np.ones(1)])
    low, high = float(values.min()) / 1.3, float(values.max()) * 1.3
    middle = math.sqrt(low * high)
    return min(low, middle / 2), max(high, middle * 2)


def _ticks(chart: Chart) -> list[float]:
    """The chart's ticks; on a logarithmic axis those that can be read apart."""
    ticks = sorted(chart.x_ticks)
    apart = ticks[:1]
    for tick in ticks[1:]:
        if not chart.log_x or tick / apart[-1] >= (ticks[-1] / ticks[0]) ** 0.12:
            apart.append(tick)
    return apart


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number >= 1 and number == round(number) else f"{number:g}"


def _colour(series: Series) -> str:
    if isinstance(series.colour, int):
        return COLOURS[series.colour % len(COLOURS)]
    return GREY if series.colour == "grey" else "#000000"


def _entry(series: Series) -> str:
    """The label behind a space, since matplotlib leaves out of legends what begins with an underscore."""
    return f" {series.label}" if series.label else ""


def _html(text: str) -> str:
    """Text in which plotly sees no tags."""
    return escape(text, quote=False).replace("\n", "<br>")


def _values(values: Values) -> list[Any]:
    """Plain values: moments as text, numbers with six digits, None where there is none."""
    array = np.asarray(values)
    if array.dtype.kind == "M":
        return [str(moment).removesuffix("T00:00:00") for moment in array.astype("datetime64[s]")]
    return [int(value) if array.dtype.kind in "iu" else _digits(float(value)) for value in array]


def _digits(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
