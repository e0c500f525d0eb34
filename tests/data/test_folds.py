"""Folds: blocks of the test part, each with its own training rows before it, and nothing after."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import zoo
from zoo.data.split import Fold, Split, split_of_fold
from zoo.errors import InputError

HOW = {"targets": ["close"], "lookback": 7, "split": (180, 40, 80)}


@given(train=st.integers(1, 500), valid=st.integers(0, 100), test=st.integers(1, 300), count=st.integers(1, 20))
def test_blocks_are_the_test_part_in_order(train, valid, test, count):
    whole = Split(train, train + valid, train + valid + test)
    folds = [split_of_fold(whole, Fold(number, count)) for number in range(count)]
    assert folds[0].train_end == whole.train_end and folds[-1].test_end == whole.test_end
    assert folds[0].valid_end == whole.valid_end
    for one, other in itertools.pairwise(folds):
        assert one.test_end == other.valid_end
    assert {fold.valid_end - fold.train_end for fold in folds} == {valid}
    sizes = [fold.test_end - fold.valid_end for fold in folds]
    assert max(sizes) - min(sizes) <= 1


def test_one_fold_is_the_split_itself(prices):
    plain, one = (zoo.prepare(zoo.load(prices), **HOW, **extra) for extra in ({}, {"fold": Fold(0, 1)}))
    assert plain.split == one.split and plain.fingerprint == one.fingerprint


def test_every_row_of_the_test_part_is_scored_once(prices):
    folds = [zoo.prepare(zoo.load(prices), **HOW, fold=Fold(number, 3)) for number in range(3)]
    rows = np.concatenate([fold.test.target_rows() for fold in folds])
    np.testing.assert_array_equal(rows, zoo.prepare(zoo.load(prices), **HOW).test.target_rows())


def test_a_fold_sees_no_row_of_its_block_or_later(prices):
    later = prices.copy()
    numbers = later.columns.drop("date")
    later[numbers] = later[numbers].astype(float)
    later.loc[later.index[246:], numbers] *= 3  # fold 1 of 3 is tested on rows 246 to 272
    states, scalers = [], []
    for frame in (prices, later):
        data = zoo.prepare(zoo.load(frame), **HOW, fold=Fold(1, 3))
        assert data.split == Split(206, 246, 273)
        model = zoo.create("lstm", data.problem, hidden_size=8)
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=3, device="cpu"))
        states.append(model.state_dict())
        scalers.append(data.scaler.center)
    np.testing.assert_array_equal(*scalers)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_later_fold_is_trained_on_the_blocks_before_it(prices):
    changed = prices.copy()
    changed.loc[changed.index[225], "close"] += 5.0  # in the first block
    centers = [
        [zoo.prepare(zoo.load(frame), **HOW, fold=Fold(number, 2)).scaler.center[3] for number in range(2)]
        for frame in (prices, changed)
    ]
    assert centers[0][0] == centers[1][0]
    assert centers[0][1] == centers[1][1]  # the row is in the second fold's validation part, not in its train part
    third = [zoo.prepare(zoo.load(frame), **HOW, fold=Fold(2, 3)).scaler.center[3] for frame in (prices, changed)]
    assert third[0] != third[1]


def test_errors_of_all_folds_have_one_unit_and_all_folds_the_same_channels(prices):
    prices = prices.assign(flag=[0.0] * 190 + [1.0] * 110)  # constant in the first fold's train part alone
    folds = [zoo.prepare(zoo.load(prices), **HOW, fold=Fold(number, 3)) for number in range(3)]
    assert len({fold.channels for fold in folds}) == 1 and "flag" not in folds[2].channels
    assert len({float(fold.test.units.deviation[0]) for fold in folds}) == 1
    assert len({float(fold.scaler.center[0]) for fold in folds}) == 3


def test_blocks_shorter_than_the_horizon_are_refused(prices):
    with pytest.raises(InputError, match="40 folds of the test part's 80 rows are shorter than the horizon 3"):
        zoo.prepare(zoo.load(prices), **HOW, horizon=3, fold=Fold(0, 40))


def test_sliding_train_parts_are_the_newest_rows_and_as_long_as_the_first(prices):
    folds = [zoo.prepare(zoo.load(prices), **HOW, fold=Fold(number, 4, True)) for number in range(4)]
    growing = [zoo.prepare(zoo.load(prices), **HOW, fold=Fold(number, 4)) for number in range(4)]
    for one, other in zip(folds, growing, strict=True):
        rows = one.train.target_rows()
        assert rows[-1] == other.train.target_rows()[-1] == one.split.train_end - 1
        assert rows[0] == max(one.split.train_start, 7) and one.split.train_end - one.split.train_start == 180
        np.testing.assert_array_equal(one.test.target_rows(), other.test.target_rows())
        newest = prices[list(one.channels)].to_numpy()[one.split.train_start : one.split.train_end]
        np.testing.assert_allclose(one.scaler.center, newest.mean(axis=0))
    assert folds[0].split == growing[0].split and folds[3].split.train_start == 60


def test_rows_before_a_sliding_train_part_change_nothing(prices):
    how = {**HOW, "fold": Fold(3, 4, True)}
    changed = prices.copy()
    changed.loc[changed.index[:40], "volume"] *= 3
    one, other = (zoo.prepare(zoo.load(frame), **how) for frame in (prices, changed))
    for part in ("train", "valid", "test"):
        x, z = (next(getattr(each, part).batches(1000))[0] for each in (one, other))
        torch.testing.assert_close(x, z)
