"""Sides: where the texts of a chart stand, so that they overlap each other and the markers least."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zoo.report.chart import Chart

SIDES = {
    "top center": (0, 1),
    "bottom center": (0, -1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
}  # in plotly's words


def text_sides(chart: "Chart") -> list[list[str]]:
    """For each series the side of each marker on which its text stands; in a named row to the right."""
    spots = [(series, place) for series in chart.series for place in range(len(series.text))]
    if chart.y_names or not spots:
        return [["middle right"] * len(series.text) for series in chart.series]
    size = np.array([75 * chart.width, 65 * chart.height])  # pixels of the panel in a PNG, about
    x = _shares([one.x[place] for one, place in spots], chart.log_x)
    y = _shares([one.y[place] for one, place in spots], chart.log_y)
    middles = np.column_stack([x, y]) * size
    radii = np.array([one.size / 2 for one, _ in spots])
    outside = [[*(size * (side, 0)), *size] for side in (-1.1, 2.1)]  # left and right of the panel
    boxes = np.vstack([np.column_stack([middles, radii, radii]), outside])  # middle, half of the width and height
    sides = {series: list[str]() for series in chart.series}
    for (series, place), middle, radius in zip(spots, middles, radii, strict=True):
        half = np.array([3.1 * len(series.text[place]), 7.0])
        options = {side: np.array([*(middle + np.array(SIDES[side]) * (half + radius)), *half]) for side in SIDES}
        best = min(options, key=lambda side: _overlap(options[side], boxes))
        sides[series].append(best)
        boxes = np.vstack([boxes, options[best]])
    return list(sides.values())


def _shares(numbers: list[float], is_log: bool) -> np.ndarray:
    """Where each number lies between the smallest, 0, and the largest, 1."""
    values = np.log(numbers) if is_log else np.asarray(numbers, dtype=float)
    return np.asarray((values - values.min()) / ((values.max() - values.min()) or 1.0))


def _overlap(box: np.ndarray, others: np.ndarray) -> float:
    """The area that a box shares with others, each its middle (2) and its half sizes (2)."""
    ends = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    starts = np.maximum(box[:2] - box[2:], others[:, :2] - others[:, 2:])
    return float((ends - starts).clip(min=0).prod(axis=1).sum())
