"""A .npy file stays on the disk, and pieces of a table give what the whole table gives."""

import hashlib

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import zoo
from tests.conftest import run_zoo_here
from zoo.data import pieces
from zoo.data.scaling import fit_scaler, fit_units
from zoo.data.table import class_values, clean, fingerprint
from zoo.errors import InputError

HOW = {"targets": ["column3"], "lookback": 5, "split": (200, 50, 50)}


@pytest.fixture
def walks():
    return np.random.default_rng(0).normal(size=(300, 5)).cumsum(axis=0).astype(np.float32) + 100


@pytest.fixture
def path(walks, tmp_path):
    np.save(tmp_path / "walks.npy", walks)
    return tmp_path / "walks.npy"


def is_mapped(values):
    while values is not None and not isinstance(values, np.memmap):
        values = values.base
    return values is not None


def test_an_array_on_the_disk_is_that_in_memory(path, walks):
    table, same = zoo.load(path), zoo.load(walks)
    assert table.columns == same.columns and is_mapped(table.values) and table.values.dtype == np.float32
    data, other = (zoo.prepare(each, **HOW) for each in (table, same))
    assert is_mapped(data.train.raw)  # nothing has copied it
    assert torch.equal(data.train.values, other.train.values) and data.fingerprint == other.fingerprint
    scores = []
    for each in (data, other):
        model = zoo.create("ridge", each.problem)
        zoo.fit(model, each.train, each.valid)
        scores.append(zoo.evaluate(model, each.test))
    assert scores[0] == scores[1]


def test_columns_are_named_as_asked(path):
    assert zoo.load(path, columns=["a", "b", "c", "d", "e"]).columns == ("a", "b", "c", "d", "e")
    with pytest.raises(InputError, match="has 5 columns: --columns must name 5 different ones, got 2"):
        zoo.load(path, columns=["a", "b"])


def test_one_series_and_whole_numbers_are_read(tmp_path):
    np.save(tmp_path / "one.npy", np.arange(50, dtype=np.int16))
    table = zoo.load(tmp_path / "one.npy")
    assert table.columns == ("value",) and table.values.dtype == np.float64 and table.values[7, 0] == 7


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (np.zeros((2, 2, 2)), "must hold an array of real numbers"),
        (np.array(["a", "b"]), "must hold an array of real numbers"),
        (np.zeros(3, dtype=complex), "must hold an array of real numbers"),
        (np.array([{}], dtype=object), "cannot be read as .npy"),
        (np.zeros((0, 3)), "it holds no rows of numbers"),
        (b"not an array", "cannot be read as .npy"),
        (b"", "cannot be read as .npy"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(tmp_path, content, says):
    path = tmp_path / "wrong.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(InputError, match=says):
        zoo.load(path)


def test_a_file_that_was_cut_and_options_of_tables_are_refused(path):
    with pytest.raises(InputError, match="time names a column"):
        zoo.load(path, time="column0")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot be read as .npy"):
        zoo.load(path)


def test_gaps_are_found_and_filled(path, walks):
    walks[40, 3] = np.nan
    np.save(path, walks)
    with pytest.raises(InputError, match="missing values in .*: column3 1"):
        zoo.prepare(zoo.load(path), **HOW)
    data = zoo.prepare(zoo.load(path), **HOW, missing="ffill")
    assert data.train.raw[40, 3] == walks[39, 3]
    walks[50, 1] = np.inf
    np.save(path, walks)
    with pytest.raises(InputError, match="infinite values in .*: column1 1"):
        zoo.prepare(zoo.load(path), **HOW, missing="ffill")


def test_figures_of_a_table_in_one_piece_are_those_of_numpy_and_scikit_learn_bit_for_bit(walks):
    """So that no data that fit into one piece have another scaler, unit or fingerprint than before."""
    values = walks.astype(np.float64)
    standard, minmax = StandardScaler().fit(values), MinMaxScaler().fit(values)
    np.testing.assert_array_equal(fit_scaler("standard", values).scale, standard.scale_)
    np.testing.assert_array_equal(fit_scaler("standard", values).center, standard.mean_)
    np.testing.assert_array_equal(fit_scaler("minmax", values).scale, 1 / minmax.scale_)
    for positions in ((3,), (0, 3), (4, 1, 2)):
        units = fit_units(tuple("abc"[: len(positions)]), positions, fit_scaler("none", values), values)
        np.testing.assert_array_equal(units.deviation, values[:, list(positions)].std(axis=0))
        steps = np.abs(np.diff(values[:, list(positions)], axis=0)).mean(axis=0)
        np.testing.assert_array_equal(units.step, steps)
    expected = hashlib.sha256(repr(values.shape).encode() + values.tobytes()).hexdigest()
    assert fingerprint(values, np.zeros(300, dtype=bool)) == expected


def test_many_pieces_give_what_one_gives(walks, monkeypatch):
    values = walks.astype(np.float64)

    def figures():
        scalers = [fit_scaler(name, values) for name in ("standard", "log", "minmax", "robust")]
        units = fit_units(("a", "b"), (0, 3), scalers[0], values)
        found = class_values(np.repeat([3.0, np.nan, 8.0], 100))
        return [*((each.center, each.scale) for each in scalers), (units.deviation, units.step), found]

    whole, scaled = figures(), fit_scaler("standard", values).scaled(values)
    digest, gaps = fingerprint(values, np.zeros(300, dtype=bool)), np.where(values > 101, np.nan, values)
    filled = clean(gaps, tuple("abcde"), "mask", "x")
    monkeypatch.setattr(pieces, "ROWS", 7)
    for one, other in zip(whole, figures(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert fingerprint(values, np.zeros(300, dtype=bool)) == digest
    np.testing.assert_allclose(fit_scaler("standard", values).scaled(values), scaled, rtol=1e-6)
    np.testing.assert_array_equal(clean(gaps, tuple("abcde"), "mask", "x").values, filled.values)
    assert class_values(values[:, 0]) is None


@pytest.mark.process
def test_the_command_fits_and_benches_a_file(path, tmp_path):
    few = ("--targets", "column3", "--set", "fit.max_epochs=2", "--set", "fit.steps_per_epoch=3")
    ended = run_zoo_here("fit", "lstm", path, *few, "--out", tmp_path / "model")
    assert ended.returncode == 0, ended.stderr
    assert run_zoo_here("predict", tmp_path / "model", path).returncode == 0
    ended = run_zoo_here("bench", path, *few, "--models", "naive,lstm", "--seeds", "1", "--out", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    described = run_zoo_here("data", path)
    assert described.returncode == 0 and "300 rows, no time column" in described.stdout
