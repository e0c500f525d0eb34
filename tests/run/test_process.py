"""A worker process gets the threads and the memory settings that it should have."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.run import server
from zoo.run.process import WorkerDied, WorkerProcess
from zoo.run.server import HOME, MEMORY

pytestmark = pytest.mark.process
ECHO = """
import os, sys

def answer(request, say, hear):
    if request.get("exit"):
        print("the last words", file=sys.stderr, flush=True)
        os._exit(request["exit"])
    say({"heard": request})
    program = getattr(sys.modules["__main__"], "__file__", None)
    place = {"folder": os.getcwd(), "environment": dict(os.environ), "program": program}
    return {"pid": os.getpid(), "parent": os.getppid(), **place}
"""


@pytest.fixture
def echo(tmp_path, monkeypatch):
    """Starts workers that answer with their own state, and ends them with the test."""
    (tmp_path / "echo.py").write_text(ECHO)
    monkeypatch.syspath_prepend(tmp_path)
    for name in MEMORY:
        monkeypatch.delenv(name, raising=False)
    workers = []

    def start(**options):
        workers.append(WorkerProcess("echo", **options))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def test_large_tensors_lie_on_huge_pages(echo):
    assert echo().ask({}, lambda _: None)["environment"].items() >= MEMORY.items()
    assert not set(MEMORY).intersection(os.environ)


def test_what_the_user_set_of_the_allocator_stays(echo, monkeypatch):
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "0")
    assert echo().ask({}, lambda _: None)["environment"]["THP_MEM_ALLOC_ENABLE"] == "0"


def test_threads_are_those_asked_for(echo):
    assert echo().ask({}, lambda _: None)["environment"]["OMP_NUM_THREADS"] == "1"
    environment = echo(threads=3).ask({}, lambda _: None)["environment"]
    assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_a_worker_that_cannot_start_is_an_error_with_the_reason(echo, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no processes here")

    monkeypatch.setattr(server.CONTEXT, "Process", refuse)
    with pytest.raises(WorkerDied, match="no worker could be started: no processes here"):
        echo().ask({}, lambda _: None)


def test_workers_come_from_one_server_and_die_alone(echo, tmp_path, monkeypatch):
    monkeypatch.setenv("MARK", "first")
    one, two = echo(), echo()
    events = []
    first = one.ask({"n": 1}, events.append)
    assert events == [{"heard": {"n": 1}}]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARK", "second")
    second = two.ask({}, lambda _: None)
    assert first["pid"] != second["pid"] and first["pid"] == one.pid
    if sys.platform == "linux":
        assert first["parent"] == second["parent"] != os.getpid()
    assert (first["environment"]["MARK"], second["environment"]["MARK"]) == ("first", "second")
    assert Path(second["folder"]).resolve() == tmp_path.resolve()
    with pytest.raises(WorkerDied, match="the worker ended with exit code 3: the last words") as death:
        one.ask({"exit": 3}, lambda _: None)
    assert death.value.log.strip() == "the last words"
    assert one.ask({}, lambda _: None)["pid"] not in (first["pid"], second["pid"])
    two.stop()
    with pytest.raises(WorkerDied, match="killed by SIGKILL"):
        two.ask({}, lambda _: None)


def test_a_program_is_not_run_again_by_its_workers(tmp_path):
    """Whoever calls zoo from a script without `if __name__ == "__main__"` gets one run, not one in each worker."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "echo.py").write_text(ECHO)
    (tmp_path / "random.py").write_text("raise ValueError('not the random of the standard library')")
    script = tmp_path / "script.py"
    script.write_text(
        "from zoo.run.process import WorkerProcess\n"
        "worker = WorkerProcess('echo')\n"
        "print(worker.ask({}, lambda _: None)['program'])\n"
        "worker.close()\n"
    )
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HOME), str(tmp_path / "modules")])}
    command = [sys.executable, "-P", script]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path, env=here)
    assert (ended.returncode, ended.stdout.count("\n")) == (0, 1), ended.stderr
    assert "script.py" not in ended.stdout


def test_workers_end_with_the_process_that_asked_for_them():
    script = (
        "import os, signal\n"
        "from zoo.run.process import WorkerProcess\n"
        "worker = WorkerProcess('zoo.run.worker')\n"
        "worker._running()\n"
        "print(worker.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    pid = int(ended.stdout)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
