"""The executor: cells go out to worker processes, rows come back and are stored one by one."""

import queue
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cell import AccuracyRow, Cell
from zoo.records import record_from
from zoo.run.process import WorkerDied, WorkerProcess
from zoo.run.store import RowStore
from zoo.run.worker import failed


@dataclass(frozen=True)
class Event:
    """What happened to a cell on worker number `worker`: it began, an epoch ended, or (with `row`) it ended."""

    worker: int
    cell: Cell
    pid: int | None = None
    epoch: dict[str, Any] | None = None
    row: AccuracyRow | None = None


def run(
    cells: Sequence[Cell],
    store: RowStore,
    *,
    jobs: int,
    context: dict[str, Any],
    on_event: Callable[[Event], None] = lambda _: None,
) -> list[AccuracyRow]:
    """Measure the cells on `jobs` worker processes and append each row to the store the moment it ends.

    A worker that dies costs its cell a failure row, and another takes its place. KeyboardInterrupt stops
    the workers and is raised again; stored rows stay.
    """
    waiting: queue.Queue[Cell] = queue.Queue()
    for cell in cells:
        waiting.put(cell)
    events: queue.Queue[Event] = queue.Queue()
    feeders = [_Feeder(number, waiting, events, store.folder, context) for number in range(min(jobs, len(cells)))]
    threads = [threading.Thread(target=feeder.serve, daemon=True) for feeder in feeders]
    rows: list[AccuracyRow] = []
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
        for feeder in feeders:
            feeder.worker.stop()
        for thread in threads:
            if thread.is_alive():
                thread.join(timeout=5)
    return rows


class _Feeder:
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
                    row = failed(cell, self.folder, self.context, str(death), death.log)
                except Exception as error:  # the suite waits for a row, whatever happened here
                    text = f"{type(error).__name__}: {error}"
                    row = failed(cell, self.folder, self.context, text, traceback.format_exc())
                self.events.put(Event(self.number, cell, row=row))
        except queue.Empty:
            pass
        finally:
            self.worker.close()

    def _measured(self, cell: Cell) -> AccuracyRow:
        def on_event(epoch: dict[str, Any]) -> None:
            self.events.put(Event(self.number, cell, self.worker.pid, epoch=epoch))

        request = {"cell": cell.model_dump(mode="json"), "folder": str(self.folder), "context": self.context}
        return record_from(AccuracyRow, self.worker.ask(request, on_event)["row"])
