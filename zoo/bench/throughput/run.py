"""run_speed: from a speed suite to stored rows, the report with its pictures, and what the user sees meanwhile."""

import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo.bench import environment
from zoo.bench.process import WorkerDied, WorkerProcess
from zoo.bench.rows import Row, RowStore, read_all
from zoo.bench.throughput.cells import Method, SpeedCell, SpeedSuite, expand_speed, read_speed_suite
from zoo.bench.throughput.measure import blank_row, visits_of
from zoo.bench.throughput.progress import Reporter, named, reporter
from zoo.errors import InputError
from zoo.space import scalar
from zoo.suite import checked

WORKER = "zoo.bench.throughput.worker"
ERROR, FAILED = "error", 1


def speed_suite_from(
    source: str | None, changes: Mapping[str, Mapping[str, Any]], settings: Sequence[str]
) -> SpeedSuite:
    """The speed suite in a .toml file, or the default settings, with changes and `--set` settings over it.

    changes: values of `speed` and `method` by key, None where unchanged; a batch_size or lookback among them
    replaces the file's grids. Raises InputError.
    """
    base: dict[str, Any] = {"name": "speed"}
    if source is not None:
        base = read_speed_suite(Path(source)).model_dump(exclude_unset=True)
    for section, values in changes.items():
        given = {key: value for key, value in values.items() if value is not None}
        base[section] = {**base.get(section, {}), **given}
    speed = base["speed"]
    if changes["speed"].get("models") is not None:
        speed.pop("tags", None)
        if speed["models"] != ["all"] and "models" in base:
            base["models"] = {name: base["models"][name] for name in speed["models"] if name in base["models"]}
    if any(changes["speed"].get(key) is not None for key in ("batch_size", "lookback")):
        base.pop("grid", None)
    for setting in settings:
        name, equals, value = setting.partition("=")
        owner, dot, parameter = name.strip().rpartition(".")
        if not (equals and dot and owner and parameter):
            raise InputError(f"--set takes VARIANT.PARAMETER=VALUE, with commas for a sweep, got '{setting}'")
        sweep = [scalar(part.strip()) for part in value.split(",")]
        base.setdefault("models", {}).setdefault(owner, {})[parameter] = sweep if len(sweep) > 1 else sweep[0]
    return checked(SpeedSuite, base, source or "zoo speed")


def run_speed(
    suite: SpeedSuite,
    folder: Path,
    *,
    device: str = "auto",
    force: bool = False,
    command: str | None = None,
    as_json: bool = False,
) -> int:
    """Time what is not there yet, write folder/report.md and its pictures, print the tables; 1 if a cell failed.

    Everything wrong with the request raises InputError before anything is written. Ctrl-C returns 130; the
    rows so far stay, and the same call goes on from there.
    """
    cells, notes = expand_speed(suite, device=device)
    store = RowStore(folder)
    try:
        # Rows that lack passes go on, and those that failed begin anew.
        known = {} if force else {cell.key: store.rows[cell.key] for cell in cells if store.is_done(cell.key)}
        waiting = [cell for cell in cells if not is_complete(cell, known, suite.method)]
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
        if len(waiting) < len(cells):
            there = f"{len(cells) - len(waiting)} of {len(cells)} cells are already there (--force times them again)"
            print(there, file=sys.stderr)
        context = {"commit": environment.commit(), "command": command}
        visits = sum(visits_of(cell, suite.method) for cell in waiting)
        try:
            with reporter(len(waiting), visits) as report:
                _run(waiting, known, store, suite.method, context, report)
        except KeyboardInterrupt:
            done = sum(is_complete(cell, known, suite.method) for cell in cells)
            print(
                f"stopped: {done} of {len(cells)} cells are done; the same command goes on from there", file=sys.stderr
            )
            return 130
        rows = [store.rows[cell.key] for cell in cells]
        _show(rows, store, folder, as_json=as_json)
    finally:
        store.compact()
        store.close()
    return FAILED if any(row[ERROR] for row in rows) else 0


def _show(rows: list[Row], store: RowStore, folder: Path, *, as_json: bool) -> None:
    from rich.console import Console

    from zoo.report.speed.markdown import speed_markdown
    from zoo.report.speed.pictures import draw
    from zoo.report.speed.summary import speed_summary
    from zoo.report.speed.terminal import show_speed

    everything = [row for row in read_all(folder)[0] if row.get("kind") == "speed"]
    store.write("report.md", speed_markdown(everything, draw(everything, folder)))
    if as_json:
        print(json.dumps(speed_summary(rows), indent=2))
    else:
        show_speed(Console() if sys.stdout.isatty() else Console(width=160), rows)
        print(f"rows, report.md and pictures are in {folder}")


def _run(
    waiting: Sequence[SpeedCell],
    known: dict[str, Row],
    store: RowStore,
    method: Method,
    context: dict[str, Any],
    report: Reporter,
) -> None:
    """Visit the cells in passes, in each every variant and dtype in a fresh process; then a sample of them alone.

    known: rows by key, those so far and those of this run.
    """
    order = random.Random(method.seed)
    tops: dict[str, dict[str, Any]] = {}
    for dtype in dict.fromkeys(cell.dtype for cell in waiting):
        report.says(f"measuring what this device can do in {dtype}")
        tops[dtype] = _ceilings(next(cell for cell in waiting if cell.dtype == dtype))
    for number in range(1, method.passes + 1):
        report.says(f"pass {number} of {method.passes}")
        groups: dict[tuple[str, str], list[SpeedCell]] = {}
        for cell in order.sample(waiting, len(waiting)):
            if not is_complete(cell, known, method):
                groups.setdefault((cell.variant, cell.dtype), []).append(cell)
        for (_, dtype), cells in groups.items():
            _group(cells, known, store, method, context | tops[dtype], report)
    usual = [cell for cell in waiting if cell.mode != "compile" and cell.batch_size != "max"]
    fine = [cell for cell in usual if known[cell.key][ERROR] is None]
    for cell in order.sample(fine, min(method.alone, len(fine))):
        row, alone = known[cell.key], list[Row]()
        try:
            once = method.model_copy(update={"passes": 1})
            _ask([(cell, None)], once, {"reference": row["reference"]}, on_row=alone.append, on_start=lambda _: None)
        except WorkerDied:
            continue
        if alone and alone[0][ERROR] is None:
            median = alone[0]["step_seconds"]["median"]
            ratio = median / row["step_seconds"]["median"]
            store.append(row | {"alone": {"median": median, "ratio": ratio}})
            report.says(f"{named(cell)}, once more and alone: {ratio:.3f} of its time together")


def is_complete(cell: SpeedCell, known: Mapping[str, Row], method: Method) -> bool:
    """Whether a cell has had all its visits, or failed."""
    row = known.get(cell.key)
    return row is not None and (bool(row[ERROR]) or len(row["passes"]) >= visits_of(cell, method))


def _group(
    cells: Sequence[SpeedCell],
    known: dict[str, Row],
    store: RowStore,
    method: Method,
    context: dict[str, Any],
    report: Reporter,
) -> None:
    """Visit cells that share a process; one that kills it gets a failure row, and the rest a new process."""
    left = {cell.key: cell for cell in cells}
    running: list[str] = []

    def on_start(key: str) -> None:
        running[:] = [key]
        report.starts(left[key])

    def on_row(row: Row) -> None:
        store.append(row)
        known[row["key"]] = row
        cell = left.pop(row["key"])
        report.ends(cell, row, is_complete=is_complete(cell, known, method))

    while left:
        visits = [(cell, known.get(cell.key)) for cell in left.values()]
        try:
            _ask(visits, method, context, on_row=on_row, on_start=on_start)
        except WorkerDied as death:
            cell = left[running[0]] if running and running[0] in left else next(iter(left.values()))
            on_row(blank_row(cell, context) | {ERROR: str(death)})


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


def _ceilings(cell: SpeedCell) -> dict[str, Any]:
    worker = WorkerProcess(WORKER, threads=cell.threads)
    try:
        return worker.ask({"ceilings": [cell.device, cell.dtype], "threads": cell.threads}, lambda _: None)
    except WorkerDied:
        return {"ceilings": None, "reference": None}
    finally:
        worker.close()
