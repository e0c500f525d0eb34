import time

import numpy as np
import pytest
import torch

import zoo
from zoo.data.scaling import Units, fit_scaler, fit_units
from zoo.data.windows import Windows, columns

NO_STARTS = torch.empty(0, dtype=torch.int64)


def counted(rows=50, channels=3, lookback=5, horizon=2, targets=(2, 0), first=0, end=None):
    raw = np.arange(rows * channels, dtype=float).reshape(rows, channels)
    ones = np.ones(len(targets))
    units = Units(tuple(map(str, targets)), 0 * ones, ones, ones, ones)
    values = torch.from_numpy(raw.astype(np.float32))
    windows = Windows(values, NO_STARTS, lookback, horizon, targets, raw, units)
    return windows.between(first, rows if end is None else end)


@pytest.mark.parametrize("targets", [(2, 0), (1,), (0, 1, 2)])
def test_batches_hold_what_slicing_gives(targets):
    windows = counted(targets=targets)
    x, y = next(windows.batches(1000))
    assert len(x) == len(windows) == 50 - 5 - 2 + 1
    for n in range(len(windows)):
        np.testing.assert_array_equal(x[n], windows.raw[n : n + 5])
        np.testing.assert_array_equal(y[n], windows.raw[n + 5 : n + 7][:, list(targets)])
    np.testing.assert_array_equal(windows.truth(), y)
    np.testing.assert_array_equal(windows.last(), x[:, -1, list(targets)])


def test_every_target_row_is_in_its_part_and_lookback_reaches_back():
    windows = counted(first=30, end=40)
    rows = windows.target_rows()
    assert rows[0] == 30
    assert rows[-1] + windows.horizon == 40
    assert windows.starts[0] == 25
    assert len(windows) == 40 - 30 - 2 + 1


def test_first_part_begins_at_row_zero():
    assert counted(first=0, end=20).starts[0] == 0
    assert counted(first=3, end=20).target_rows()[0] == 5


def test_shuffling_follows_the_generator_and_misses_nothing():
    windows = counted()
    orders = [windows.order(torch.Generator().manual_seed(seed)).tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(len(windows)))
    sizes = [len(x) for x, _ in windows.batches(10)]
    assert sizes == [10, 10, 10, 10, 4]


def test_a_million_rows_cost_little_beyond_their_values():
    raw = np.zeros((1_000_000, 5))
    values = torch.zeros(1_000_000, 5)
    units = Units(("a",), *(np.ones(1),) * 4)
    table = Windows(values, NO_STARTS, 96, 1, (3,), raw, units)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        windows = table.between(0, len(raw))
        best = min(best, time.perf_counter() - started)
    assert best < 0.05
    assert windows.values is values
    assert windows.raw is raw
    assert windows.starts.element_size() * len(windows.starts) < 10e6


@pytest.mark.parametrize("name", ["standard", "minmax", "robust", "none"])
def test_each_target_is_restored_by_its_own_parameters(name):
    values = np.random.default_rng(0).normal(size=(200, 3)) * [1, 1000, 0.01] + [5, -300, 7]
    scaler = fit_scaler(name, values[:100])
    units = fit_units(("b", "a"), (1, 0), scaler, values[:100])
    np.testing.assert_allclose(units.restore(scaler.transform(values)[:, [1, 0]]), values[:, [1, 0]], rtol=1e-12)
    assert units.deviation == pytest.approx(values[:100, [1, 0]].std(axis=0))
    assert units.step == pytest.approx(np.abs(np.diff(values[:100, [1, 0]], axis=0)).mean(axis=0))


def test_scalers_are_what_their_names_say():
    values = np.random.default_rng(0).normal(3, 2, size=(500, 2))
    standard = fit_scaler("standard", values).transform(values)
    assert standard.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert standard.std(axis=0) == pytest.approx(1)
    minmax = fit_scaler("minmax", values).transform(values)
    assert (minmax.min(axis=0), minmax.max(axis=0)) == (pytest.approx(0, abs=1e-12), pytest.approx(1))
    robust = fit_scaler("robust", values).transform(values)
    assert np.median(robust, axis=0) == pytest.approx(0, abs=1e-12)
    assert np.subtract(*np.percentile(robust, [75, 25], axis=0)) == pytest.approx(1)
    np.testing.assert_array_equal(fit_scaler("none", values).transform(values), values)
    constant = fit_scaler("minmax", np.full((10, 1), 4.0))
    np.testing.assert_array_equal(constant.transform(np.full((2, 1), 4.0)), 0)
    with pytest.raises(zoo.InputError, match="unknown scaler 'standart'; did you mean 'standard'"):
        fit_scaler("standart", values)


@pytest.mark.parametrize("numbers", [(3,), (1, 2, 3), (3, 0), (4, 2, 0), (0, 0)])
def test_columns_are_those_that_indexing_by_a_list_gives(numbers):
    x = torch.randn(4, 7, 5)
    assert torch.equal(columns(x, numbers), x[..., list(numbers)])
    assert torch.equal(columns(x[0, 0], numbers), x[0, 0, list(numbers)])


def test_neighbours_are_a_view():
    x = torch.zeros(2, 5)
    columns(x, (1, 2)).fill_(1)
    assert x.sum() == 4
