"""Cells on a real cluster of two machines, both of them this one."""

import json
import os
import signal
import sys
import time

import numpy as np
import psutil
import pytest

from tests.conftest import MACHINE, Ended, patiently, run_zoo, run_zoo_here
from tests.machines import in_background, is_busy, kill, lines_of, wait_until
from zoo import registry
from zoo.cli.options import suite_from
from zoo.errors import InputError
from zoo.run import executor
from zoo.run.bench import run_suite
from zoo.run.store import RowStore, read_rows
from zoo.suite import expand

ray = pytest.importorskip("ray")
CELLS = int(os.environ.get("ZOO_CELLS", "1000"))  # of naive, through a cluster
ROOM = 16  # MiB, that a process takes for other things meanwhile
pytestmark = [pytest.mark.process, pytest.mark.ray]

CONTEXT = {"commit": None, "command": None}
PLUGIN = """
import os, signal, sys, time
import torch, zoo

@zoo.register("moody", summary="s", source="s")
class Moody(torch.nn.Module):
    def __init__(self, problem, *, mood: str = "good"):
        super().__init__()
        self.mood = mood
        self.head = torch.nn.Linear(problem.lookback * problem.channels, 1)

    def forward(self, x):
        is_there = "default_worker" in " ".join(sys.argv)
        if is_there and self.mood == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        while is_there and self.mood == "sleeps":
            time.sleep(0.1)
        return self.head(x.flatten(1)).unsqueeze(-1)
"""


@pytest.fixture(scope="module")
def engine(cluster, tmp_path_factory):
    """A connection for the tests of one process, with the variant moody from a file."""
    from zoo.run.ray_engine import connected

    path = tmp_path_factory.mktemp("variants") / "mine.py"
    path.write_text(PLUGIN)
    registry.from_file(path)
    with connected(cluster.address, None) as engine:
        path.unlink()  # it has travelled
        yield engine
    del registry._variants["moody"], registry._files[path]


@pytest.fixture
def store(tmp_path):
    opened = RowStore(tmp_path / "out")
    yield opened
    opened.close()


def small_suite(path, *settings, models="naive,lstm,moody"):
    sections = {"data": {"targets": ["close"]}, "run": {"models": models.split(","), "seeds": 3}}
    return suite_from(str(path), sections, ["fit.max_epochs=2", *settings])


def small_cells(path, *settings, **how):
    return expand(small_suite(path, *settings, **how), device="cpu")[0]


def measured(run, cells, folder, **how):
    """Metrics by key, and the files of predictions by name."""
    store = RowStore(folder)
    try:
        rows = run(cells, store, jobs=None, context=CONTEXT, **how)
    finally:
        store.close()
    assert [row.error for row in rows] == [None] * len(cells)
    return {row.key: row.metrics for row in rows}, {
        path.name: path.read_bytes() for path in (folder / "predictions").iterdir()
    }


def test_rows_are_those_of_the_local_engine_bit_for_bit(engine, prices_csv, tmp_path):
    cells = small_cells(prices_csv)
    assert len(cells) == 7
    local = measured(executor.run, [cell for cell in cells if cell.variant != "moody"], tmp_path / "local")
    metrics, predictions = measured(engine.run, cells, tmp_path / "ray")
    assert {cell.variant for cell in cells if cell.key not in local[0]} == {"moody"}
    assert {key: metrics[key] for key in local[0]} == local[0]
    assert {name: predictions[name] for name in local[1]} == local[1]


def test_data_travel_once_and_machines_read_no_file(engine, prices_csv, tmp_path, monkeypatch):
    cells, put = small_cells(prices_csv), []
    original = ray.put
    monkeypatch.setattr(ray, "put", lambda value: put.append(value) or original(value))
    measured(engine.run, cells, tmp_path / "out", on_event=lambda _: prices_csv.unlink(missing_ok=True))
    assert len(put) == 1
    assert not prices_csv.exists()


def test_failing_cell_becomes_a_row_with_its_reason(engine, prices_csv, store):
    cells = small_cells(prices_csv, "fit.learning_rate=1e30", "fit.optimizer=sgd", "fit.clip_norm=0")
    rows = {row.variant: row for row in engine.run(cells, store, jobs=1, context=CONTEXT)}
    assert "diverged in epoch" in rows["lstm"].error
    assert rows["lstm"].error in (store.folder / rows["lstm"].traceback).read_text()
    assert rows["naive"].error is None


def test_cell_that_kills_its_worker_twice_gets_a_failure_row(engine, prices_csv, store):
    cells, events = small_cells(prices_csv, "moody.mood=kills", models="moody,naive")[:2], []
    rows = {row.variant: row for row in engine.run(cells, store, jobs=None, context=CONTEXT, on_event=events.append)}
    assert rows["moody"].error.startswith("the cell killed its worker 2 times (")
    assert rows["naive"].error is None
    (again,) = (event for event in events if event.again)
    assert again.cell.variant == "moody" and again.again.startswith("its worker died (")


def test_cell_ends_after_its_timeout(engine, prices_csv, store):
    cells = small_cells(prices_csv, "moody.mood=sleeps", models="moody")[:1]
    (row,) = engine.run(cells, store, jobs=None, context=CONTEXT, timeout=1)
    assert row.error.endswith("TimeoutError: it took longer than 1 s (--cell-timeout)")


@pytest.mark.usefixtures("engine")
def test_cell_that_no_machine_can_hold_is_refused_before_anything_is_written(prices_csv, tmp_path):
    from zoo.run.ray_engine import RayEngine, needs_of

    large = RayEngine(needs_of("gpus=0.5,memory=1GB"), ())
    with pytest.raises(InputError, match="a cell needs 1 CPU and 0.5 GPU and 1e.09 memory, more than any machine"):
        run_suite(small_suite(prices_csv), tmp_path / "none", engine=large)
    assert not (tmp_path / "none").exists()
    assert RayEngine(needs_of("cpus=0.5"), ()).default_jobs("cpu") == 4


def test_lost_machine_loses_and_doubles_nothing(cluster, prices_csv, tmp_path):
    third = patiently(lambda: cluster.add_node(**MACHINE))
    arguments = [
        "bench", prices_csv, "--targets", "close", "--models", "naive,lstm", "--seeds", 12,
        "--set", "fit.max_epochs=40", "--set", "fit.patience=0",
    ]  # fmt: skip
    process = in_background(*arguments, "--out", tmp_path / "ray", "--engine", f"ray:{cluster.address}")
    wait_until(lambda: lines_of(tmp_path / "ray/rows.jsonl") >= 2 and is_busy(third, "measure_there"), process)
    kill(cluster, third)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert "its machine was lost; it runs again" in errors
    rows, left_out = read_rows(tmp_path / "ray")
    assert (len(rows), lines_of(tmp_path / "ray/rows.jsonl"), left_out) == (13, 13, [])
    assert run_zoo_here(*arguments, "--seeds", 1, "--out", tmp_path / "local").returncode == 0
    metrics = {row.key: row.metrics for row in rows}
    assert all(metrics[row.key] == row.metrics for row in read_rows(tmp_path / "local")[0])


def test_ctrl_c_keeps_rows_and_the_same_command_goes_on(cluster, prices_csv, tmp_path):
    out, here = tmp_path / "out", {"cwd": tmp_path, "env": {**os.environ, "PYTHONSAFEPATH": "1"}}
    (tmp_path / "torch.py").write_text("raise ImportError('a file of the user took the place of a package')")
    arguments = ["bench", prices_csv, "--targets", "close", "--models", "naive,lstm", "--seeds", 2, "--out", out]
    arguments += ["--set", "lstm.hidden_size=8", "--set", "fit.patience=0", "--engine", f"ray:{cluster.address}"]
    process = in_background(*arguments, "--set", "fit.max_epochs=100000", **here)
    wait_until(lambda: lines_of(out / "rows.jsonl") == 1, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "stopped: 1 of 3 cells are done; repeat the command to resume" in errors
    assert "Traceback" not in errors
    (naive,), _ = read_rows(out)
    ended = run_zoo(*arguments, "--set", "fit.max_epochs=2", "--json", **here)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)  # and nothing that Ray says
    assert "1 of 3 cells already have rows" in ended.stderr
    assert read_rows(out)[0][0] == naive


def refused(prices_csv, *arguments) -> Ended:
    out = prices_csv.parent / "none"
    ended = run_zoo_here("bench", prices_csv, "--targets", "close", "--models", "naive", "--out", out, *arguments)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert not out.exists()
    return ended.stderr


def test_without_ray_one_line_says_how_to_install_it(prices_csv, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "zoo.run.ray_engine", raising=False)
    monkeypatch.delattr("zoo.run.ray_engine", raising=False)
    assert 'pip install "lstm-zoo[cluster]"' in refused(prices_csv, "--engine", "ray")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "rya"], "unknown engine 'rya'; did you mean 'ray'? (known: local, ray)"),
        (["--engine", "local:1"], "--engine local:1 names an address: choose --engine ray, or leave it out"),
        (["--needs", "cpus=2"], "--needs belongs to a cluster: choose --engine ray, or leave it out"),
        (["--engine", "ray:10.0.0.1"], "a cluster's address is HOST:PORT of its head, such as 10.0.0.1:6379, got"),
        (["--engine", "ray:127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1"),
        (["--engine", "ray", "--needs", "cups=1"], "unknown need 'cups' in --needs; did you mean 'cpus'?"),
        (["--engine", "ray", "--needs", "cpus=few"], "--needs takes numbers such as cpus=1,gpus=0.5,memory=2GB, got"),
        (["--engine", "ray", "--needs", "cpus=0"], "--needs must leave a cell cpus or gpus"),
    ],
)
def test_wrong_engine_is_refused_before_anything_runs(prices_csv, options, message):
    assert message in refused(prices_csv, *options)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_cells_cost_little_and_the_driver_stays_small(engine, prices_csv, tmp_path, capsys):
    """A cell of naive takes milliseconds, so that what remains is the way there and back."""
    (cell,) = small_cells(prices_csv, models="naive")
    cells = [cell.model_copy(update={"seed": seed}).keyed() for seed in range(CELLS)]
    process, mebibytes = psutil.Process(), {}

    def milliseconds(run, chosen, folder, warm=20):
        """Of a cell, one at a time, without the start of the worker."""
        ends, store = [], RowStore(tmp_path / folder)

        def on_event(event):
            if event.row is not None:
                ends.append(time.perf_counter())
                mebibytes[len(ends)] = process.memory_info().rss / 2**20

        rows = run(chosen, store, jobs=1 if len(chosen) < 1000 else None, context=CONTEXT, on_event=on_event)
        store.close()
        assert [row.error for row in rows] == [None] * len(chosen)
        assert len({row.key for row in rows}) == len(chosen)
        return 1000 * np.diff(ends[warm:])

    few = cells[:300]
    local, there = (np.median(milliseconds(each.run, few, str(n))) for n, each in enumerate((executor, engine)))
    whole = np.mean(milliseconds(engine.run, cells, "whole"))
    memory = ", ".join(f"{mebibytes[count]:.0f}" for count in (CELLS // 10, CELLS // 2, CELLS))
    with capsys.disabled():
        print(
            f"\none at a time, local {local:.1f} ms a cell, ray {there:.1f} ms: {there - local:.1f} ms more; "
            f"{CELLS:,} cells on two places {whole:.1f} ms a cell; the driver has {memory} MiB after a tenth, half and "
            "all of them",
            file=sys.stderr,  # what goes to standard output while an engine is there may be Ray's
        )
    assert there - local <= 4 * local  # 50 ms where a cell of the local engine takes 12
    # The rows themselves are 12 KiB each.
    assert mebibytes[CELLS] - mebibytes[CELLS // 2] < CELLS / 2 * 16 / 1024 + ROOM
