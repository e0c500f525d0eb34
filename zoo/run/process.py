"""A worker process: a request goes in, events and one answer come back."""

import math
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from zoo.files import is_alive
from zoo.registry import files
from zoo.run import gpus
from zoo.run.environment import usable_cores
from zoo.run.server import CONTEXT, PRELOADED, lock, worker_environment
from zoo.run.serving import Message as Message
from zoo.run.serving import serve

TEMPORARY = "lstm-zoo-"


class WorkerDied(Exception):
    """The worker ended before it answered; the message says why, `log` is what it wrote to standard error."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class MachineLost(WorkerDied):
    """The worker ended with its machine, and its work may run again on another."""


class WorkerProcess:
    """A process that answers with MODULE.answer; it starts at the first request, and again after it died.

    threads: how many its numerical libraries use. device: cuda takes a GPU until it is closed, and it sees no other.
    """

    def __init__(self, module: str, *, threads: int = 1, device: str = "cpu") -> None:
        self.module, self.threads = module, threads
        self.gpu = gpus.take() if device == "cuda" else None
        clear_leftovers()
        self.log = tempfile.NamedTemporaryFile(prefix=temporary_prefix())  # noqa: SIM115  its standard error; close() closes it
        self.process: BaseProcess | None = None
        self.pipe: Connection | None = None
        self.is_stopped = False

    @property
    def pid(self) -> int | None:
        """The process id, once there is a process."""
        return self.process.pid if self.process is not None else None

    def ask(
        self, request: Message, on_event: Callable[[Message], Message | None], *, timeout: float | None = None
    ) -> Message:
        """The worker's answer; events on the way go to on_event, and what that returns goes to the worker.

        timeout: seconds after which the worker is killed. Raises WorkerDied.
        """
        try:
            process, pipe = self._running()
        except (OSError, EOFError) as error:
            raise WorkerDied(f"no worker could be started: {error}") from error
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        try:
            pipe.send(request)
            while "answer" not in (message := self._next(pipe, deadline)):
                reply = on_event(message)
                if reply is not None:
                    pipe.send(reply)
        except TimeoutError:
            process.kill()
            raise WorkerDied(f"took longer than {timeout:g} s (--cell-timeout)", self._death(process).log) from None
        except (OSError, EOFError):  # the worker closed its end: it died
            process.kill()
            raise self._death(process) from None
        answer: Message = message["answer"]
        return answer

    def stop(self) -> None:
        """Kill the worker, from any thread; the thread that waits for its answer gets WorkerDied."""
        self.is_stopped = True
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        """Kill the worker, close its pipe and its log, and give back its GPU."""
        self._end()
        self.log.close()
        if self.gpu is not None:
            gpus.give_back(self.gpu)
            self.gpu = None

    @staticmethod
    def _next(pipe: Connection, deadline: float) -> Message:
        """The next message; raises TimeoutError where none comes before the deadline."""
        if deadline < math.inf and not pipe.poll(max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        message: Message = pipe.recv()
        return message

    def _running(self) -> tuple[BaseProcess, Connection]:
        with lock:
            is_alive = self.process is not None and self.process.is_alive()
        if not is_alive or self.process is None or self.pipe is None:
            self._end()
            self.process, self.pipe = self._started()
            if self.is_stopped:
                self.process.kill()
        return self.process, self.pipe

    def _started(self) -> tuple[BaseProcess, Connection]:
        self.log.truncate(0)
        pipe, other_end = CONTEXT.Pipe()
        with other_end, lock, worker_environment(self.threads):
            CONTEXT.set_forkserver_preload([*PRELOADED, self.module])
            environment = {**os.environ, **({gpus.VISIBLE: self.gpu} if self.gpu is not None else {})}
            arguments = (self.module, files(), other_end, self.log.name, os.getcwd(), environment)
            process = CONTEXT.Process(target=serve, args=arguments, daemon=True)
            process.start()
        return process, pipe

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            with lock:
                self.process.join()
        if self.pipe is not None:
            self.pipe.close()

    def _death(self, process: BaseProcess) -> WorkerDied:
        """Why the worker ended, from its exit code and the last line that it wrote."""
        with lock:
            process.join()
        code, log = process.exitcode or 0, Path(self.log.name).read_text(errors="replace")
        if code < 0:
            name = next((each.name for each in signal.Signals if each == -code), f"signal {-code}")
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return WorkerDied(f"the worker was killed by {name}{hint}", log)
        lines = [line for line in log.splitlines() if line.strip()]
        return WorkerDied(f"the worker ended with exit code {code}" + (f": {lines[-1]}" if lines else ""), log)


def temporary_prefix() -> str:
    """How the names of this process's temporary files begin."""
    return f"{TEMPORARY}{os.getpid()}-"


def clear_leftovers() -> None:
    """Delete the temporary files of processes that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        process = path.name.removeprefix(TEMPORARY).split("-")[0]
        if process.isdigit() and not is_alive(int(process)):
            with suppress(OSError):  # of another user
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def default_jobs(device: str) -> int:
    """The default number of worker processes: one for each core, or for each GPU."""
    if device == "cuda":
        return max(1, len(gpus.gpus()))
    return usable_cores() if device == "cpu" else 1
