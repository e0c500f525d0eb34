"""Habits of one column as pictures: how its level drifts, what its steps remember, what its season looks like."""

import itertools

import numpy as np
import pandas as pd

from zoo.data.advice import LOOKED_AT, season_strength
from zoo.data.table import Table
from zoo.report.chart import Chart, Figure, Series

BLOCKS = 40
MOST_LAGS = 100
SURE = 1.96  # standard errors
FEWEST = 30  # values, for any picture


def habits_figure(table: Table, target: str, season: int | None) -> Figure:
    """The drift of a column (of several series of the first), the correlation of its steps, and its season, where the
    spacing of the rows suggests one of `season` steps; nothing where it has too few values."""
    (first, *_) = table.of_each_series().values()
    values = first.select([target])[:, 0]
    known = values[np.isfinite(values)]
    if len(known) < FEWEST or np.ptp(known) == 0:
        return []
    rows = [[_drift(first, values, target)], [_memory(known, target, season)]]
    if season is not None and 2 * season + 2 < len(known):
        rows.append([_season(values, target, season)])
    return rows


def _drift(table: Table, values: np.ndarray, target: str) -> Chart:
    """The median and the middle half of the values in blocks of rows."""
    blocks = list(itertools.pairwise(np.linspace(0, len(values), min(BLOCKS, len(values) // 5) + 1).astype(int)))
    parts = [values[first:end] for first, end in blocks]
    places = [(first + end - 1) // 2 for first, end in blocks]
    low, middle, high = np.array(
        [
            np.percentile(part[np.isfinite(part)], [25, 50, 75]) if np.isfinite(part).any() else [np.nan] * 3
            for part in parts
        ]
    ).T
    when = np.arange(len(values)) if table.time is None else table.time.to_numpy().astype("datetime64[s]")
    border = min(int(LOOKED_AT * len(values)), len(values) - 1)
    ends_of_y = np.nanmin(low), np.nanmax(high)
    return Chart(
        f"{target} in {len(parts)} blocks of rows: median, middle half",
        "",
        "",
        [
            Series("", when[places], middle, band=(low, high)),
            Series("the usual test part begins", when[[border, border]], list(ends_of_y), colour="grey", dash="dash"),
        ],
        height=2.2,
    )


def _memory(known: np.ndarray, target: str, season: int | None) -> Chart:
    """The correlation of steps with those `lag` rows before, and what is chance."""
    steps = np.diff(known)
    steps = steps - steps.mean()
    most = int(min(max(2 * (season or 0) + 1, 30), MOST_LAGS, len(steps) // 3))
    lags = np.arange(1, most + 1)
    total = float(steps @ steps)
    correlations = [float(steps[lag:] @ steps[:-lag]) / total if total > 0 else 0.0 for lag in lags]
    chance = SURE / np.sqrt(len(steps))
    series = [Series("", lags, correlations, "lines+markers", size=4.0)]
    for level, label in ((chance, "the most that chance does (95 %)"), (-chance, "")):
        series.append(Series(label, [1, most], [level, level], colour="grey", dash="dash", width=1.0))
    return Chart(f"steps of {target}: correlation with earlier steps", "rows before", "", series, height=2.2)


def _season(values: np.ndarray, target: str, season: int) -> Chart:
    """What is beside a moving mean, by the position in the season."""
    filled = pd.Series(values).interpolate(limit_direction="both").to_numpy()
    beside = filled - pd.Series(filled).rolling(season, center=True, min_periods=1).mean().to_numpy()
    phase = np.arange(len(beside)) % season
    low, middle, high = np.array([np.percentile(beside[phase == place], [25, 50, 75]) for place in range(season)]).T
    share = 100 * season_strength(filled, season)
    return Chart(
        f"{target}, a season of {season} rows: {share:.0f} % of what is beside the trend",
        "row of the season, from the first row of the data",
        "",
        [Series("", np.arange(1, season + 1), middle, "lines+markers", band=(low, high), size=4.0)],
        height=2.2,
    )
