"""A worker process: a request goes in as a JSON line, events and one answer come back."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo.registry import files
from zoo.run.environment import usable_cores

Message = dict[str, Any]
# On Linux, large tensors on huge pages and freed memory kept: a training step on the CPU otherwise spends up to half
# its time having pages made for its activations, and how much depends on what ran before in the process.
MEMORY = {
    "THP_MEM_ALLOC_ENABLE": "1",  # of PyTorch's CPU allocator
    "MALLOC_MMAP_THRESHOLD_": str(2**25),  # of glibc: the largest it takes
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}


class WorkerDied(Exception):
    """The worker ended before it answered; the message says why, `log` is what it wrote to standard error."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class WorkerProcess:
    """`python -m MODULE`, started when first asked and again after it died; numerical libraries get `threads`."""

    def __init__(self, module: str, *, threads: int = 1) -> None:
        self.module, self.threads = module, threads
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  what it writes to standard error; closed by close()
        self.process: subprocess.Popen[str] | None = None
        self.is_stopped = False

    @property
    def pid(self) -> int | None:
        """The process id, once there is a process."""
        return self.process.pid if self.process is not None else None

    def ask(self, request: Message, on_event: Callable[[Message], Message | None]) -> Message:
        """The worker's answer; events on the way go to on_event, and what that returns goes to the worker.

        Raises WorkerDied.
        """
        try:
            if self.process is None or self.process.poll() is not None:
                self._end()
                self.process = self._started()
                if self.is_stopped:
                    self.process.kill()
        except OSError as error:
            raise WorkerDied(f"no worker could be started: {error}") from error
        assert self.process.stdout is not None
        try:
            self._send(request)
            for line in self.process.stdout:
                message: Message = json.loads(line)
                if "answer" in message:
                    answer: Message = message["answer"]
                    return answer
                reply = on_event(message)
                if reply is not None:
                    self._send(reply)
        except (OSError, json.JSONDecodeError):  # a broken pipe, or half a line from a worker that died
            self.process.kill()
        raise self._death(self.process.wait())

    def stop(self) -> None:
        """Kill the worker, from any thread; the thread that waits for its answer gets WorkerDied."""
        self.is_stopped = True
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        """Kill the worker and close its pipes and its log."""
        self._end()
        self.log.close()

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                with suppress(OSError):  # what a dead worker did not read
                    pipe.close()  # type: ignore[union-attr]

    def _send(self, message: Message) -> None:
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def _started(self) -> "subprocess.Popen[str]":
        self.log.seek(0)
        self.log.truncate()
        home = str(Path(__file__).resolve().parents[2])
        limits = {n: str(self.threads) for n in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        limits |= {name: value for name, value in MEMORY.items() if name not in os.environ}
        path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        return subprocess.Popen(
            # -P: a file in the user's folder that is called like a package must not take its place
            [sys.executable, "-P", "-m", self.module, *(str(path) for path in files() if path.exists())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            encoding="utf-8",
            env={**os.environ, **limits, "PYTHONPATH": path},
        )

    def _death(self, code: int) -> WorkerDied:
        """Why the worker ended, from its exit code and the last line that it wrote."""
        self.log.seek(0)
        log = self.log.read().decode(errors="replace")
        lines = [line for line in log.splitlines() if line.strip()]
        if code < 0:
            name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return WorkerDied(f"the worker was killed by {name}{hint}", log)
        return WorkerDied(f"the worker ended with exit code {code}" + (f": {lines[-1]}" if lines else ""), log)


def default_jobs(device: str) -> int:
    """The default number of worker processes: one for each core, or one for an accelerator."""
    return usable_cores() if device == "cpu" else 1
