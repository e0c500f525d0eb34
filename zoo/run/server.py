"""The server that worker processes are forked from, and the environment that they start in.

It imports torch and the zoo once, while the command that needs workers still reads its files.
"""

import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

# On Linux, large tensors on huge pages, and freed memory stays with the process: a training step on the CPU otherwise
# spends up to half its time on new pages for its activations, and how much depends on what ran before in the process.
MEMORY = {
    "THP_MEM_ALLOC_ENABLE": "1",  # of PyTorch's CPU allocator
    "MALLOC_MMAP_THRESHOLD_": str(2**25),  # of glibc: the largest it takes
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}
HOME = str(Path(__file__).resolve().parents[2])
# On Linux a server imports torch once, and forks each worker from itself. Elsewhere forking is not safe.
CONTEXT = multiprocessing.get_context("forkserver") if sys.platform == "linux" else multiprocessing.get_context("spawn")
# No module here may run a tensor operation when it is imported: it
# would start threads, which do not survive a fork.
PRELOADED = ["zoo.startup", "zoo.models", "zoo.run.serving"]
lock = threading.Lock()  # multiprocessing lets one thread at a time start processes and read exit codes


def start_early(module: str) -> None:
    """Start the server of workers that answer with MODULE, without waiting for it; elsewhere than on Linux nothing."""
    if sys.platform == "linux":
        from multiprocessing.forkserver import ensure_running

        with lock, worker_environment(threads=1):
            CONTEXT.set_forkserver_preload([*PRELOADED, module])
            ensure_running()


def settings(threads: int) -> dict[str, str]:
    """The environment variables of a worker, wherever it runs."""
    values = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    values |= {name: value for name, value in MEMORY.items() if name not in os.environ}
    values["PYTHONSAFEPATH"] = "1"  # a file in the user's folder with the name of a package must not take its place
    return values


@contextmanager
def worker_environment(threads: int) -> Iterator[None]:
    """Inside, a process starts with a worker's environment, and does not import the user's program, which
    multiprocessing would do."""
    changes = settings(threads)
    changes["PYTHONPATH"] = os.pathsep.join(filter(None, (HOME, os.environ.get("PYTHONPATH"))))
    before, program = {name: os.environ.get(name) for name in changes}, sys.modules["__main__"]
    os.environ.update(changes)
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
