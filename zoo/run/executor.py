"""The executor: cells go out to worker processes, rows come back and are stored one by one."""

import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

from zoo.cell import AccuracyRow, Cell
from zoo.run.process import Message, WorkerDied, WorkerProcess
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
    timeout: float | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
) -> list[AccuracyRow]:
    """Measure the cells on `jobs` worker processes and append each row to the store the moment it ends.

    A worker that dies, or takes longer than `timeout` seconds, costs its cell a failure row, and another takes its
    place. KeyboardInterrupt stops the workers and is raised again; stored rows stay.
    """
    waiting, events = deque(cells), Queue[Event]()
    workers = [WorkerProcess("zoo.run.worker") for _ in range(min(jobs, len(cells)))]

    def on_epoch(number: int, cell: Cell, epoch: Message) -> None:
        events.put(Event(number, cell, workers[number].pid, epoch))

    def serve(number: int) -> None:
        """Have one worker measure cells until none waits; it ends with the thread that runs this."""
        try:
            while not workers[number].is_stopped:
                cell = waiting.popleft()
                events.put(Event(number, cell))
                ask = partial(workers[number].ask, on_event=partial(on_epoch, number, cell), timeout=timeout)
                row = _measured(ask, cell, store.folder, context)
                events.put(Event(number, cell, row=row))
        except IndexError:  # none waits
            pass
        finally:
            workers[number].close()

    threads = [threading.Thread(target=serve, args=(number,), daemon=True) for number in range(len(workers))]
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
        for worker in workers:
            worker.stop()
        for thread in threads:
            if thread.is_alive():
                thread.join(timeout=5)
    return rows


def _measured(ask: Callable[[Message], Message], cell: Cell, folder: Path, context: dict[str, Any]) -> AccuracyRow:
    """The row that a worker gives a cell, or a failure row: the suite waits for one, whatever happened here."""
    try:
        row: AccuracyRow = ask({"cell": cell, "folder": folder, "context": context})["row"]
        return row
    except WorkerDied as death:
        return failed(cell, folder, context, str(death), death.log)
    except Exception as error:
        return failed(cell, folder, context, f"{type(error).__name__}: {error}", traceback.format_exc())
