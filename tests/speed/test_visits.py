"""Cells are visited in passes, and again where the machine was busy in all of them."""

import pytest

from zoo.run.store import RowStore
from zoo.speed import visits
from zoo.speed.cells import Method, SpeedSuite, expand_speed
from zoo.speed.progress import Reporter
from zoo.speed.visits import Visiting, is_complete, visit

CELLS, _ = expand_speed(
    SpeedSuite.model_validate(
        {"name": "two", "speed": {"models": ["naive", "drift"], "batch_size": [8], "lookback": [5], "phase": ["infer"]}}
    ),
    device="cpu",
)


@pytest.fixture
def asked(monkeypatch):
    """(key, reference given) of each visit, of a machine that is busy for the first `asked.busy` visits of a cell."""

    class Asked(list):
        busy = 0

    found = Asked()

    def ask(pairs, _, context, *, on_row, on_start):
        for cell, so_far in pairs:
            found.append((cell.key, context["reference"]))
            passes = [*(so_far["passes"] if so_far else []), 6]
            on_start(cell.key)
            on_row(
                {
                    "key": cell.key,
                    "error": None,
                    "passes": passes,
                    "is_calm": len(passes) > found.busy,
                    "reference": 1.0 / len(found),
                    "step_seconds": {"median": 1.0},
                    "windows_per_second": {"median": 1.0},
                    "is_settled": True,
                }
            )

    monkeypatch.setattr(visits, "_ask", ask)
    monkeypatch.setattr(
        visits, "_ceilings", lambda _, dtypes: {dtype: {"ceilings": None, "reference": None} for dtype in dtypes}
    )
    return found


def visited(tmp_path, **method):
    store = RowStore(tmp_path / "out")
    run = Visiting({}, store, Method(**{"alone": 0, **method}), {}, Reporter(len(CELLS), 9, None))
    visit(CELLS, run)
    store.close()
    return run


def test_a_calm_machine_is_visited_in_the_passes_asked_for(asked, tmp_path):
    run = visited(tmp_path, passes=3)
    assert sorted(key for key, _ in asked) == sorted(cell.key for cell in CELLS for _ in range(3))
    assert all(is_complete(cell, run.known, run.method) for cell in CELLS)


def test_a_busy_machine_is_visited_again_until_it_is_calm(asked, tmp_path, capsys):
    asked.busy = 3
    visited(tmp_path, passes=3)
    assert len(asked) == len(CELLS) * 4
    assert f"once more: the machine was busy whenever {len(CELLS)} cells ran" in capsys.readouterr().err


def test_a_machine_that_stays_busy_is_given_up_after_twice_the_passes(asked, tmp_path):
    asked.busy = 99
    run = visited(tmp_path, passes=2)
    assert len(asked) == len(CELLS) * 4
    assert all(is_complete(cell, run.known, run.method) for cell in CELLS)


def test_each_process_knows_the_best_reading_of_the_run(asked, tmp_path):
    visited(tmp_path, passes=2)
    assert [reference for _, reference in asked] == [None, None, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 6, 1 / 6]


def test_a_run_with_nothing_to_do_asks_for_nothing(asked, tmp_path):
    run = visited(tmp_path, passes=1)
    count = len(asked)
    visit([], run)
    assert len(asked) == count


def test_a_cell_alone_is_timed_in_as_many_passes(asked, tmp_path):
    run = visited(tmp_path, passes=3, alone=1)
    assert len(asked) == len(CELLS) * 3 + 3
    assert [row["alone"] for row in run.store.rows.values() if "alone" in row] == [{"median": 1.0, "ratio": 1.0}]
