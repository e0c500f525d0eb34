"""Pictures: maps of channels and lags, attention and gates by lag."""

import numpy as np

from zoo.explanation.explain import Explanation
from zoo.explanation.gates import PARTS
from zoo.explanation.lags import group_text
from zoo.report.chart import Chart, Series

LEVELS = ((0.75, 1.0), (0.5, 0.75), (0.25, 0.5), (0.05, 0.25))  # shares of the largest value that look the same
MOST_CHANNELS = 20
CLASSIFIED = "lag (1 is the last step)"
FORECAST = "lag (1 is the last row)"


def charts_of(explained: Explanation) -> dict[str, Chart]:
    """A chart for each method that applied, by the name of its table."""
    charts = _maps(explained)
    if explained.attention is not None:
        weights = explained.attention.by_lag
        lags = np.arange(1, len(weights) + 1)
        even = Series("even weights", lags, np.full(len(lags), 1 / len(lags)), colour="grey", dash="dash", width=1.0)
        own = Series("mean weight", lags, weights, "lines+markers")
        charts["attention"] = Chart(
            "Attention over the steps of a window", _axis(explained), "weight", [even, own], height=2.8,
            note="Mean over windows, heads and the times that the variant attends.",
        )  # fmt: skip
    if explained.gates:
        charts["gates"] = _gates(explained)
    return charts


def _axis(explained: Explanation) -> str:
    return CLASSIFIED if explained.problem.task == "classify" else FORECAST


def _maps(explained: Explanation) -> dict[str, Chart]:
    """The maps of permutation and of integrated gradients, both with their channels in the order of their sums."""
    maps: dict[str, tuple[np.ndarray, str, str]] = {}
    if (importance := explained.importance) is not None:
        maps["importance"] = (
            np.where(importance.is_clear_CG, importance.map_CG, 0.0),
            f"Permutation importance: rise of the {importance.error}",
            "The darker, the more the error rises when the input comes from another window. Blank: not clearly.",
        )
    if explained.attributions is not None:
        maps["attributions"] = (
            explained.attributions.map_CG(explained.groups),
            "Integrated gradients: mean size of the attribution",
            "The darker, the more the input moves the forecast away from the baseline's.",
        )
    sums = [map_CG.sum(axis=1) / (map_CG.sum() or 1.0) for map_CG, _, _ in maps.values()]
    order = np.argsort(-np.sum(sums, axis=0), kind="stable")[:MOST_CHANNELS] if sums else np.empty(0, int)
    return {name: _map(explained, map_CG, order, title, note) for name, (map_CG, title, note) in maps.items()}


def _map(explained: Explanation, map_CG: np.ndarray, order: np.ndarray, title: str, note: str) -> Chart:
    """A square for each channel and group of lags, the darker the larger its value; order: of the channels."""
    names, shown = [explained.channels[c] for c in order], map_CG[order]
    largest = shown.max() if shown.max() > 0 else 1.0
    series = []
    for low, high in LEVELS:
        rows, columns = np.nonzero((shown / largest > low) & (shown / largest <= high))
        hover = [
            f"{names[c]}, lag {group_text(explained.groups[g])}: {shown[c, g]:.4g}"
            for c, g in zip(rows, columns, strict=True)
        ]
        label = f"{100 * low:.0f} to {100 * high:.0f} % of the largest"
        series.append(Series(label, columns, rows, "markers", marker="s", size=18, opacity=high, hover=hover))
    if len(explained.channels) > MOST_CHANNELS:
        note += f" The first {MOST_CHANNELS} of {len(explained.channels)} channels."
    return Chart(
        title, _axis(explained), "", series, note=note, y_names=names, height=1.4 + 0.36 * len(names),
        x_names=[group_text(group) for group in explained.groups],
    )  # fmt: skip


def _gates(explained: Explanation) -> Chart:
    """Each gate by lag: of the first LSTM in view, of others by a click on the page."""
    series = []
    for number, gates in enumerate(explained.gates):
        lags = np.arange(1, gates.openings_PL.shape[1] + 1)
        several = f" of {gates.name}" * (len(explained.gates) > 1)
        series += [
            Series(f"{part} gate{several}", lags, openings[::-1], "lines+markers", colour, is_shown=number == 0)
            for colour, (part, openings) in enumerate(zip(PARTS, gates.openings_PL, strict=True))
        ]
    return Chart(
        "Gates from step to step", _axis(explained), "mean opening", series, y_range=(0.0, 1.0), height=2.8,
        note="Mean over windows and units: 0 is shut, 1 is open.",
    )  # fmt: skip
