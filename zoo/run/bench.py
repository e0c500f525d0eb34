"""run_suite: from a suite to stored rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from zoo.cell import AccuracyRow, Cell
from zoo.data.dataset import Data
from zoo.errors import InputError
from zoo.registry import variant
from zoo.run import environment, executor
from zoo.run.engine import Engine
from zoo.run.executor import Event
from zoo.run.store import RowStore
from zoo.run.tracked import group_run, row_run
from zoo.run.tuned import read_tuned, tuned_cells
from zoo.suite import Suite, expand
from zoo.tracking.tracking import NOWHERE, Tracking

Expanded = tuple[list[Cell], Data]


@dataclass(frozen=True)
class Plan:
    """What a run is about to do: all its cells, those to measure now, notes for the user, and how many cells are
    measured at a time."""

    cells: tuple[Cell, ...]
    waiting: tuple[Cell, ...]
    notes: tuple[str, ...]
    workers: int


@dataclass(frozen=True)
class SuiteRun:
    """The rows of a suite's finished cells, in the suite's order; is_stopped: Ctrl-C ended the run early."""

    rows: tuple[AccuracyRow, ...]
    cells: int
    is_stopped: bool


def run_suite(
    suite: Suite,
    folder: Path,
    *,
    device: str = "auto",
    jobs: int | None = None,
    cell_timeout: float | None = None,
    force: bool = False,
    tuned: Path | None = None,
    command: str | None = None,
    expanded: Expanded | None = None,
    engine: Engine = executor,
    tracking: Tracking = NOWHERE,
    on_plan: Callable[[Plan], Callable[[Event], None]] = lambda _: lambda _: None,
    expect: Callable[[Sequence[Cell], Data], Mapping[str, float]] | None = None,
) -> SuiteRun:
    """Measure the cells of a suite that have no row in `folder` yet (all of them with force).

    tuned: a folder that zoo tune wrote; its variants run with their tuned settings too, over the same seeds. command:
    stored in the rows. cell_timeout: seconds after which a cell is ended and fails. expanded: what expand(suite) gave,
    where the caller has it. engine: where cells are measured. tracking: gets each row the moment it is stored, and what
    it lacks of earlier ones. on_plan: called once with the plan; it returns the listener for all events. expect: called
    once, when the first cells have begun; gives the seconds that each may take, as zoo.run.pace does, and then of each
    seed the longest go first.
    Raises InputError for a wrong request before anything is written. Ctrl-C ends the run early; the same call goes on.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}")
    if cell_timeout is not None and not cell_timeout > 0:
        raise InputError(f"cell-timeout must be > 0 seconds, got {cell_timeout:g}")
    cells, data = expanded or expand(suite, device=device, timeout=cell_timeout)
    notes = list(data.notes)
    if tuned is not None:
        names = list(dict.fromkeys(cell.variant for cell in cells))
        best = read_tuned(tuned, names)
        cells += tuned_cells(cells, data, best)
        untuned = [name for name in names if name not in best and variant(name).parameters]
        notes += [f"{tuned} has no tuned settings for {', '.join(untuned)}"] if untuned else []
    places = engine.default_jobs(cells[0].device)  # which refuses cells that would wait for ever
    store = RowStore(folder)
    try:
        waiting = [cell for cell in cells if force or not store.is_done(cell.key)]
        for cell in cells:  # a study that went on and confirmed its settings has a newer cost
            row = store.rows.get(cell.key)
            if isinstance(row, AccuracyRow) and row.error is None and row.tuning != cell.tuning:
                store.append(row.model_copy(update={"tuning": cell.tuning}))
        if len(waiting) < len(cells):
            notes.append(f"{len(cells) - len(waiting)} of {len(cells)} cells already have rows (--force reruns them)")
        group = group_run(folder, suite.name)
        tracking.begin(group)
        workers = max(1, min(jobs or places, len(waiting)))
        listen = on_plan(Plan(tuple(cells), tuple(waiting), (*store.notes, *notes), workers))

        def on_event(event: Event) -> None:
            if event.row is not None:
                tracking.log(partial(row_run, event.row, folder, group))
            listen(event)

        how: dict[str, Any] = {"jobs": jobs, "timeout": cell_timeout, "on_event": on_event}
        how["expect"] = None if expect is None else partial(expect, waiting, data)
        how["context"] = {"commit": environment.commit(), "command": command}
        is_stopped = False
        try:
            engine.run(waiting, store, **how)
        except KeyboardInterrupt:
            is_stopped = True
        rows = [row for cell in cells if isinstance(row := store.rows.get(cell.key), AccuracyRow)]
        if is_stopped:
            rows = [row for row in rows if row.error is None]
        for row in rows:
            tracking.log(partial(row_run, row, folder, group))
        return SuiteRun(tuple(rows), len(cells), is_stopped)
    finally:
        store.close()
