import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import hears_ctrl_c, run_zoo_here
from zoo.cli.options import suite_from
from zoo.run import executor
from zoo.run.store import RowStore, read_rows
from zoo.suite import expand

pytestmark = pytest.mark.process

NOTHING = {"data": {"targets": ["close"]}, "run": {"models": ["lstm", "naive"], "seeds": 2}}
CONTEXT = {"commit": None, "command": None}


def small_cells(path, *settings):
    chosen = ["fit.max_epochs=2", "lstm.hidden_size=8", *settings]
    return expand(suite_from(str(path), NOTHING, chosen), device="cpu")[0]


@pytest.fixture
def store(tmp_path):
    opened = RowStore(tmp_path / "out")
    yield opened
    opened.close()


def test_metrics_are_bit_equal_whatever_the_number_of_jobs(prices_csv, tmp_path):
    cells = small_cells(prices_csv)
    runs = []
    for number, jobs in enumerate([1, 1, 2]):
        store = RowStore(tmp_path / f"out{number}")
        rows = executor.run(cells, store, jobs=jobs, context=CONTEXT)
        store.close()
        assert [row.error for row in rows] == [None] * 3
        runs.append({row.key: row.metrics for row in rows})
    assert runs[0] == runs[1] == runs[2]
    seeds = [metrics.rmse for metrics in runs[0].values()]
    assert len(set(seeds)) == 3


def test_seeds_go_out_together_where_one_cuda_graph_trains_them(prices_csv):
    cells = small_cells(prices_csv)
    assert [len(group) for group in executor.groups(cells)] == [1, 1, 1]
    on_gpu = [cell.model_copy(update={"device": "cuda"}) for cell in cells]
    assert [[cell.variant for cell in group] for group in executor.groups(on_gpu)] == [["lstm", "lstm"], ["naive"]]
    eager = [cell.model_copy(update={"fit": {**(cell.fit or {}), "mode": "eager"}}) for cell in on_gpu[:2]]
    assert [len(group) for group in executor.groups(eager)] == [1, 1]


def test_of_each_seed_the_longest_cells_go_first(prices_csv, store):
    wanted = {**NOTHING, "run": {"models": ["naive", "linear", "ridge", "lstm"], "seeds": 2}}
    cells, _ = expand(suite_from(str(prices_csv), wanted, ["fit.max_epochs=1", "lstm.hidden_size=8"]), device="cpu")
    seconds = {cell.key: {"lstm": 9.0, "linear": 4.0}.get(cell.variant, 1.0) for cell in cells}
    order = [(group[0].variant, group[0].seed) for group in executor.longest_first(executor.groups(cells), seconds)]
    assert order == [("lstm", 0), ("linear", 0), ("naive", 0), ("ridge", 0), ("lstm", 1), ("linear", 1)]
    calls, begun = [], []

    def expect():
        calls.append(len(begun))
        return seconds

    def on_event(event):
        begun.extend([event.cell.variant] if event.row is None and event.epoch is None else [])

    rows = executor.run(cells, store, jobs=1, context=CONTEXT, expect=expect, on_event=on_event)
    assert calls == [0] and {row.key for row in rows} == set(seconds) and all(row.error is None for row in rows)
    assert sorted(begun) == sorted(cell.variant for cell in cells)
    assert begun.index("lstm") < begun.index("ridge")


def test_cells_that_go_out_together_get_the_rows_that_each_gets_alone(prices_csv, store, monkeypatch):
    cells = small_cells(prices_csv)
    monkeypatch.setattr(executor, "groups", lambda cells: [list(cells[:2]), *([cell] for cell in cells[2:])])
    seen = []
    on_event = lambda event: seen.append((event.cell.seed, event.epoch["epoch"])) if event.epoch else None  # noqa: E731
    rows = executor.run(cells, store, jobs=1, context=CONTEXT, on_event=on_event)
    assert [row.key for row in rows] == [cell.key for cell in cells]
    assert {seed for seed, _ in seen} == {0, 1}
    monkeypatch.undo()
    alone = executor.run(cells, store, jobs=1, context=CONTEXT)
    assert [row.metrics for row in rows] == [row.metrics for row in alone]


def test_a_cell_that_kills_a_worker_leaves_those_beside_it_their_rows(prices_csv, store, monkeypatch):
    cells = small_cells(prices_csv, "fit.max_epochs=30", "fit.patience=0")[:2]
    monkeypatch.setattr(executor, "groups", lambda cells: [list(cells)])

    def kill(event):
        if event.epoch is not None and event.cell == cells[0]:
            os.kill(event.pid, signal.SIGKILL)

    rows = executor.run(cells, store, jobs=1, context=CONTEXT, on_event=kill)
    assert rows[0].error == "the worker was killed by SIGKILL (out of memory?)"
    assert rows[1].error is None


def test_killed_worker_costs_its_cell_only(prices_csv, store):
    cells = small_cells(prices_csv, "fit.max_epochs=100000", "fit.patience=0")[:1] + small_cells(prices_csv)

    def kill(event):
        if event.epoch is not None and event.cell == cells[0]:
            os.kill(event.pid, signal.SIGKILL)

    rows = executor.run(cells, store, jobs=1, context=CONTEXT, on_event=kill)
    errors = {row.key: row.error for row in rows}
    assert errors.pop(cells[0].key) == "the worker was killed by SIGKILL (out of memory?)"
    assert list(errors.values()) == [None] * 3
    stored, left_out = read_rows(store.folder)
    assert len(stored) == 4
    assert left_out == []


def test_worker_lost_to_an_unnamed_signal_does_not_hang_the_suite(prices_csv, store):
    cells = small_cells(prices_csv, "fit.max_epochs=100000", "fit.patience=0")[:1]

    def kill(event):
        if event.epoch is not None:
            os.kill(event.pid, 40)

    (row,) = executor.run(cells, store, jobs=1, context=CONTEXT, on_event=kill)
    assert row.error == "the worker was killed by signal 40"


def test_failing_cell_becomes_a_row_with_its_reason(prices_csv, store):
    cells = small_cells(prices_csv, "fit.learning_rate=1e30", "fit.optimizer=sgd", "fit.clip_norm=0")
    rows = executor.run(cells, store, jobs=1, context=CONTEXT)
    by_variant = {row.variant: row for row in rows}
    assert "diverged in epoch" in by_variant["lstm"].error
    assert "1e+30" in by_variant["lstm"].error
    details = (store.folder / by_variant["lstm"].traceback).read_text()
    assert details.startswith("lstm, seed ") and "Traceback (most recent call last)" in details
    assert by_variant["lstm"].error in details
    assert by_variant["lstm"].metrics is None
    assert by_variant["naive"].error is None


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_stopped_run_goes_on_where_it_was(prices_csv, tmp_path, how, code):
    out = tmp_path / "out"
    arguments = [
        "bench", prices_csv, "--targets", "close", "--models", "naive,lstm", "--seeds", "2", "--jobs", "1",
        "--set", "lstm.hidden_size=8", "--set", "fit.patience=0", "--out", out,
    ]  # fmt: skip
    slow = [sys.executable, "-m", "zoo.cli", *map(str, arguments), "--set", "fit.max_epochs=100000"]
    process = subprocess.Popen(slow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hears_ctrl_c)
    rows = out / "rows.jsonl"
    deadline = time.monotonic() + 60
    while not (rows.exists() and rows.read_text().count("\n") == 1):  # naive has ended, lstm trains for ever
        assert time.monotonic() < deadline, process.communicate()[1]
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in errors
    (naive,), left_out = read_rows(out)
    assert (naive.variant, naive.error, left_out) == ("naive", None, [])
    rows.write_text(rows.read_text() + '{"key": "half a li')  # what a power cut may leave
    ended = run_zoo_here(*arguments, "--set", "fit.max_epochs=2")
    assert ended.returncode == 0, ended.stderr
    assert "1 of 3 cells already have rows" in ended.stderr
    rows_after, left_out = read_rows(out)
    assert sorted(row.variant for row in rows_after) == ["lstm", "lstm", "naive"]
    assert left_out == []
    assert rows_after[0] == naive
    assert "1 of 3" not in run_zoo_here(*arguments, "--set", "fit.max_epochs=2", "--force").stderr
