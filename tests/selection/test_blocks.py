"""Blocks lie before the test part, one after the other, and each is judged by what was learned before it."""

import numpy as np
import pytest

import zoo
from zoo.selection.blocks import judged_blocks


def blocks_of(frame, **how):
    def prepared(split):
        return zoo.prepare(zoo.load(frame), targets=["close"], **{**how, "split": split})

    return judged_blocks(zoo.prepare(zoo.load(frame), targets=["close"], **how), prepared)


def test_they_end_where_the_test_part_begins_and_follow_each_other(prices):
    whole = zoo.prepare(zoo.load(prices), targets=["close"])
    blocks = blocks_of(prices)
    assert len(blocks) == 3
    bounds = [(each.split.train_end, each.split.valid_end, each.split.test_end) for each in blocks]
    length = whole.split.valid_end - whole.split.train_end
    end = whole.split.valid_end
    assert bounds == [(end - (k + 2) * length, end - (k + 1) * length, end - k * length) for k in range(3)]
    judged = np.concatenate([each.test.target_rows() for each in blocks[::-1]])
    assert np.array_equal(judged, np.arange(end - 3 * length, end))


def test_no_test_row_is_read(prices):
    later = prices.copy()
    first_test_row = zoo.prepare(zoo.load(prices), targets=["close"]).split.valid_end
    later.loc[first_test_row:, ["open", "high", "low", "close"]] *= 3
    for one, other in zip(blocks_of(prices), blocks_of(later), strict=True):
        assert one.fingerprint == other.fingerprint
        assert np.array_equal(one.train.values, other.train.values)


def test_each_has_the_scaler_of_its_own_training_rows(prices):
    for each in blocks_of(prices):
        expected = prices["close"][: each.split.train_end].mean()
        assert each.scaler.center[list(each.channels).index("close")] == pytest.approx(expected)


def test_few_rows_give_fewer_blocks_and_too_few_are_refused(prices):
    assert len(blocks_of(prices.head(48), horizon=8, split=(0.6, 0.2, 0.2))) == 1
    with pytest.raises(zoo.InputError, match="rows before the test part are too few to train, to stop and to choose"):
        blocks_of(prices.head(40), horizon=4, lookback=22)
