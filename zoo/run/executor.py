"""The executor: cells go out to worker processes, rows come back and are stored one by one."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.run.accuracy import blank_row
from zoo.run.process import WorkerDied, WorkerProcess
from zoo.run.store import Row, RowStore
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
        self.worker = WorkerProcess("zoo.run.worker")

    def serve(self) -> None:
        """Take cells until none waits; the thread that calls this owns the worker."""
        try:
            while not self.worker.is_stopped:
                cell = self.waiting.get_nowait()
                self.events.put(Event(self.number, cell))
                try:
                    row = self._measured(cell)
                except WorkerDied as death:
                    row = blank_row(cell, self.context) | {"error": str(death)}
                except Exception as error:  # the suite waits for a row, whatever happened here
                    row = blank_row(cell, self.context) | {"error": f"{type(error).__name__}: {error}"}
                self.events.put(Event(self.number, cell, row=row))
        except queue.Empty:
            pass
        finally:
            self.worker.close()

    def stop(self) -> None:
        """Kill the worker; its thread then ends."""
        self.worker.stop()

    def _measured(self, cell: Cell) -> Row:
        def on_event(epoch: dict[str, Any]) -> None:
            self.events.put(Event(self.number, cell, self.worker.pid, epoch=epoch))

        return self.worker.ask({"cell": asdict(cell), "out": str(self.folder), "context": self.context}, on_event)
