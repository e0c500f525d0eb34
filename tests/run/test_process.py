"""A worker process gets the threads and the memory settings that it should have."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.run import process
from zoo.run.process import MEMORY, WorkerDied, WorkerProcess


@pytest.fixture
def environment(monkeypatch):
    """The environment of the worker that was last asked to start; no process is started."""
    seen = {}

    def refuse(*_, env, **__):
        seen.clear()
        seen.update(env)
        raise OSError("no processes here")

    monkeypatch.setattr(process, "_server", process._Server())
    monkeypatch.setattr(process.subprocess, "Popen", refuse)
    for name in MEMORY:
        monkeypatch.delenv(name, raising=False)
    yield seen
    process._server.close()


def started(**how):
    worker = WorkerProcess("zoo.run.worker", **how)
    with pytest.raises(WorkerDied, match="no worker could be started: no processes here"):
        worker.ask({}, lambda _: None)
    worker.close()


def test_large_tensors_lie_on_huge_pages(environment):
    started()
    assert environment.items() >= MEMORY.items()


def test_what_the_user_set_of_the_allocator_stays(environment, monkeypatch):
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "0")
    started()
    assert environment["THP_MEM_ALLOC_ENABLE"] == "0"


def test_threads_are_those_asked_for(environment):
    started()
    assert environment["OMP_NUM_THREADS"] == "1"
    started(threads=3)
    assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"


def test_workers_come_from_one_server_and_die_alone(tmp_path, monkeypatch):
    (tmp_path / "echo.py").write_text(
        "import os, sys\n"
        "def answer(request, say, hear):\n"
        "    if request.get('exit'):\n"
        "        print('the last words', file=sys.stderr, flush=True)\n"
        "        os._exit(request['exit'])\n"
        "    say({'heard': request})\n"
        "    place = {'folder': os.getcwd(), 'mark': os.environ.get('MARK')}\n"
        "    return {'pid': os.getpid(), 'parent': os.getppid(), **place}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = process._Server()
    monkeypatch.setattr(process, "_server", server)
    monkeypatch.setenv("MARK", "first")
    one, two = WorkerProcess("echo"), WorkerProcess("echo")
    try:
        events = []
        first = one.ask({"n": 1}, events.append)
        assert events == [{"heard": {"n": 1}}]
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("MARK", "second")
        second = two.ask({}, lambda _: None)
        assert first["pid"] != second["pid"] and first["pid"] == one.pid
        if sys.platform == "linux":
            assert first["parent"] == second["parent"] == server.process.pid
        assert (first["mark"], second["mark"]) == ("first", "second")
        assert Path(second["folder"]).resolve() == tmp_path.resolve()
        with pytest.raises(WorkerDied, match="the worker ended with exit code 3: the last words") as death:
            one.ask({"exit": 3}, lambda _: None)
        assert death.value.log.strip() == "the last words"
        assert one.ask({}, lambda _: None)["pid"] not in (first["pid"], second["pid"])
        two.stop()
        with pytest.raises(WorkerDied, match="killed by SIGKILL"):
            two.ask({}, lambda _: None)
    finally:
        one.close()
        two.close()
        server.close()


def test_workers_end_with_the_process_that_asked_for_them():
    script = (
        "import os, signal\n"
        "from zoo.run.process import WorkerProcess\n"
        "worker = WorkerProcess('zoo.run.worker')\n"
        "try: worker.ask({'cell': 1}, lambda _: None)\n"
        "except Exception: pass\n"
        "worker._end(); worker.process = worker._started()\n"
        "print(worker.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    pid = int(ended.stdout)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
