"""The columns of a table as pictures: values over time, gaps, jumps; of labelled sequences some cases of each class."""

import numpy as np

from zoo.data.cases import Cases
from zoo.data.describe import jumps
from zoo.data.table import Table
from zoo.report.chart import Chart, Figure, Series

MOST_PANELS, MOST_POINTS, MOST_CASES = 12, 20_000, 10


def table_figure(table: Table) -> Figure:
    """A panel for each numeric column, of several series those of the first: its values, jumps and missing values."""
    (first, *_) = table.of_each_series().values()
    when = np.arange(len(first)) if first.time is None else first.time.to_numpy().astype("datetime64[s]")
    rows = []
    for name in [name for name in first.columns if name not in first.unusable][:MOST_PANELS]:
        values = first.values[:, first.columns.index(name)]
        step = -(-len(values) // MOST_POINTS)
        series = [Series("", when[::step], values[::step], width=0.9)]
        known = np.flatnonzero(np.isfinite(values))
        places = known[1:][jumps(values[known])]
        if len(places):
            series.append(Series("jump", when[places], values[places], "markers", 1, size=7.0, is_hollow=True))
        gaps = np.setdiff1d(np.arange(len(values)), known)
        if len(gaps) and len(known):
            level = np.full(len(gaps), values[known].min())
            series.append(Series("missing", when[gaps], level, "markers", "grey", marker="X", size=6.0))
        rows.append([Chart(name, "", "", series, height=1.9)])
    return rows


def cases_figure(cases: Cases) -> Figure:
    """For each class a panel of the first channel of some of its cases."""
    rows = []
    for number, label in enumerate(cases.classes[:MOST_PANELS]):
        chosen = np.flatnonzero(cases.labels == label)[:MOST_CASES]
        series = [
            Series("", range(1, len(values) + 1), values, colour=number, opacity=0.6, width=1.0)
            for values in (cases.sequence(int(place))[:, 0] for place in chosen)
        ]
        rows.append([Chart(f"{cases.label} {label}", "step", cases.channels[0], series, height=1.9)])
    return rows
