"""The expected seconds of a cell are those of a timed step times the steps that training will need."""

from types import SimpleNamespace

import pytest

import zoo
from tests.conftest import price_frame
from zoo.run import pace
from zoo.run.pace import EPOCHS, OVERHEAD, SOLVED, expected_seconds, wall_seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that only training moves: two seconds for each step."""
    now = [0.0]

    def fit(_model, train, valid, config, *, seed):
        assert valid is None and config.max_epochs == 1 and seed == 0
        now[0] += 2.0 * min(config.max_batches, -(-len(train) // config.batch_size))

    monkeypatch.setattr(pace, "time", SimpleNamespace(thread_time=lambda: now[0]))
    monkeypatch.setattr(pace, "fit", fit)


def cell(variant, **fit):
    params = {"hidden_size": 16} if variant == "lstm" else {}
    return SimpleNamespace(key=f"{variant}{fit}", variant=variant, params=params, fit=fit or None, device="cpu")


@pytest.mark.parametrize("batch_size", [16, 100])
def test_steps_are_those_of_the_epochs_that_early_stopping_leaves(batch_size):
    """Of 210 training rows: 14 batches of 16, more than are timed, and 3 of 100, fewer than are timed."""
    data = zoo.prepare(zoo.load(price_frame(300)), targets=["close"])
    batches = -(-len(data.train) // batch_size)
    asked = cell("lstm", batch_size=batch_size, max_epochs=200, patience=5)
    assert expected_seconds([asked], data)[asked.key] == pytest.approx(OVERHEAD + 2 * batches * EPOCHS * 5)
    short = cell("lstm", batch_size=batch_size, max_epochs=7, patience=0)
    assert expected_seconds([short], data)[short.key] == pytest.approx(OVERHEAD + 2 * batches * 7)
    capped = cell("lstm", batch_size=batch_size, max_batches=9)
    assert expected_seconds([capped], data)[capped.key] == pytest.approx(OVERHEAD + 2 * 9)


def test_what_is_not_trained_takes_a_moment():
    data = zoo.prepare(zoo.load(price_frame(300)), targets=["close"])
    naive = cell("naive")
    assert expected_seconds([naive], data) == {naive.key: OVERHEAD + SOLVED}


def test_settings_that_differ_are_timed_apart_and_seeds_are_not(monkeypatch):
    data = zoo.prepare(zoo.load(price_frame(300)), targets=["close"])
    timed = []
    monkeypatch.setattr(pace, "_training", lambda cell, _: timed.append(cell.key) or 1.0)
    cells = [cell("lstm", max_epochs=7), cell("lstm", max_epochs=9), cell("lstm", max_epochs=7)]
    cells[2].key = "another seed"
    seconds = expected_seconds(cells, data)
    assert timed == [cells[0].key, cells[1].key] and set(seconds) == {each.key for each in cells}


def test_workers_share_the_cells_but_none_ends_before_its_longest():
    assert wall_seconds([3.0, 3.0, 2.0], 2) == 4.0
    assert wall_seconds([9.0, 1.0], 4) == 9.0
    assert wall_seconds([], 2) == 0.0
