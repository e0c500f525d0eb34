"""The standard scaler has the mean and the deviation of scikit-learn's, to the last bit."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from zoo.data import pieces
from zoo.data.scaling import fit_scaler

generator = np.random.default_rng(3)
WALKS = generator.normal(size=(5003, 5)).cumsum(axis=0) * [1, 1e-3, 1e6, 30, 0.1] + [0, 5, 1e9, -7, 100]
TABLES = {
    "rows lie together": WALKS,
    "columns lie together": np.asfortranarray(WALKS),
    "some rows of a table": WALKS[1234:4321],
    "some columns of a table": WALKS[:, 1:4],
    "one column": WALKS[:, 2:3],
    "float32": WALKS.astype(np.float32),
    "integers": WALKS.astype(np.int64),
    "one row": WALKS[:1],
    "constant": np.full((1000, 2), 0.1),
    "constant but for rounding": 1e8 + np.repeat([[0.0, 1e-8]], 500, axis=0).reshape(-1, 1),
    "far from 0": 1e12 + generator.normal(size=(300, 1)),
    "tiny": 1e-160 * generator.normal(size=(300, 1)),
}


@pytest.mark.parametrize("rows", [2**20, 100, 1])
@pytest.mark.parametrize("table", TABLES)
def test_mean_and_deviation_are_those_of_scikit_learn_bit_for_bit(table, rows, monkeypatch):
    monkeypatch.setattr(pieces, "ROWS", rows)
    values = TABLES[table][: 700 if rows == 1 else None]
    theirs = StandardScaler()
    for first in range(0, len(values), rows):
        theirs.partial_fit(values[first : first + rows].astype(np.float64))
    ours = fit_scaler("standard", values)
    np.testing.assert_array_equal(ours.center, theirs.mean_)
    np.testing.assert_array_equal(ours.scale, theirs.scale_)


@pytest.mark.parametrize(("name", "map_of"), [("log", np.log), ("log1p", np.log1p)])
def test_scalers_of_logarithms_are_those_of_scikit_learn_too(name, map_of):
    values = np.exp(generator.normal(size=(999, 3)))
    theirs, ours = StandardScaler().fit(map_of(values)), fit_scaler(name, values)
    np.testing.assert_array_equal(ours.center, theirs.mean_)
    np.testing.assert_array_equal(ours.scale, theirs.scale_)


@pytest.mark.process
def test_preparing_with_the_standard_scaler_does_not_import_scikit_learn():
    program = (
        "import sys, zoo; zoo.prepare(zoo.load('sine'), targets='value'); assert 'sklearn' not in sys.modules;"
        "zoo.prepare(zoo.load('sine'), targets='value', scaler='robust'); assert 'sklearn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
