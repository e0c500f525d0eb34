"""visit: every cell of a run in passes of fresh processes, then a sample of them once more and alone."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zoo.run.process import WorkerDied, WorkerProcess
from zoo.run.store import Row, RowStore
from zoo.speed.cells import Method, SpeedCell
from zoo.speed.measure import blank_row, visits_of
from zoo.speed.progress import Reporter, named

WORKER = "zoo.speed.worker"


@dataclass(frozen=True)
class Visiting:
    """What all visits of a run share.

    known: rows by key, those from before and those of this run; context: what a new row says of the run.
    """

    known: dict[str, Row]
    store: RowStore
    method: Method
    context: dict[str, Any]
    report: Reporter


def is_complete(cell: SpeedCell, known: Mapping[str, Row], method: Method) -> bool:
    """Whether a cell failed or has had its visits: twice as many where no calm machine was met."""
    row = known.get(cell.key)
    if row is None or row["error"]:
        return row is not None
    return len(row["passes"]) >= visits_of(cell, method) * (1 if row["is_calm"] else 2)


def visit(waiting: Sequence[SpeedCell], run: Visiting) -> None:
    """Visit the cells in passes, in each every variant and dtype in a fresh process; then a sample of them alone.

    What met no calm machine in its passes is visited in further ones.
    """
    if not waiting:
        return
    order = random.Random(run.method.seed)
    dtypes = list(dict.fromkeys(cell.dtype for cell in waiting))
    run.report.says(f"measuring what this device can do in {', '.join(dtypes)}")
    tops = _ceilings(waiting[0], dtypes)
    for number in range(1, 2 * run.method.passes + 1):
        left = [cell for cell in order.sample(waiting, len(waiting)) if not is_complete(cell, run.known, run.method)]
        if not left:
            break
        if number <= run.method.passes:
            run.report.says(f"pass {number} of {run.method.passes}")
        else:
            run.report.again(len(left))
        groups: dict[tuple[str, str], list[SpeedCell]] = {}
        for cell in left:
            groups.setdefault((cell.variant, cell.dtype), []).append(cell)
        for (_, dtype), cells in groups.items():
            _visit_together(cells, run, tops[dtype])
    usual = [cell for cell in waiting if cell.mode != "compile" and cell.batch_size != "max"]
    fine = [cell for cell in usual if run.known[cell.key]["error"] is None]
    for cell in order.sample(
        fine, min(run.method.alone, len(fine) // 4)
    ):  # of a few cells it would cost more than they
        _visit_alone(cell, run)


def _visit_together(cells: Sequence[SpeedCell], run: Visiting, top: dict[str, Any]) -> None:
    """Visit cells that share a process; one that kills it gets a failure row, and the rest a new process."""
    left = {cell.key: cell for cell in cells}
    running: list[str] = []

    def on_start(key: str) -> None:
        running[:] = [key]
        run.report.starts(left[key])

    def on_row(row: Row) -> None:
        run.store.append(row)
        run.known[row["key"]] = row
        if row["reference"] is not None:
            top["reference"] = min(row["reference"], top["reference"] or row["reference"])
        cell = left.pop(row["key"])
        run.report.ends(cell, row, is_complete=is_complete(cell, run.known, run.method))

    while left:
        context = run.context | top
        visits = [(cell, run.known.get(cell.key)) for cell in left.values()]
        try:
            _ask(visits, run.method, context, on_row=on_row, on_start=on_start)
        except WorkerDied as death:
            cell = left[running[0]] if running and running[0] in left else next(iter(left.values()))
            on_row(blank_row(cell, context) | {"error": str(death)})


def _visit_alone(cell: SpeedCell, run: Visiting) -> None:
    """Time a cell again by the same method, with no other cell in its processes; its row tells the ratio."""
    row = run.known[cell.key]
    context, found = {"reference": row["reference"]}, dict[str, Row]()

    def on_row(row: Row) -> None:
        found[cell.key] = row

    while not is_complete(cell, found, run.method):
        try:
            _ask([(cell, found.get(cell.key))], run.method, context, on_row=on_row, on_start=lambda _: None)
        except WorkerDied:
            return
    if found[cell.key]["error"] is not None:
        return
    median = found[cell.key]["step_seconds"]["median"]
    ratio = median / row["step_seconds"]["median"]
    run.store.append(row | {"alone": {"median": median, "ratio": ratio}})
    run.report.says(f"{named(cell)}, once more and alone: {ratio:.3f} of its time together")


def _ask(
    visits: Sequence[tuple[SpeedCell, Row | None]],
    method: Method,
    context: dict[str, Any],
    *,
    on_row: Callable[[Row], None],
    on_start: Callable[[str], None],
) -> None:
    def on_event(event: dict[str, Any]) -> None:
        if "row" in event:
            on_row(event["row"])
        else:
            on_start(event["started"])

    threads = visits[0][0].threads
    asked = [[asdict(cell), so_far] for cell, so_far in visits]
    request = {"visits": asked, "method": method.model_dump(), "context": context, "threads": threads}
    worker = WorkerProcess(WORKER, threads=threads)
    try:
        worker.ask(request, on_event)
    finally:
        worker.close()


def _ceilings(cell: SpeedCell, dtypes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By dtype, what rows of it share: the ceilings of the cell's device, and the reference's first reading."""
    asked = {"ceilings": cell.device, "dtypes": dtypes, "threads": cell.threads}
    worker = WorkerProcess(WORKER, threads=cell.threads)
    try:
        found = worker.ask(asked, lambda _: None)
        return {dtype: {"ceilings": top, "reference": found["reference"]} for dtype, top in found["ceilings"].items()}
    except WorkerDied:
        return {dtype: {"ceilings": None, "reference": None} for dtype in dtypes}
    finally:
        worker.close()
