"""Measure: one visit to each of a group of cells in this process; a visit makes a row, or adds to it."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from zoo.registry import variant
from zoo.run import environment
from zoo.run.store import Row
from zoo.speed import cost
from zoo.speed.algorithm import expected
from zoo.speed.cells import SPEED_SCHEMA, Method, SpeedCell
from zoo.speed.largest import is_out_of_memory, largest
from zoo.speed.load import Load, clocks
from zoo.speed.reference import Reference
from zoo.speed.stopwatch import latencies, part_seconds
from zoo.speed.timing import LEAST_REPEATS, Timing, add_pass
from zoo.speed.workload import Workload, parameter_count

MEASURED = (
    "batch_measured", "repeats", "made", "reference", "passes", "seconds", "disturbed", "steps_per_block",
    "blocks_per_repeat", "step_seconds", "is_settled", "is_calm", "windows_per_second", "latency_seconds",
    "part_seconds", "peak_memory_bytes", "parameter_count", "flops_per_window", "flops_per_second", "bytes_per_step",
    "ceiling_share", "algorithm_expected", "kernels_seen", "graph_breaks", "fallback", "search", "alone", "load",
    "clocks",
)  # fmt: skip
LATENCY_CALLS, LATENCY_SECONDS = 1000, 0.5  # in each visit
PART_STEPS, PART_SECONDS = 20, 0.25


def blank_row(cell: SpeedCell, context: dict[str, Any]) -> Row:
    """A cell's row before it is measured: all that was asked, and where.

    context: commit, command, ceilings, reference (the best reading so far): what the cells of a run share.
    """
    asked = asdict(cell) | {"tags": list(cell.tags)}
    return {
        "kind": "speed",
        **asked,
        **dict.fromkeys(MEASURED),
        "machine": environment.machine(cell.device),
        "versions": environment.versions(),
        "ceilings": None,
        **context,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "error": None,
        "schema": SPEED_SCHEMA,
    }


def measure(
    visits: Sequence[tuple[SpeedCell, Row | None]],
    method: Method,
    context: dict[str, Any],
    *,
    on_start: Callable[[SpeedCell], None],
    on_row: Callable[[Row], None],
) -> None:
    """Visit each cell once, in the given order, and hand over its row: a new one, or the one so far with more repeats.

    An exception of any kind becomes a row with `error`; one that says that memory ran out begins with
    "out of memory".
    """
    reference = Reference(context.get("reference")) if visits[0][0].device == "cpu" else None
    for cell, so_far in visits:
        on_start(cell)
        try:
            row = _visited(cell, so_far, method, reference, context)
        except Exception as error:  # whatever a variant does wrong costs its own cell only
            text = f"out of memory: {error}" if is_out_of_memory(error) else f"{type(error).__name__}: {error}"
            row = blank_row(cell, context) | {"error": text}
        on_row(row)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def visits_of(cell: SpeedCell, method: Method) -> int:
    """How often a cell is visited, and at most as often again where no calm was met: a compiled one once, since every
    visit would compile it again."""
    return 1 if cell.mode == "compile" else method.passes


def _visited(
    cell: SpeedCell, so_far: Row | None, method: Method, reference: Reference | None, context: dict[str, Any]
) -> Row:
    """Build the cell anew and add one pass; at the first visit, everything else that a row says too."""
    known = so_far or blank_row(cell, context)
    if variant(cell.variant).plugin != cell.plugin:
        raise RuntimeError(f"the source of variant '{cell.variant}' has changed since the run began: start it again")
    batch_size, search = known["batch_measured"] or cell.batch_size, known["search"]
    if batch_size == "max":
        batch_size, search = largest(cell, seconds=method.seconds, seed=method.seed)
    timing = Timing(reference)
    if so_far is not None:
        timing.made = [(seconds, reading) for seconds, reading in so_far["made"]]
        timing.passes, timing.spent = list(so_far["passes"]), so_far["seconds"]
        timing.steps, timing.blocks = so_far["steps_per_block"], so_far["blocks_per_repeat"]
    work = Workload(cell, batch_size, seed=method.seed)
    try:
        before = Load.now()
        visits = visits_of(cell, method)
        least = -(-LEAST_REPEATS // visits)
        share = method.seconds / visits
        add_pass(timing, work.run, work.device, seconds=share, least=least, precision=method.precision)
        after = Load.now()
        load = after.since(before) if after is not None else None
        row = known | _timed(timing, int(batch_size), method) | {"search": search, "error": None}
        row["load"] = _heavier(known["load"], load)
        row |= _calmer(known, _split(cell, work, row["step_seconds"]["median"]))
        if so_far is None:
            row |= _explained(cell, work) | {"clocks": clocks(cell.device)}
        return row | _rates(row)
    finally:
        work.close()


def _timed(timing: Timing, batch_size: int, method: Method) -> dict[str, Any]:
    repeats = np.array(timing.repeats)
    low, high = timing.interval() or (None, None)
    median, p5, p95 = (float(value) for value in np.percentile(repeats, [50, 5, 95]))
    return {
        "batch_measured": batch_size,
        "repeats": [float(f"{value:.6g}") for value in repeats],
        "made": [[float(f"{seconds:.6g}"), float(f"{reading:.6g}")] for seconds, reading in timing.made],
        "reference": timing.reference.best if timing.reference is not None else None,
        "passes": timing.passes,
        "seconds": timing.spent,
        "disturbed": len(timing.made) - len(repeats),
        "steps_per_block": timing.steps,
        "blocks_per_repeat": timing.blocks,
        "step_seconds": {"median": median, "p5": p5, "p95": p95, "low": low, "high": high},
        "is_settled": timing.is_settled(method.precision),
        "is_calm": timing.is_calm,
        "windows_per_second": {"median": batch_size / median, "p5": batch_size / p95, "p95": batch_size / p5},
    }


def _split(cell: SpeedCell, work: Workload, step: float) -> dict[str, Any]:
    """The latency of single calls at batch 1, and the parts of a training step; None for what a cell has not."""
    found: dict[str, Any] = {"latency_seconds": None, "part_seconds": None}
    if cell.phase == "infer" and work.batch_size == 1:
        waits = np.array(latencies(work.run, work.device, most=LATENCY_CALLS, seconds=LATENCY_SECONDS))
        p50, p95, p99 = (float(value) for value in np.percentile(waits, [50, 95, 99]))
        found["latency_seconds"] = {"p50": p50, "p95": p95, "p99": p99, "count": len(waits)}
    if work.parts:
        steps = max(3, min(PART_STEPS, int(PART_SECONDS / step)))
        parts = [float(np.median(part)) for part in part_seconds(work.parts, steps, work.device)]
        found["part_seconds"] = dict(zip(("forward", "backward", "optimizer"), parts, strict=True))
    return found


def _calmer(known: Row, found: dict[str, Any]) -> dict[str, Any]:
    """Latency and parts of the visit in which they took least."""
    before, now = known["latency_seconds"], found["latency_seconds"]
    if before is not None and now is not None and before["p50"] <= now["p50"]:
        found["latency_seconds"] = before
    before, now = known["part_seconds"], found["part_seconds"]
    if before is not None and now is not None and sum(before.values()) <= sum(now.values()):
        found["part_seconds"] = before
    return found


def _explained(cell: SpeedCell, work: Workload) -> dict[str, Any]:
    return {
        "peak_memory_bytes": cost.peak_bytes(work),
        "kernels_seen": cost.kernels(work),
        "parameter_count": parameter_count(work.model),
        "flops_per_window": cost.flops_per_window(cell),
        "bytes_per_step": cost.least_bytes(work),
        "algorithm_expected": expected(
            work.model,
            device=cell.device,
            dtype=cell.dtype,
            batch_size=work.batch_size,
            lookback=cell.lookback,
            is_training=cell.phase == "train",
        ),
        "graph_breaks": work.mode.graph_breaks,
        "fallback": work.mode.fallback,
    }


def _rates(row: Row) -> dict[str, Any]:
    """Achieved FLOP/s, and the least possible step time as a share of the measured one."""
    step, top = row["step_seconds"]["median"], row["ceilings"]
    flops = row["flops_per_window"] * row["batch_measured"]
    share = None
    if top is not None:
        share = max(flops / top["flops_per_second"], row["bytes_per_step"] / top["bytes_per_second"]) / step
    return {"flops_per_second": flops / step, "ceiling_share": share}


def _heavier(one: dict[str, float] | None, other: dict[str, float] | None) -> dict[str, float] | None:
    if one is None or other is None:
        return one or other
    return {name: max(one[name], other[name]) for name in one}
