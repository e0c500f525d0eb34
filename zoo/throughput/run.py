"""run_speed: every cell of a suite in passes of fresh processes, then a sample of them once more and alone."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.cell import Alone, SpeedCell, SpeedRow
from zoo.records import record_from
from zoo.run import environment
from zoo.run.process import Message, WorkerDied, WorkerProcess
from zoo.run.store import RowStore
from zoo.throughput.cells import Method, SpeedSuite, expand_speed
from zoo.throughput.table import cell_name, form_text
from zoo.throughput.worker import failed_row


@dataclass(frozen=True)
class SpeedEvent:
    """A step of a run: news in `text`; or a visit to `cell` began, or ended with `row`.

    name: of the cell; visit, visits: number of the visit, and how many are planned; ended, cells: cells that are
    complete, and all that are timed in this run. is_complete: whether the row needs no further visit.
    """

    visit: int
    visits: int
    ended: int
    cells: int
    text: str = ""
    cell: SpeedCell | None = None
    row: SpeedRow | None = None
    is_complete: bool = False

    @property
    def name(self) -> str:
        return visit_name(self.cell) if self.cell is not None else ""


@dataclass(frozen=True)
class SpeedRun:
    """What a run leaves: the rows of the suite's cells, or of a stopped run those that exist.

    cells, complete: how many cells the suite has, and how many of them need no further visit.
    """

    rows: tuple[SpeedRow, ...]
    cells: int
    complete: int
    is_stopped: bool


def run_speed(
    suite: SpeedSuite,
    folder: Path,
    *,
    device: str = "auto",
    force: bool = False,
    command: str | None = None,
    on_event: Callable[[SpeedEvent], None] = lambda _: None,
) -> SpeedRun:
    """Time the cells of a suite that have no complete row in the folder, or all of them with `force`.

    Rows are stored as they come, so a run that is stopped goes on where it was; Ctrl-C ends it with is_stopped. Notes
    on the request come as events. Raises InputError for a wrong request before anything is written.
    """
    cells, notes = expand_speed(suite, device=device)
    store = RowStore(folder)
    try:
        stored = {} if force else {cell.key: store.rows[cell.key] for cell in cells if store.is_done(cell.key)}
        rows = {key: row for key, row in stored.items() if isinstance(row, SpeedRow)}
        waiting = [cell for cell in cells if not is_complete(cell, rows, suite.method)]
        if len(waiting) < len(cells):
            complete = len(cells) - len(waiting)
            notes.append(f"{complete} of {len(cells)} cells already have rows (--force times them again)")
        context = {"commit": environment.commit(), "command": command}
        visits = sum(suite.method.visits(cell) for cell in waiting)
        run = _Run(store, suite.method, context, on_event, rows, visits=visits, cells=len(waiting))
        for note in [*store.notes, *notes]:
            run.tell(note)
        is_stopped = False
        try:
            if waiting:
                run.visit_all(waiting)
        except KeyboardInterrupt:
            is_stopped = True
    finally:
        store.close()
    complete = sum(is_complete(cell, rows, suite.method) for cell in cells)
    return SpeedRun(tuple(rows[cell.key] for cell in cells if cell.key in rows), len(cells), complete, is_stopped)


def is_complete(cell: SpeedCell, rows: Mapping[str, SpeedRow], method: Method) -> bool:
    """Whether a cell failed or has had its visits: twice as many where no calm machine was met."""
    row = rows.get(cell.key)
    if row is None or row.error is not None:
        return row is not None
    return len(row.passes or ()) >= method.visits(cell) * (1 if row.is_calm else 2)


def visit_name(cell: SpeedCell) -> str:
    """A cell in a few words."""
    return cell_name(cell.variant + form_text(cell.mode, cell.dtype), cell)


@dataclass
class _Run:
    """A run that goes on. rows: by key, those from before and those of this run."""

    store: RowStore
    method: Method
    context: dict[str, Any]
    on_event: Callable[[SpeedEvent], None]
    rows: dict[str, SpeedRow]
    visits: int
    cells: int
    visit: int = 0
    ended: int = 0
    limits: dict[str, dict[str, Any]] = field(default_factory=dict)  # by dtype: ceilings and the best reference reading

    def tell(self, text: str = "", **cell: Any) -> None:
        self.on_event(SpeedEvent(self.visit, self.visits, self.ended, self.cells, text, **cell))

    def visit_all(self, waiting: Sequence[SpeedCell]) -> None:
        """Visit the cells in passes, in each every variant and dtype in a fresh process; then a sample of them alone.

        Cells that met no calm machine in their passes are visited in further ones.
        """
        order, passes = random.Random(self.method.seed), self.method.passes
        self._measure_limits(waiting[0], list(dict.fromkeys(cell.dtype for cell in waiting)))
        for number in range(1, 2 * passes + 1):
            left = [
                cell for cell in order.sample(waiting, len(waiting)) if not is_complete(cell, self.rows, self.method)
            ]
            if not left:
                break
            if number <= passes:
                self.tell(f"pass {number} of {passes}")
            else:
                self.visits += len(left)
                cells = "1 cell" if len(left) == 1 else f"{len(left)} cells"
                self.tell(f"pass {number}: the machine was busy whenever {cells} ran")
            groups: dict[tuple[str, str], list[SpeedCell]] = {}
            for cell in left:
                groups.setdefault((cell.variant, cell.dtype), []).append(cell)
            for group in groups.values():
                self._visit_together(group)
        usual = [cell for cell in waiting if cell.mode != "compile" and cell.batch_size != "max"]
        timed = [cell for cell in usual if self.rows[cell.key].error is None]
        # The sample is small, so that it never takes longer than the cells themselves.
        for cell in order.sample(timed, min(self.method.alone, len(timed) // 4)):
            self._visit_alone(cell)

    def _visit_together(self, group: Sequence[SpeedCell]) -> None:
        """Visit cells that share a process; one that kills it gets a failure row, and the rest a new process."""
        limits = self.limits[group[0].dtype]
        left = {cell.key: cell for cell in group}
        running = group[0].key

        def on_event(event: Message) -> None:
            nonlocal running
            if "started" in event:
                running = event["started"]
                self.visit += 1
                self.tell(cell=left[running])
            else:
                end(record_from(SpeedRow, event["row"]), event["traceback"])

        def end(row: SpeedRow, traceback: str | None) -> None:
            cell = left.pop(row.key)
            self._store(row, traceback)
            if row.reference is not None:
                limits["reference"] = min(row.reference, limits["reference"] or row.reference)
            is_over = is_complete(cell, self.rows, self.method)
            self.ended += is_over
            self.tell(cell=cell, row=self.rows[row.key], is_complete=is_over)

        while left:
            context = self.context | limits
            try:
                self._visit_once(list(left.values()), self.rows, context, on_event)
            except WorkerDied as death:
                cell = left.get(running) or next(iter(left.values()))
                end(failed_row(cell, context, str(death)), death.log or None)

    def _visit_alone(self, cell: SpeedCell) -> None:
        """Time a cell again by the same method, with no other cell in its processes; its row gets the ratio."""
        row = self.rows[cell.key]
        again: dict[str, SpeedRow] = {}

        def on_event(event: Message) -> None:
            if "row" in event:
                again[cell.key] = record_from(SpeedRow, event["row"])

        while not is_complete(cell, again, self.method):
            try:
                self._visit_once(
                    [cell], again, {**self.context, "ceilings": None, "reference": row.reference}, on_event
                )
            except WorkerDied:
                return
        if (step := again[cell.key].step_seconds) is not None and row.step_seconds is not None:
            alone = Alone(median=step.median, ratio=step.median / row.step_seconds.median)
            self._store(row.model_copy(update={"alone": alone}), None)
            self.tell(f"{visit_name(cell)}, timed again alone: {alone.ratio:.3f} of its time beside other cells")

    def _store(self, row: SpeedRow, traceback: str | None) -> None:
        name = f"errors/{row.key[:16]}.txt"
        if traceback is not None:
            self.store.write(name, traceback)
            row = row.model_copy(update={"traceback": name})
        else:
            (self.store.folder / name).unlink(missing_ok=True)
        self.store.append(row)
        self.rows[row.key] = row

    def _visit_once(
        self,
        cells: Sequence[SpeedCell],
        rows: Mapping[str, SpeedRow],
        context: dict[str, Any],
        on_event: Callable[[Message], None],
    ) -> None:
        """Visit each of the cells once in one fresh process."""
        so_far = [rows[cell.key].model_dump(mode="json") if cell.key in rows else None for cell in cells]
        visits = [[cell.model_dump(mode="json"), row] for cell, row in zip(cells, so_far, strict=True)]
        method = self.method.model_dump()
        _answer({"visits": visits, "method": method, "context": context, "threads": cells[0].threads}, on_event)

    def _measure_limits(self, cell: SpeedCell, dtypes: Sequence[str]) -> None:
        self.tell(f"measuring what this device can do in {', '.join(dtypes)}")
        try:
            answer = _answer({"ceilings": cell.device, "dtypes": dtypes, "threads": cell.threads}, lambda _: None)
        except WorkerDied:
            answer = {"ceilings": dict.fromkeys(dtypes), "reference": None}
        for dtype in dtypes:
            self.limits[dtype] = {"ceilings": answer["ceilings"][dtype], "reference": answer["reference"]}


def _answer(request: Message, on_event: Callable[[Message], None]) -> Message:
    """The answer of a fresh worker process."""
    worker = WorkerProcess("zoo.throughput.worker", threads=request["threads"])
    try:
        return worker.ask(request, on_event)
    finally:
        worker.close()
