"""Habits: the pictures of a column show a drift, a memory and a season that are there, and none that is not."""

import numpy as np
import pandas as pd
import pytest

from zoo.data.sources import load
from zoo.report.habits import habits_figure


def charts_of(values, season=None):
    frame = pd.DataFrame({"date": pd.date_range("2000-01-31", periods=len(values), freq="ME"), "y": values})
    return [row[0] for row in habits_figure(load(frame), "y", season)]


def test_a_drift_moves_the_median_of_the_blocks_and_the_border_is_where_the_test_part_begins():
    values = np.arange(400.0)
    drift = charts_of(values)[0]
    line, border = drift.series
    assert np.all(np.diff(line.y) == 10) and line.y[0] == pytest.approx(4.5)
    np.testing.assert_allclose(np.subtract(*line.band[::-1]), 4.5)
    assert border.x[0] == border.x[1] == pd.date_range("2000-01-31", periods=400, freq="ME")[320]


def test_steps_of_a_random_walk_remember_nothing_and_those_of_a_moving_mean_do():
    random = np.random.default_rng(0)
    noise = random.normal(size=1001)
    for values, expected in ((np.cumsum(noise), 0.0), (np.cumsum(noise[1:] + noise[:-1]), 0.5)):
        line, high, low = charts_of(values)[1].series
        assert line.y[0] == pytest.approx(expected, abs=0.07)
        assert high.y[0] == -low.y[0] == pytest.approx(1.96 / np.sqrt(len(values) - 1))
        assert np.mean(np.abs(line.y[1:]) > high.y[0]) < 0.2


def test_the_season_is_that_of_the_rows():
    random = np.random.default_rng(0)
    shape = np.array([3.0, 1.0, -2.0, -2.0])
    values = np.tile(shape, 100) + 0.01 * np.arange(400) + 0.1 * random.normal(size=400)
    season = charts_of(values, 4)[2]
    np.testing.assert_allclose(season.series[0].y, shape - shape.mean(), atol=0.3)
    share = int(season.title.split(": ")[1].split()[0])
    assert share > 95
    assert len(charts_of(values)) == 2  # no season is asked for


def test_too_few_values_or_a_constant_have_no_habits():
    assert charts_of(np.arange(20.0)) == [] and charts_of(np.full(100, 3.0)) == []


def test_gaps_leave_out_blocks_that_hold_nothing():
    values = np.arange(200.0)
    values[50:100] = np.nan
    line = charts_of(values)[0].series[0]
    assert np.isnan(line.y).any() and np.isfinite(line.y).sum() > 20
