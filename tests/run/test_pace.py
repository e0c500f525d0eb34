"""The expected seconds of a cell are those of a timed step times the steps that training will need."""

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import zoo
from tests.conftest import price_frame
from zoo.data.builtin import BUILT_IN
from zoo.run import pace
from zoo.run.pace import LEARNABLE, OVERHEAD, SOLVED, UNKNOWN, WALK, expected_seconds, wall_seconds
from zoo.run.store import read_rows

train_fit = pace.fit


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that only training moves: seven seconds to begin, and two for each step."""
    now = [0.0]

    def fit(model, train, valid, config, *, seed):
        assert valid is None and seed == 0
        if model.is_trainable:
            assert config.max_epochs == 1
            now[0] += 7.0 + 2.0 * min(config.max_batches, -(-len(train) // config.batch_size))
        else:
            train_fit(model, train, valid, config, seed=seed)

    monkeypatch.setattr(pace, "time", SimpleNamespace(thread_time=lambda: now[0], process_time=time.process_time))
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
    assert expected_seconds([asked], data)[asked.key] == pytest.approx(OVERHEAD + 2 * batches * LEARNABLE * 5)
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
    monkeypatch.setattr(pace, "_training", lambda cell, *_: timed.append(cell.key) or 1.0)
    cells = [cell("lstm", max_epochs=7), cell("lstm", max_epochs=9), cell("lstm", max_epochs=7)]
    cells[2].key = "another seed"
    seconds = expected_seconds(cells, data)
    assert timed == [cells[0].key, cells[1].key] and set(seconds) == {each.key for each in cells}


def test_workers_share_the_cells_but_none_ends_before_its_longest():
    assert wall_seconds([3.0, 3.0, 2.0], 2) == 4.0
    assert wall_seconds([9.0, 1.0], 4) == 9.0
    assert wall_seconds([], 2) == 0.0


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_few_batches_are_timed_too(batches):
    data = zoo.prepare(zoo.load(price_frame(300)), targets=["close"])
    asked = cell("lstm", batch_size=-(-len(data.train) // batches), max_epochs=4, patience=0)
    begins = 7 if batches == 1 else 0  # a single step cannot be told from what begins it
    assert expected_seconds([asked], data)[asked.key] == pytest.approx(OVERHEAD + (begins + 2) * batches * 4)


RANDOM = np.random.default_rng(0).normal(size=300)
SEASON = pd.DataFrame({"close": np.sin(np.arange(300) / 4) + RANDOM / 10})
WALKS = pd.DataFrame({"close": RANDOM.cumsum()})
STILL = pd.DataFrame({"close": np.append(RANDOM[:200], np.zeros(100))})


@pytest.mark.parametrize(
    ("frame", "settings", "patiences"),
    [(WALKS, {}, WALK), (SEASON, {}, LEARNABLE), (SEASON, {"direction": True}, UNKNOWN),
     (SEASON, {"split": (0.8, 0, 0.2)}, 200 / 5), (STILL, {}, UNKNOWN)],
)  # fmt: skip
def test_early_stopping_comes_sooner_where_nothing_can_be_learned(frame, settings, patiences):
    """Without a validation part nothing stops early; where naive has no error, nobody knows."""
    data = zoo.prepare(zoo.load(frame), targets=["close"], **settings)
    asked = cell("lstm", batch_size=64, max_epochs=200, patience=5)
    steps = -(-len(data.train) // 64) * patiences * 5
    assert expected_seconds([asked], data)[asked.key] == pytest.approx(OVERHEAD + 2 * steps)


def test_series_of_the_standard_benchmark_are_told_apart():
    """VIX and the adding problem, whose marks ridge cannot use, are the two that lie near the border."""
    walks = {"nasdaq", "random-walk", "sp500", "wti", "bond-yields"}
    learnable = {"co2", "electrical-equipment", "mackey-glass", "narma", "regimes", "sea-temperature", "sine"}
    assert walks | learnable < set(BUILT_IN)
    targets = {"sp500": "Close", "nasdaq": "Close", "bond-yields": "AAA"}
    for name in walks | learnable:
        table = zoo.load(name)
        data = zoo.prepare(table, targets=targets.get(name, table.columns[-1]))
        assert (pace._patiences(data) == WALK) == (name in walks), name


def test_variants_that_there_is_no_time_to_try_take_as_long_as_the_others(monkeypatch):
    data = zoo.prepare(zoo.load(price_frame(300)), targets=["close"])
    took = {"lstm": 4.0, "gru": 8.0}
    monkeypatch.setattr(pace, "_training", lambda cell, *_: took[cell.variant])
    ticks = iter([0.0, 0.5, 1.0, 9.0])
    monkeypatch.setattr(pace, "time", SimpleNamespace(process_time=lambda: next(ticks)))
    monkeypatch.setattr(pace, "_patiences", lambda _: UNKNOWN)
    cells = [SimpleNamespace(key=name, variant=name, params={}, fit={"patience": 1}) for name in ("lstm", "gru", "tcn")]
    assert expected_seconds([*cells, cell("naive")], data) == {
        "lstm": OVERHEAD + 4, "gru": OVERHEAD + 8, "tcn": OVERHEAD + 6, cell("naive").key: OVERHEAD + SOLVED,
    }  # fmt: skip


def test_code_from_elsewhere_is_not_trained_here(monkeypatch):
    data = zoo.prepare(zoo.load(price_frame(300)), targets=["close"])
    monkeypatch.setattr(pace, "_training", lambda cell, *_: {"lstm": 4.0}[cell.variant])
    monkeypatch.setattr(pace, "variant", lambda name: SimpleNamespace(
        code=SimpleNamespace(kind="zoo" if name == "lstm" else "file"))
    )  # fmt: skip
    mine = cell("mine", patience=1)
    assert expected_seconds([mine, cell("lstm", patience=1)], data)[mine.key] == OVERHEAD + 4
    assert expected_seconds([mine], data)[mine.key] == OVERHEAD + SOLVED


def test_epochs_are_those_of_the_committed_rows():
    walks, patiences = {"bond-yields", "nasdaq", "random-walk", "sp500", "vix", "wti"}, {WALK: [], LEARNABLE: []}
    for path in sorted(Path(__file__).parents[2].glob("results/standard/*/rows.jsonl")):
        rows = [row for row in read_rows(path.parent)[0] if row.epochs and row.fit.get("patience")]
        mean = np.mean([row.epochs / row.fit["patience"] for row in rows])
        patiences[WALK if path.parent.name in walks else LEARNABLE].append(mean)
    assert [len(means) for means in patiences.values()] == [6, 10]
    for expected, means in patiences.items():
        assert np.exp(np.mean(np.log(means))) == pytest.approx(expected, abs=0.05)
