"""Cells are visited in passes, and again where the machine was busy in all of them; a dead worker costs one cell."""

import pytest

from tests.throughput.rows import changed, speed_row
from zoo.errors import InputError
from zoo.run.process import WorkerDied
from zoo.run.store import read_rows
from zoo.throughput import run
from zoo.throughput.cells import SpeedSuite, expand_speed
from zoo.throughput.run import run_speed

WHAT = {"models": ["naive", "drift"], "batch_size": [8], "lookback": [5], "phase": ["infer"]}
CELLS, _ = expand_speed(SpeedSuite.model_validate({"name": "two", "speed": WHAT}), device="cpu")


class Machine:
    """A machine that answers for the workers, without timing anything.

    busy: for so many visits of a cell it is busy. killers, raising: keys of cells that end their process, or fail in
    it. visits: (key, reference given) of each; processes: the keys that each was asked for.
    """

    def __init__(self):
        self.busy, self.killers, self.raising, self.interrupt_after = 0, set(), set(), None
        self.visits, self.processes = [], []

    def answer(self, request, on_event):
        if "ceilings" in request:
            return {"ceilings": dict.fromkeys(request["dtypes"]), "reference": None}
        assert request["threads"] == 1
        self.processes.append([cell["key"] for cell, _ in request["visits"]])
        for cell, so_far in request["visits"]:
            if len(self.visits) == self.interrupt_after:
                raise KeyboardInterrupt
            self.visits.append((cell["key"], request["context"]["reference"]))
            on_event({"started": cell["key"]})
            if cell["key"] in self.killers:
                raise WorkerDied("the worker was killed by SIGSEGV", "a stack of C")
            if cell["key"] in self.raising:
                failed = speed_row(error="ValueError: bad").model_dump(mode="json")
                on_event({"row": failed | cell, "traceback": "Traceback: bad"})
                continue
            passes = [*(so_far["passes"] if so_far else []), 6]
            row = changed(
                speed_row(cell["variant"], "infer"),
                passes=passes,
                is_calm=len(passes) > self.busy,
                reference=1.0 / len(self.visits),
                step_seconds={"median": 1.0},
            )
            on_event({"row": row.model_dump(mode="json") | cell, "traceback": None})
        return {}


@pytest.fixture
def machine(monkeypatch):
    outcome = Machine()
    monkeypatch.setattr(run, "_answer", outcome.answer)
    return outcome


def visited(tmp_path, *, force=False, **method):
    """The run, and its events."""
    events = []
    suite = SpeedSuite.model_validate({"name": "two", "speed": WHAT, "method": {"alone": 0, **method}})
    return run_speed(suite, tmp_path / "out", device="cpu", force=force, on_event=events.append), events


def test_a_calm_machine_is_visited_in_the_passes_asked_for(machine, tmp_path):
    outcome, events = visited(tmp_path, passes=3)
    assert sorted(key for key, _ in machine.visits) == sorted(cell.key for cell in CELLS for _ in range(3))
    assert (outcome.cells, outcome.complete, outcome.is_stopped) == (len(CELLS), len(CELLS), False)
    assert [event.text for event in events if event.text.startswith("pass")] == [f"pass {n} of 3" for n in (1, 2, 3)]
    ends = [event for event in events if event.row is not None]
    assert [event.visit for event in ends] == list(range(1, 13)) and {event.visits for event in ends} == {12}
    assert [event.is_complete for event in ends] == [False] * 8 + [True] * 4
    assert ends[-1].ended == ends[-1].cells == len(CELLS)


def test_a_process_holds_the_cells_of_one_variant_in_one_pass(machine, tmp_path):
    visited(tmp_path, passes=2)
    variants = {cell.key: cell.variant for cell in CELLS}
    assert [len(keys) for keys in machine.processes] == [2, 2, 2, 2]
    assert all(len({variants[key] for key in keys}) == 1 for keys in machine.processes)


def test_a_busy_machine_is_visited_again_until_it_is_calm(machine, tmp_path):
    machine.busy = 3
    _, events = visited(tmp_path, passes=3)
    assert len(machine.visits) == len(CELLS) * 4
    texts = [event.text for event in events]
    assert f"pass 4: the machine was busy whenever {len(CELLS)} cells ran" in texts
    assert not any(text.startswith("pass 5") for text in texts)
    assert events[-1].visits == events[-1].visit == len(CELLS) * 4


def test_a_machine_that_stays_busy_is_given_up_after_twice_the_passes(machine, tmp_path):
    machine.busy = 99
    outcome, _ = visited(tmp_path, passes=2)
    assert len(machine.visits) == len(CELLS) * 4
    assert outcome.complete == len(CELLS) and not any(row.is_calm for row in outcome.rows)


def test_each_process_knows_the_best_reading_of_the_run(machine, tmp_path):
    visited(tmp_path, passes=2)
    assert [reference for _, reference in machine.visits] == [None, None, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 6, 1 / 6]


def test_a_run_with_nothing_to_do_asks_for_nothing_unless_forced(machine, tmp_path):
    visited(tmp_path, passes=1)
    count = len(machine.visits)
    outcome, events = visited(tmp_path, passes=1)
    assert len(machine.visits) == count and outcome.complete == len(outcome.rows) == len(CELLS)
    assert [event.text for event in events] == ["4 of 4 cells already have rows (--force times them again)"]
    visited(tmp_path, passes=1, force=True)
    assert len(machine.visits) == 2 * count
    assert [row.passes for row in read_rows(tmp_path / "out")[0]] == [(6,)] * len(CELLS)


def test_more_passes_add_to_what_is_there(machine, tmp_path):
    visited(tmp_path, passes=1)
    visited(tmp_path, passes=3)
    assert len(machine.visits) == 3 * len(CELLS)
    assert {row.passes for row in read_rows(tmp_path / "out")[0]} == {(6, 6, 6)}


def test_a_cell_alone_is_timed_in_as_many_passes_of_processes_of_its_own(machine, tmp_path):
    outcome, events = visited(tmp_path, passes=3, alone=9)
    assert len(machine.visits) == len(CELLS) * 3 + 3  # a quarter of the cells at most
    assert [len(keys) for keys in machine.processes[-3:]] == [1, 1, 1]
    (row,) = [row for row in outcome.rows if row.alone is not None]
    assert (row.alone.median, row.alone.ratio) == (1.0, 1.0)
    assert [row] == [row for row in read_rows(tmp_path / "out")[0] if row.alone is not None]
    assert events[-1].text.endswith("timed again alone: 1.000 of its time beside other cells")


def test_death_of_a_worker_costs_its_own_cell_and_is_told(machine, tmp_path):
    machine.killers = {CELLS[0].key}
    outcome, events = visited(tmp_path, passes=2)
    rows = {row.key: row for row in outcome.rows}
    assert set(rows) == {cell.key for cell in CELLS} and outcome.complete == len(CELLS)
    dead = rows.pop(CELLS[0].key)
    assert dead.error == "the worker was killed by SIGSEGV" and dead.step_seconds is None
    assert (tmp_path / "out" / dead.traceback).read_text() == "a stack of C"
    assert all(row.error is None and row.passes == (6, 6) for row in rows.values())
    assert [key for key, _ in machine.visits].count(dead.key) == 1  # it is not tried again in this run
    (failure,) = [event for event in events if event.row is not None and event.row.error]
    assert failure.is_complete and failure.cell == CELLS[0]


def test_a_failed_cell_keeps_its_traceback_until_a_later_run_times_it(machine, tmp_path):
    machine.raising = {CELLS[1].key}
    outcome, _ = visited(tmp_path, passes=1)
    (failed,) = [row for row in outcome.rows if row.error]
    path = tmp_path / "out" / failed.traceback
    assert (failed.key, failed.error, path.read_text()) == (CELLS[1].key, "ValueError: bad", "Traceback: bad")
    machine.raising = set()
    count = len(machine.visits)
    outcome, _ = visited(tmp_path, passes=1)
    assert machine.visits[count:] == [(CELLS[1].key, None)]
    assert not any(row.error for row in outcome.rows) and not path.exists()


def test_a_stopped_run_keeps_what_it_has_and_goes_on(machine, tmp_path):
    machine.interrupt_after = 3
    outcome, _ = visited(tmp_path, passes=1)
    assert outcome.is_stopped and (len(outcome.rows), outcome.complete, outcome.cells) == (3, 3, 4)
    machine.interrupt_after = None
    outcome, _ = visited(tmp_path, passes=1)
    assert (outcome.is_stopped, outcome.complete) == (False, 4) and len(machine.visits) == 4


def test_a_wrong_request_writes_nothing(machine, tmp_path):
    suite = SpeedSuite.model_validate({"name": "two", "speed": {**WHAT, "dtype": ["tf32"]}})
    with pytest.raises(InputError, match="dtype tf32 is not supported on this cpu device"):
        run_speed(suite, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists() and machine.visits == []
