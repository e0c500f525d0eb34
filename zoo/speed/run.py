"""run_speed: every cell of a suite in passes of fresh processes, then a sample of them once more and alone."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.cell import Alone, SpeedCell, SpeedRow, row_from
from zoo.run import environment
from zoo.run.process import Message, WorkerDied, WorkerProcess
from zoo.run.store import RowStore
from zoo.speed.cells import Method, SpeedSuite, expand_speed
from zoo.speed.worker import failed_row

WORKER = "zoo.speed.worker"


@dataclass(frozen=True)
class SpeedEvent:
    """A step of a run: a visit to `cell` began, or ended with `row`; or, without a cell, `text` is news of the run.

    visit, visits: number of the visit, and how many are planned; ended, cells: cells that are complete, and all that
    are timed in this run. is_complete: whether the row needs no further visit.
    """

    visit: int
    visits: int
    ended: int
    cells: int
    text: str = ""
    cell: SpeedCell | None = None
    row: SpeedRow | None = None
    is_complete: bool = False


@dataclass(frozen=True)
class SpeedRun:
    """What a run leaves: the rows of the suite's cells (of a stopped one, those that exist), and notes on it."""

    rows: tuple[SpeedRow, ...]
    notes: tuple[str, ...]
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
    are events too. Everything wrong with the request raises InputError before anything is written.
    """
    cells, notes = expand_speed(suite, device=device)
    store = RowStore(folder)
    try:
        stored = {} if force else {cell.key: store.rows[cell.key] for cell in cells if store.is_done(cell.key)}
        rows = {key: row for key, row in stored.items() if isinstance(row, SpeedRow)}
        waiting = [cell for cell in cells if not is_complete(cell, rows, suite.method)]
        notes += store.notes
        if len(waiting) < len(cells):
            complete = len(cells) - len(waiting)
            notes.append(f"{complete} of {len(cells)} cells already have rows (--force times them again)")
        context = {"commit": environment.commit(), "command": command}
        visits = sum(suite.method.visits(cell) for cell in waiting)
        run = _Run(store, suite.method, context, on_event, rows, visits=visits, cells=len(waiting))
        for note in notes:
            run.tell(note)
        is_stopped = False
        try:
            if waiting:
                run.visit_all(waiting)
        except KeyboardInterrupt:
            is_stopped = True
    finally:
        store.close()
    return SpeedRun(
        tuple(rows[cell.key] for cell in cells if cell.key in rows),
        tuple(notes),
        len(cells),
        sum(is_complete(cell, rows, suite.method) for cell in cells),
        is_stopped,
    )


def is_complete(cell: SpeedCell, rows: Mapping[str, SpeedRow], method: Method) -> bool:
    """Whether a cell failed or has had its visits: twice as many where no calm machine was met."""
    row = rows.get(cell.key)
    if row is None or row.error is not None:
        return row is not None
    return len(row.passes or ()) >= method.visits(cell) * (1 if row.is_calm else 2)


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
    tops: dict[str, dict[str, Any]] = field(default_factory=dict)  # by dtype: ceilings and the best reference reading

    def tell(self, text: str = "", **what: Any) -> None:
        self.on_event(SpeedEvent(self.visit, self.visits, self.ended, self.cells, text, **what))

    def visit_all(self, waiting: Sequence[SpeedCell]) -> None:
        """Visit the cells in passes, in each every variant and dtype in a fresh process; then a sample of them alone.

        Cells that met no calm machine in their passes are visited in further ones.
        """
        order, passes = random.Random(self.method.seed), self.method.passes
        self._measure_tops(waiting[0], list(dict.fromkeys(cell.dtype for cell in waiting)))
        for number in range(1, 2 * passes + 1):
            left = [cell for cell in order.sample(waiting, len(waiting)) if not self._is_complete(cell)]
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

    def _is_complete(self, cell: SpeedCell) -> bool:
        return is_complete(cell, self.rows, self.method)

    def _visit_together(self, group: Sequence[SpeedCell]) -> None:
        """Visit cells that share a process; one that kills it gets a failure row, and the rest a new process."""
        top = self.tops[group[0].dtype]
        left = {cell.key: cell for cell in group}
        running = group[0].key

        def on_event(event: Message) -> None:
            nonlocal running
            if "started" in event:
                running = event["started"]
                self.visit += 1
                self.tell(cell=left[running])
            else:
                ends(event["row"], event["traceback"])

        def ends(fields: dict[str, Any], traceback: str | None) -> None:
            cell = left.pop(fields["key"])
            row = self._store(fields, traceback)
            if row.reference is not None:
                top["reference"] = min(row.reference, top["reference"] or row.reference)
            self.ended += self._is_complete(cell)
            self.tell(cell=cell, row=row, is_complete=self._is_complete(cell))

        while left:
            context = self.context | top
            try:
                _answer(self._request([(cell, self.rows.get(cell.key)) for cell in left.values()], context), on_event)
            except WorkerDied as death:
                cell = left.get(running) or next(iter(left.values()))
                ends(failed_row(cell, context, str(death)).model_dump(mode="json"), death.log or None)

    def _visit_alone(self, cell: SpeedCell) -> None:
        """Time a cell again by the same method, with no other cell in its processes; its row gets the ratio."""
        row = self.rows[cell.key]
        again: dict[str, SpeedRow] = {}

        def on_event(event: Message) -> None:
            if "row" in event:
                again[cell.key] = _speed_row(event["row"])

        context = {**self.context, "ceilings": None, "reference": row.reference}
        while not is_complete(cell, again, self.method):
            try:
                _answer(self._request([(cell, again.get(cell.key))], context), on_event)
            except WorkerDied:
                return
        if (alone := again[cell.key].step_seconds) is not None and row.step_seconds is not None:
            median = alone.median
            ratio = median / row.step_seconds.median
            self.rows[cell.key] = row.model_copy(update={"alone": Alone(median=median, ratio=ratio)})
            self.store.append(self.rows[cell.key])
            self.tell(f"{cell_name(cell)}, timed again alone: {ratio:.3f} of its time beside other cells")

    def _store(self, fields: dict[str, Any], traceback: str | None) -> SpeedRow:
        row = _speed_row(fields)
        name = f"errors/{row.key[:16]}.txt"
        if traceback is not None:
            self.store.write(name, traceback)
            row = row.model_copy(update={"traceback": name})
        else:
            (self.store.folder / name).unlink(missing_ok=True)
        self.store.append(row)
        self.rows[row.key] = row
        return row

    def _request(self, visits: Sequence[tuple[SpeedCell, SpeedRow | None]], context: dict[str, Any]) -> Message:
        pairs = [
            [cell.model_dump(mode="json"), None if row is None else row.model_dump(mode="json")] for cell, row in visits
        ]
        return {
            "visits": pairs,
            "method": self.method.model_dump(),
            "context": context,
            "threads": visits[0][0].threads,
        }

    def _measure_tops(self, cell: SpeedCell, dtypes: Sequence[str]) -> None:
        self.tell(f"measuring what this device can do in {', '.join(dtypes)}")
        try:
            answer = _answer({"ceilings": cell.device, "dtypes": dtypes, "threads": cell.threads}, lambda _: None)
        except WorkerDied:
            answer = {"ceilings": dict.fromkeys(dtypes), "reference": None}
        for dtype in dtypes:
            self.tops[dtype] = {"ceilings": answer["ceilings"][dtype], "reference": answer["reference"]}


def cell_name(cell: SpeedCell) -> str:
    """A cell in a few words."""
    extra = [word for word in (cell.dtype, cell.mode) if word not in ("float32", "eager")]
    return " ".join([cell.variant, cell.phase, *extra, f"batch {cell.batch_size} lookback {cell.lookback}"])


def _speed_row(fields: dict[str, Any]) -> SpeedRow:
    row = row_from(fields)
    assert isinstance(row, SpeedRow)
    return row


def _answer(request: Message, on_event: Callable[[Message], None]) -> Message:
    """The answer of a fresh worker process."""
    worker = WorkerProcess(WORKER, threads=request["threads"])
    try:
        return worker.ask(request, on_event)
    finally:
        worker.close()
