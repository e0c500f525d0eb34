"""A worker process gets the threads and the memory settings that it should have."""

import pytest

from zoo.run import process
from zoo.run.process import MEMORY, WorkerDied, WorkerProcess


@pytest.fixture
def environment(monkeypatch):
    """The environment of the worker that was last asked to start; it never does."""
    seen = {}

    def refuse(*_, env, **__):
        seen.update(env)
        raise OSError("no processes here")

    monkeypatch.setattr(process.subprocess, "Popen", refuse)
    for name in MEMORY:
        monkeypatch.delenv(name, raising=False)
    return seen


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
