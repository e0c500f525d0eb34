"""Small made-up data that every test may use."""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import functools
import gc
import io
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from zoo import registry

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def registry_as_it_was(monkeypatch: pytest.MonkeyPatch):
    """Variants that a test registers, also through a command, are forgotten after it: one may never end."""
    registry.list_models()
    monkeypatch.setattr(registry, "_variants", dict(registry._variants))
    monkeypatch.setattr(registry, "_files", dict(registry._files))


STARTING = ("process", "browser", "postgres", "gpu")  # markers of tests that may start a process
STARTS = {
    "subprocess.Popen",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.system",
    "socket.sendmsg",  # asks the fork server for a worker
}
_guarded: list[str] = []  # the test that runs now, unless it may start a process
_refused: list[str] = []  # the processes that it tried to start


def _refuse_processes(event: str, arguments: tuple[object, ...]) -> None:
    # They tell the commit, the processor and, once on a machine, the fonts, in no time.
    is_quick = arguments[:1] in (("git",), ("uname",), ("fc-list",))
    if event in STARTS and _guarded and not is_quick:
        _refused.append(f"{event} {arguments[1:2]}")
        raise RuntimeError("this test starts a process: mark it with @pytest.mark.process")


sys.addaudithook(_refuse_processes)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """An order in which each worker gets its part in one piece: first cells to compile, which are compiled once for all
    workers and stay in numba's folder, then long files, and quick tests last, so that all workers end together."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    long: dict[object, list[pytest.Item]] = {}
    quick: list[pytest.Item] = []
    for item in items:
        compiles = item.path.name == "test_recurrence.py"
        if compiles or any(item.get_closest_marker(name) for name in (*STARTING, "slow")):
            group = item.name.partition("[")[2] if compiles else ""  # a kind of cell; otherwise the file
            long.setdefault((not compiles, item.path, group), []).append(item)
        else:
            quick.append(item)
    for number, key in enumerate(sorted(long)):
        parts[number % workers] += long[key]
    for number, part in enumerate(parts):
        room = (len(items) - sum(map(len, parts[:number]))) // (workers - number) - len(part)
        part += [quick.pop(0) for _ in range(max(0, min(room, len(quick))))]
    items[:] = [item for part in parts for item in part] + quick


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None):
    """A test without a marker that allows it cannot start a process, so the markers stay true. After a file, what its
    tests loaded and traced is set apart, so that collections of garbage do not walk over it."""
    may_start = any(item.get_closest_marker(name) for name in STARTING)
    _guarded[:] = [] if may_start else [item.nodeid]
    _refused.clear()
    try:
        return (yield)
    finally:
        _guarded.clear()
        if nextitem is None or nextitem.path != item.path:
            gc.collect()
            gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    result = yield
    assert not _refused, f"this test starts a process: mark it with @pytest.mark.process ({_refused})"
    return result


def price_frame(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Daily OHLCV on business days, with a wave that a model can learn."""
    random = np.random.default_rng(seed)
    close = 100 + 10 * np.sin(np.arange(rows) / 4) + random.normal(size=rows)
    spread = np.abs(random.normal(size=(2, rows)))
    return pd.DataFrame(
        {
            "date": pd.bdate_range("2020-01-01", periods=rows).strftime("%Y-%m-%d"),
            "open": close + random.normal(size=rows),
            "high": close + spread[0] + 1,
            "low": close - spread[1] - 1,
            "close": close,
            "volume": random.integers(1_000, 9_000, size=rows),
        }
    )


@pytest.fixture
def prices() -> pd.DataFrame:
    return price_frame()


@pytest.fixture
def prices_csv(tmp_path: Path, prices: pd.DataFrame) -> Path:
    path = tmp_path / "prices.csv"
    prices.to_csv(path, index=False)
    return path


@pytest.fixture
def data(prices: pd.DataFrame) -> "zoo.Data":
    return zoo.prepare(zoo.load(prices), targets=["close"])


def hears_ctrl_c() -> None:
    """For preexec_fn: a process that is started in the background of a shell would ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_zoo(*arguments: object, **how: object) -> subprocess.CompletedProcess:
    """The `zoo` command in a process of its own."""
    command = [sys.executable, "-m", "zoo.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **how)


@dataclass(frozen=True)
class Ended:
    """How a command ended, as subprocess.run tells it."""

    returncode: int
    stdout: str
    stderr: str


def run_zoo_here(*arguments: object, cwd: Path | str | None = None) -> Ended:
    """The `zoo` command in this process, which spares the start of one; its workers are still processes."""
    from zoo.cli import main

    stdout, stderr = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["zoo", *map(str, arguments)]
    code: object = 0
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr), chdir(cwd or "."):
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
    finally:
        sys.argv = before
    assert isinstance(code, int), code
    return Ended(code, stdout.getvalue(), stderr.getvalue())


def shared(name: str) -> Path:
    """A real file that a checkout may have beside it; the test skips where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    return path


@pytest.fixture(scope="module")
def one_translation_table():
    """PyTorch builds its table of ONNX operators for each export, which takes as long as the rest of it."""
    registration = pytest.importorskip("torch.onnx._internal.exporter._registration").ONNXRegistry
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registration, "from_torchlib", staticmethod(functools.cache(registration.from_torchlib)))
        yield


MACHINE = {"num_cpus": 1, "include_dashboard": False, "include_log_monitor": False, "object_store_memory": 80_000_000}


def patiently(start: Callable[[], Any], attempts: int = 4) -> Any:
    """What `start` gives, which on a busy machine may take longer than Ray waits for a part of itself."""
    try:
        return start()
    except Exception as error:
        if "timed out during startup" not in str(error) or attempts == 1:
            raise
        return patiently(start, attempts - 1)


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of two machines with a place each, both of them this one."""
    pytest.importorskip("ray")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    from ray.cluster_utils import Cluster

    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 4}
    head = {**MACHINE, "no_monitor": True, "_system_config": quick}
    started = patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
    patiently(lambda: started.add_node(**MACHINE))
    yield started
    started.shutdown()
