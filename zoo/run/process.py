"""A worker process: a request goes in as a JSON line, events and one answer come back."""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TextIO

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


# -P: a file in the user's folder with the name of a package must not take its place
PYTHON = (sys.executable, "-P", "-m")


class WorkerDied(Exception):
    """The worker ended before it answered; the message says why, `log` is what it wrote to standard error."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class WorkerProcess:
    """A process that answers with MODULE.answer; it starts when first asked, and again after it died.

    threads: of numerical libraries.
    On Linux it is forked from a server that has imported torch already, elsewhere started from nothing: forking is
    not safe there.
    """

    def __init__(self, module: str, *, threads: int = 1) -> None:
        self.module, self.threads = module, threads
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  its standard error; close() closes it
        self.process: subprocess.Popen[str] | _Forked | None = None
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

    def _started(self) -> "subprocess.Popen[str] | _Forked":
        self.log.seek(0)
        self.log.truncate()
        arguments = [str(path) for path in files() if path.exists()]
        if sys.platform == "linux":
            return _forked(self.module, arguments, self.log, _environment(self.threads))
        return subprocess.Popen(
            [*PYTHON, "zoo.run.serving", self.module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            encoding="utf-8",
            env=_environment(self.threads),
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


def _environment(threads: int) -> dict[str, str]:
    home = str(Path(__file__).resolve().parents[2])
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    limits |= {name: value for name, value in MEMORY.items() if name not in os.environ}
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    return {**os.environ, **limits, "PYTHONPATH": path}


class _Forked:
    """A worker that the fork server started, with the part of subprocess.Popen that WorkerProcess needs."""

    def __init__(self, stdin: TextIO, stdout: TextIO, status: TextIO) -> None:
        self.stdin, self.stdout, self._status = stdin, stdout, status
        self._lock = threading.Lock()
        self._code: int | None = None
        pid = status.readline()
        if not pid:
            raise OSError("the server of workers ended")
        self.pid = int(pid)

    def poll(self) -> int | None:
        """The exit code (minus the signal's number), None while the worker runs."""
        with self._lock:
            if self._code is None and select.select([self._status], [], [], 0)[0]:
                self._read_code()
            return self._code

    def wait(self) -> int:
        """The exit code, once the worker has ended."""
        with self._lock:
            if self._code is None:
                self._read_code()
            assert self._code is not None
            return self._code

    def kill(self) -> None:
        """Kill the worker, unless it has ended."""
        if self._code is None and not select.select([self._status], [], [], 0)[0]:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _read_code(self) -> None:
        line = self._status.readline()
        self._code = int(line) if line else -signal.SIGKILL  # the server is gone, and its workers with it
        self._status.close()


class _Server:
    """The fork server of this process, which starts with the first worker and ends with this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.requests: socket.socket | None = None

    def send(self, request: Message, files: list[int], environment: dict[str, str]) -> None:
        """Ask for a worker; starts the server where none runs."""
        with self.lock:
            if self.process is None or self.process.poll() is not None or self.requests is None:
                self._close()
                # Packets, since requests must not run into each other.
                self.requests, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with its_end:
                    command = [*PYTHON, "zoo.run.forkserver"]
                    self.process = subprocess.Popen(command, stdin=its_end.fileno(), env=environment)
            socket.send_fds(self.requests, [json.dumps(request).encode()], files)

    def close(self) -> None:
        """End the server, which ends its workers."""
        with self.lock:
            self._close()

    def _close(self) -> None:
        if self.requests is not None:
            self.requests.close()
            self.requests = None
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


_server = _Server()
atexit.register(_server.close)


def _forked(module: str, arguments: list[str], log: IO[bytes], environment: dict[str, str]) -> _Forked:
    """A new worker of the fork server."""
    (its_stdin, stdin), (stdout, its_stdout), (status, its_status) = (os.pipe() for _ in range(3))
    ours = [os.fdopen(stdin, "w", encoding="utf-8"), os.fdopen(stdout, encoding="utf-8"), os.fdopen(status)]
    request = {"module": module, "arguments": arguments, "folder": os.getcwd(), "environment": environment}
    try:
        _server.send(request, [its_stdin, its_stdout, log.fileno(), its_status], environment)
    except BaseException:
        for file in ours:
            file.close()
        raise
    finally:
        for number in (its_stdin, its_stdout, its_status):
            os.close(number)
    return _Forked(*ours)
