"""The executor on this machine: cells go out to worker processes, rows come back and are stored one by one."""

import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

from zoo.cell import AccuracyRow, Cell
from zoo.run.process import Message, WorkerDied, WorkerProcess
from zoo.run.process import default_jobs as default_jobs
from zoo.run.store import RowStore
from zoo.run.worker import failed


@dataclass(frozen=True)
class Event:
    """What happened to a cell on worker number `worker`: it began, an epoch ended, it was lost and will begin again
    (`again`: why), or (with `row`) it ended."""

    worker: int
    cell: Cell
    pid: int | None = None
    epoch: dict[str, Any] | None = None
    again: str | None = None
    row: AccuracyRow | None = None


def run(
    cells: Sequence[Cell],
    store: RowStore,
    *,
    jobs: int | None,
    context: dict[str, Any],
    timeout: float | None = None,
    expect: Callable[[], Mapping[str, float]] | None = None,
    on_event: Callable[[Event], None] = lambda _: None,
) -> list[AccuracyRow]:
    """Measure the cells on `jobs` worker processes and append each row to the store the moment it ends.

    A worker that dies, or takes longer than `timeout` seconds, costs its cell a failure row, and another takes its
    place. expect: see Engine. KeyboardInterrupt stops the workers and is raised again; stored rows stay.
    """
    waiting, events, waiting_lock = deque(groups(cells)), Queue[Event](), threading.Lock()
    count = min(jobs or default_jobs(cells[0].device), len(waiting)) if cells else 0
    workers = [WorkerProcess("zoo.run.worker", device=cells[0].device) for _ in range(count)]

    def on_epoch(number: int, group: Sequence[Cell], epoch: Message) -> None:
        cell = next(cell for cell in group if cell.key == epoch["key"])
        events.put(Event(number, cell, workers[number].pid, epoch))

    def serve(number: int) -> None:
        """Have one worker measure cells until none waits; it ends with the thread that runs this."""
        try:
            while not workers[number].is_stopped:
                with waiting_lock:
                    group = waiting.popleft()
                for cell in group:
                    events.put(Event(number, cell))
                limit = None if timeout is None else timeout * len(group)
                ask = partial(workers[number].ask, on_event=partial(on_epoch, number, group), timeout=limit)
                for cell, row in zip(group, _measured(ask, group, store.folder, context), strict=True):
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
        if expect is not None:
            seconds = expect()
            with waiting_lock:
                waiting = deque(longest_first(waiting, seconds))
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


def groups(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells, together where one CUDA graph can train them: those that differ in nothing but their seed."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        is_graph = cell.device == "cuda" and (cell.fit or {}).get("mode", "auto") in ("auto", "cuda-graph")
        alike = cell.model_copy(update={"seed": 0, "key": ""}).model_dump_json() if is_graph else cell.key
        found.setdefault(alike, []).append(cell)
    return list(found.values())


def longest_first(waiting: Iterable[list[Cell]], seconds: Mapping[str, float]) -> list[list[Cell]]:
    """The groups seed by seed and fold by fold as before, and of each seed and fold the longest first, so that no
    worker is left with a long cell while the others have none. seconds: of each cell, by its key."""
    groups = list(waiting)
    turns = {turn: number for number, turn in enumerate(dict.fromkeys(_turn(group) for group in groups))}
    return sorted(groups, key=lambda group: (turns[_turn(group)], -sum(seconds.get(cell.key, 0.0) for cell in group)))


def _turn(group: Sequence[Cell]) -> tuple[int, int]:
    return group[0].seed, group[0].problem.fold


def _measured(
    ask: Callable[[Message], Message], group: Sequence[Cell], folder: Path, context: dict[str, Any]
) -> list[AccuracyRow]:
    """The rows that a worker gives cells, or failure rows: the suite waits for them, whatever happened here."""
    try:
        rows: list[AccuracyRow] = ask({"cells": group, "folder": folder, "context": context})["rows"]
        return rows
    except WorkerDied as death:
        if len(group) > 1:  # one of them may be at fault: each alone
            return [row for cell in group for row in _measured(ask, [cell], folder, context)]
        return [failed(cell, folder, context, str(death), death.log) for cell in group]
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return [failed(cell, folder, context, text, traceback.format_exc()) for cell in group]
