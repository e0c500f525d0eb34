"""The executor: cells go out to worker processes, rows come back and are stored one by one."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from zoo.bench.accuracy import blank_row
from zoo.bench.rows import Row, RowStore
from zoo.suite import Cell


@dataclass(frozen=True)
class Event:
    """What happened to a cell on worker number `worker`: it began, an epoch ended, or (with `row`) it ended."""

    worker: int
    cell: Cell
    pid: int | None = None
    epoch: dict[str, Any] | None = None
    row: Row | None = None


def run(
    cells: Sequence[Cell],
    store: RowStore,
    *,
    jobs: int,
    context: dict[str, Any],
    on_event: Callable[[Event], None] = lambda _: None,
) -> list[Row]:
    """Measure the cells on `jobs` worker processes and append each row to the store the moment it ends.

    A worker that dies costs its cell a failure row, and another takes its place. KeyboardInterrupt stops
    the workers and is raised again; what was stored stays.
    """
    waiting: queue.Queue[Cell] = queue.Queue()
    for cell in cells:
        waiting.put(cell)
    events: queue.Queue[Event] = queue.Queue()
    hands = [_Hand(number, waiting, events, store.folder, context) for number in range(min(jobs, len(cells)))]
    threads = [threading.Thread(target=hand.serve, daemon=True) for hand in hands]
    rows: list[Row] = []
    try:
        for thread in threads:
            thread.start()
        while len(rows) < len(cells):
            event = events.get()
            if event.row is not None:
                store.append(event.row)
                rows.append(event.row)
            on_event(event)
    finally:
        for hand in hands:
            hand.stop()
        for thread in threads:
            if thread.is_alive():
                thread.join(timeout=5)
    return rows


class _Hand:
    """Feeds one worker process, and its successors where it dies, until no cell waits."""

    def __init__(
        self,
        number: int,
        waiting: "queue.Queue[Cell]",
        events: "queue.Queue[Event]",
        folder: Path,
        context: dict[str, Any],
    ) -> None:
        self.number, self.waiting, self.events = number, waiting, events
        self.folder, self.context = folder, context
        self.stopping = False
        self.process: subprocess.Popen[str] | None = None

    def serve(self) -> None:
        """Take cells until none waits; the thread that calls this owns the worker and its log."""
        with tempfile.TemporaryFile() as log:
            try:
                while not self.stopping:
                    cell = self.waiting.get_nowait()
                    self.events.put(Event(self.number, cell))
                    try:
                        row = self._measured(cell, log)
                    except Exception as error:  # the suite waits for a row, whatever happened here
                        row = blank_row(cell, self.context) | {"error": f"{type(error).__name__}: {error}"}
                    self.events.put(Event(self.number, cell, row=row))
            except queue.Empty:
                pass
            finally:
                self._bury()

    def stop(self) -> None:
        """Kill the worker; its thread then ends."""
        self.stopping = True
        if self.process is not None:
            self.process.kill()

    def _measured(self, cell: Cell, log: IO[bytes]) -> Row:
        try:
            if self.process is None or self.process.poll() is not None:
                self._bury()
                self.process = self._new_worker(log)
                if self.stopping:
                    self.process.kill()
            assert self.process.stdin is not None and self.process.stdout is not None
            request = {"cell": asdict(cell), "out": str(self.folder), "context": self.context}
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            for line in self.process.stdout:
                answer = json.loads(line)
                if "row" in answer:
                    row: Row = answer["row"]
                    return row
                self.events.put(Event(self.number, cell, self.process.pid, epoch=answer))
        except (OSError, ValueError) as error:  # a broken pipe, or half a line from a worker that died
            if self.process is None:
                return blank_row(cell, self.context) | {"error": f"no worker could be started: {error}"}
        code = self.process.wait()
        return blank_row(cell, self.context) | {"error": _obituary(code, log)}

    def _bury(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                with suppress(OSError):  # what a dead worker did not read
                    pipe.close()  # type: ignore[union-attr]

    def _new_worker(self, log: IO[bytes]) -> "subprocess.Popen[str]":
        log.seek(0)
        log.truncate()
        home = str(Path(__file__).resolve().parents[2])
        one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        return subprocess.Popen(
            # -P: a file in the user's folder that is called like a package must not take its place
            [sys.executable, "-P", "-m", "zoo.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env={**os.environ, **one_thread, "PYTHONPATH": path},
        )


def _obituary(code: int, log: IO[bytes]) -> str:
    """Why a worker ended, from its exit code and the last line it wrote."""
    log.seek(0)
    said = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    if code < 0:
        name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"the worker was killed by {name}{hint}"
    return f"the worker ended with exit code {code}" + (f": {said[-1]}" if said else "")
