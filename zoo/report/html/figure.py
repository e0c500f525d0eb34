"""Figures of the page: a chart as the data and layout of plotly.js."""

import math
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from zoo.report.chart import Chart, Series, Values, plain
from zoo.report.sides import text_sides

SYMBOLS = {
    "o": "circle", "s": "square", "D": "diamond", "^": "triangle-up", "v": "triangle-down", "X": "x",
    "<": "triangle-left",
}  # fmt: skip
LOGARITHMIC = {"type": "log", "tickformat": ",~r", "nticks": 4}


def plotly(chart: Chart) -> dict[str, Any]:
    """The chart as data and layout of plotly.js; a trace with `ink` takes the colour of the page's text."""
    traces: list[dict[str, Any]] = []
    labels = {""}
    for series, sides in zip(chart.series, text_sides(chart), strict=True):
        traces += _traces(series, sides, is_listed=series.label not in labels)
        labels.add(series.label)
    x_axis: dict[str, Any] = {"title": {"text": _html(chart.x_label)}} | (LOGARITHMIC if chart.log_x else {})
    y_axis: dict[str, Any] = {"title": {"text": _html(chart.y_label)}} | (LOGARITHMIC if chart.log_y else {})
    if chart.ticks:
        x_axis |= {"tickvals": chart.ticks, "ticktext": [plain(tick) for tick in chart.ticks]}
    if chart.x_names:
        x_axis |= {"tickvals": list(range(len(chart.x_names))), "ticktext": [_html(name) for name in chart.x_names]}
    if chart.y_names:
        names = [_html(name) for name in chart.y_names]
        y_axis |= {"tickvals": list(range(len(names))), "ticktext": names}
    for axis, ends, is_log in ((x_axis, chart.x_ends, chart.log_x), (y_axis, chart.y_ends, chart.log_y)):
        if ends is not None:
            axis["range"] = [_digits(math.log10(end) if is_log else end) for end in ends]
    if chart.opens_on is not None:
        _open_on(chart, x_axis, y_axis, chart.opens_on)
    layout = {
        "xaxis": x_axis,
        "yaxis": y_axis,
        "hovermode": "x unified" if chart.is_unified else "closest",
    }
    return {"data": traces, "layout": layout}


def _open_on(chart: Chart, x_axis: dict[str, Any], y_axis: dict[str, Any], count: int) -> None:
    """Set the axes to the last points of the first series, where it has more of them."""
    x = _values(chart.series[0].x)
    if len(x) <= count:
        return
    shown = [np.asarray(series.y, dtype=float)[-count:] for series in chart.series if series.is_shown]
    values = np.concatenate(shown)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.05 * (high - low or 1.0)
    x_axis["range"], y_axis["range"] = [x[-count], x[-1]], [_digits(low - room), _digits(high + room)]


def _traces(series: Series, sides: list[str], *, is_listed: bool) -> Iterator[dict[str, Any]]:
    x = _values(series.x)
    shared = {
        "type": "scatter",
        "x": x,
        "legendgroup": _html(series.label) or None,
        "ink": series.colour == "ink" or None,
        "visible": True if series.is_shown else "legendonly",
    }
    line = {"color": series.hexadecimal, "dash": series.dash, "width": series.width}
    symbol = SYMBOLS[series.marker] + "-open" * series.is_hollow
    marker = {"color": series.hexadecimal, "size": series.size, "symbol": symbol, "opacity": series.opacity}
    yield _known(
        shared
        | {
            "y": _values(series.y),
            "name": _html(series.label),
            "showlegend": is_listed,
            "mode": {"line": "lines"}.get(series.kind, series.kind) + "+text" * bool(series.text),
            "opacity": series.opacity if series.kind == "line" else None,
            "line": line if series.kind != "markers" else None,
            "marker": marker if series.kind != "line" else None,
            "text": [_html(text) for text in series.text] or None,
            "textposition": sides or None,
            "cliponaxis": False if series.text else None,
            "hovertext": [_html(text) for text in series.hover] or None,
            "hoverinfo": "text" if series.hover else None if series.label else "skip",
        }
    )
    if series.band is not None:
        low, high = (_values(ends) for ends in series.band)
        outline = {"x": [*x, *x[::-1]], "y": [*high, *low[::-1]], "fill": "toself", "mode": "lines"}
        look = {"line": {"color": series.hexadecimal, "width": 0}, "opacity": 0.2}
        yield _known(shared | outline | look | {"hoverinfo": "skip", "showlegend": False})


def _html(text: str) -> str:
    """Text in which plotly sees no tags."""
    return escape(text, quote=False).replace("\n", "<br>")


def _known(trace: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in trace.items() if value is not None}


def _values(values: Values) -> list[Any]:
    """Plain values: moments as text, numbers with six digits, None where there is none."""
    array = np.asarray(values)
    if array.dtype.kind == "M":
        return [str(moment).removesuffix("T00:00:00") for moment in array.astype("datetime64[s]")]
    return [int(value) if array.dtype.kind in "iu" else _digits(float(value)) for value in array]


def _digits(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
