"""run_speed: from a speed suite to stored rows, the report with its pictures, and what the user sees meanwhile."""

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo.bench import environment
from zoo.bench.process import WorkerDied, WorkerProcess
from zoo.bench.rows import Row, RowStore, read_all
from zoo.bench.throughput.cells import Method, SpeedCell, SpeedSuite, expand_speed, read_speed_suite
from zoo.bench.throughput.measure import blank_row
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
        waiting = [cell for cell in cells if force or not store.is_done(cell.key)]
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
        if len(waiting) < len(cells):
            there = f"{len(cells) - len(waiting)} of {len(cells)} cells are already there (--force times them again)"
            print(there, file=sys.stderr)
        context = {"commit": environment.commit(), "command": command}
        visits = sum(1 if cell.mode == "compile" else suite.method.passes for cell in waiting)
        try:
            with reporter(len(waiting), visits) as report:
                _run(waiting, store, suite.method, context, report)
        except KeyboardInterrupt:
            done = sum(store.is_done(cell.key) for cell in cells)
            print(
                f"stopped: {done} of {len(cells)} cells are done; the same command goes on from there", file=sys.stderr
            )
            return 130
        rows = [store.rows[cell.key] for cell in cells]
        _show(rows, store, folder, as_json=as_json)
    finally:
        store.close()
    return FAILED if any(row[ERROR] for row in rows) else 0


def _show(rows: list[Row], store: RowStore, folder: Path, *, as_json: bool) -> None:
    from rich.console import Console

    from zoo.report.speed import speed_summary
    from zoo.report.speed_markdown import speed_markdown
    from zoo.report.speed_pictures import draw
    from zoo.report.speed_terminal import show_speed

    everything = [row for row in read_all(folder)[0] if row.get("kind") == "speed"]
    store.write("report.md", speed_markdown(everything, draw(everything, folder)))
    if as_json:
        print(json.dumps(speed_summary(rows), indent=2))
    else:
        show_speed(Console() if sys.stdout.isatty() else Console(width=160), rows)
        print(f"rows, report.md and pictures are in {folder}")


def _run(
    waiting: Sequence[SpeedCell], store: RowStore, method: Method, context: dict[str, Any], report: Reporter
) -> None:
    """Time the cells group by group, each variant and dtype in fresh processes, then a sample of them alone."""
    order = random.Random(method.seed)
    tops: dict[str, dict[str, float] | None] = {}
    groups: dict[tuple[str, str], list[SpeedCell]] = {}
    for cell in waiting:
        groups.setdefault((cell.variant, cell.dtype), []).append(cell)
        tops[cell.dtype] = None
    for dtype in tops:
        report.says(f"measuring what this device can do in {dtype}")
        tops[dtype] = _ceilings(next(cell for cell in waiting if cell.dtype == dtype))
    shuffled = list(groups.items())
    order.shuffle(shuffled)
    done: list[Row] = []
    for (_, dtype), cells in shuffled:
        done += _group(cells, store, method, context | {"ceilings": tops[dtype]}, report)
    known = {cell.key: cell for cell in waiting}
    fine = [row for row in done if row[ERROR] is None and row["search"] is None and row["mode"] != "compile"]
    for row in order.sample(fine, min(method.alone, len(fine))):
        cell = known[row["key"]]
        alone: list[Row] = []
        try:
            _ask([cell], method.model_copy(update={"passes": 1}), {}, on_row=alone.append, on_start=lambda _: None)
        except WorkerDied:
            continue
        if alone and alone[0][ERROR] is None:
            median = alone[0]["step_seconds"]["median"]
            ratio = median / row["step_seconds"]["median"]
            store.append(row | {"alone": {"median": median, "ratio": ratio}})
            report.says(f"{named(cell)}, once more and alone: {ratio:.3f} of its time together")


def _group(
    cells: Sequence[SpeedCell], store: RowStore, method: Method, context: dict[str, Any], report: Reporter
) -> list[Row]:
    """The rows of cells that share a process; one that kills it gets a failure row, and the rest a new process."""
    left = {cell.key: cell for cell in cells}
    rows: list[Row] = []
    running: list[str] = []

    def on_start(key: str) -> None:
        running[:] = [key]
        report.starts(left[key])

    def on_row(row: Row) -> None:
        store.append(row)
        rows.append(row)
        report.ends(left.pop(row["key"]), row)

    while left:
        try:
            _ask(list(left.values()), method, context, on_row=on_row, on_start=on_start)
        except WorkerDied as death:
            cell = left[running[0]] if running and running[0] in left else next(iter(left.values()))
            on_row(blank_row(cell, context) | {ERROR: str(death)})
    return rows


def _ask(cells: Sequence[SpeedCell], method: Method, context: dict[str, Any], *, on_row: Any, on_start: Any) -> None:
    def on_event(event: dict[str, Any]) -> None:
        if "row" in event:
            on_row(event["row"])
        else:
            on_start(event["started"])

    threads = cells[0].threads
    request = {"cells": [asdict(cell) for cell in cells], "method": method.model_dump(), "context": context}
    worker = WorkerProcess(WORKER, threads=threads)
    try:
        worker.ask(request | {"threads": threads}, on_event)
    finally:
        worker.close()


def _ceilings(cell: SpeedCell) -> dict[str, float] | None:
    worker = WorkerProcess(WORKER, threads=cell.threads)
    try:
        return worker.ask({"ceilings": [cell.device, cell.dtype], "threads": cell.threads}, lambda _: None)
    except WorkerDied:
        return None
    finally:
        worker.close()
