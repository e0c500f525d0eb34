"""The worker of speed cells; zoo.throughput.run starts a fresh process for each group of cells and pass.

Requests and answers are JSON: {"ceilings": DEVICE, "dtypes": [...]} gives what the device can do at most, and
{"visits": [[CELL, ROW or null], ...]} visits each cell once: `row_after_visit`; each start and row is an event.
"""

import gc
import resource
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

# Slow to import: the server of workers does it once, and not each timed process.
import torch._dynamo
import torch.fx.experimental.symbolic_shapes
import torch.profiler
import torch.utils.benchmark
import torch.utils.flop_counter

from zoo.cell import Latency, PartSeconds, SpeedCell, SpeedRow
from zoo.records import record_from
from zoo.registry import variant
from zoo.run import environment
from zoo.run.serving import Hear, Message, Say
from zoo.throughput import cost
from zoo.throughput.cells import Method
from zoo.throughput.largest import free_memory, is_out_of_memory, largest
from zoo.throughput.stopwatch import Reference, ceilings, clocks, latencies, part_seconds
from zoo.throughput.timing import LEAST_REPEATS, Timing, add_pass
from zoo.throughput.workload import Workload

FREE_SHARE = 0.9  # of the memory that is free when the worker starts
LATENCY_CALLS, LATENCY_SECONDS = 1000, 0.5  # in each visit
PART_STEPS, PART_SECONDS = 20, 0.25


def answer(request: Message, say: Say, _: Hear) -> Message:
    """The answer to a request, see the top of this file."""
    torch.set_num_threads(request["threads"])
    gc.freeze()  # collections between cells need not walk over all that is imported, which takes longer than a visit
    if "ceilings" in request:
        device = request["ceilings"]
        best = Reference().best if device == "cpu" else None
        return {"ceilings": {dtype: ceilings(device, dtype) for dtype in request["dtypes"]}, "reference": best}
    method, context = Method(**request["method"]), request["context"]
    reference = None
    if request["visits"][0][0]["device"] == "cpu":
        _limit_memory()
        reference = Reference(context["reference"])
    for cell_fields, row_fields in request["visits"]:
        cell = record_from(SpeedCell, cell_fields)
        say({"started": cell.key})
        details = None
        try:
            so_far = None if row_fields is None else record_from(SpeedRow, row_fields)
            row = row_after_visit(cell, so_far, method, reference, context)
        except Exception as error:  # whatever a variant does wrong costs its own cell only
            kind = "out of memory" if is_out_of_memory(error) else type(error).__name__
            row, details = failed_row(cell, context, f"{kind}: {error}"), traceback.format_exc()
        say({"row": row.model_dump(mode="json"), "traceback": details})
        free_memory()
    return {}


def failed_row(cell: SpeedCell, context: dict[str, Any], error: str) -> SpeedRow:
    """The row of a cell that could not be timed."""
    return record_from(SpeedRow, _origin(cell, context) | {"error": error})


def row_after_visit(
    cell: SpeedCell, so_far: SpeedRow | None, method: Method, reference: Reference | None, context: dict[str, Any]
) -> SpeedRow:
    """The row of a cell after one more pass, with the model and the inputs built again for it.

    The first visit also measures everything else in the row; latencies and parts of a step are those of the fastest
    visit. context: commit, command, ceilings, reference (the best reading so far): what the cells of a run share.
    """
    if cell.code is not None and variant(cell.variant).code.sha256 != cell.code.sha256:
        raise RuntimeError(
            f"the source of variant '{cell.variant}' has changed since the run began: start the run again"
        )
    fields = _origin(cell, context) if so_far is None else so_far.model_dump()
    batch_size = cell.batch_size if so_far is None else so_far.batch_measured
    if batch_size == "max":
        batch_size, fields["search"] = largest(cell, seconds=method.seconds, seed=method.seed)
    assert isinstance(batch_size, int)
    work = Workload(cell, batch_size, seed=method.seed)
    try:
        timing = Timing(reference) if so_far is None else Timing.of(so_far, reference)
        share, least = method.seconds / method.visits(cell), -(-LEAST_REPEATS // method.visits(cell))
        add_pass(timing, work.run, work.device, seconds=share, least=least, precision=method.precision)
        fields |= _time_fields(timing, batch_size, method)
        before = so_far or SpeedRow.model_construct()
        fields["latency_seconds"] = _faster(before.latency_seconds, _latency(work), lambda waits: waits.p50)
        parts = _parts(work, fields["step_seconds"]["median"])
        fields["part_seconds"] = _faster(before.part_seconds, parts, lambda p: p.forward + p.backward + p.optimizer)
        if so_far is None:
            fields |= _lasting_fields(work)
        return record_from(SpeedRow, fields | _rates(fields))
    finally:
        work.close()


def _origin(cell: SpeedCell, context: dict[str, Any]) -> dict[str, Any]:
    return {
        **cell.model_dump(),
        "machine": environment.machine(cell.device),
        "versions": environment.versions(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **context,
    }


def _time_fields(timing: Timing, batch_size: int, method: Method) -> dict[str, Any]:
    repeats = timing.repeats
    low, high = timing.interval() or (None, None)
    median, p5, p95 = np.percentile(repeats, [50, 5, 95]).tolist()
    return {
        "batch_measured": batch_size,
        "repeats": [float(f"{seconds:.6g}") for seconds in repeats],
        "all_repeats": [[float(f"{number:.6g}") for number in repeat] for repeat in timing.all_repeats],
        "reference": timing.reference.best if timing.reference is not None else None,
        "passes": timing.passes,
        "seconds": timing.spent,
        "disturbed": len(timing.all_repeats) - len(repeats),
        "steps_per_block": timing.steps,
        "blocks_per_repeat": timing.blocks,
        "step_seconds": {"median": median, "p5": p5, "p95": p95, "low": low, "high": high},
        "is_settled": timing.is_settled(method.precision),
        "is_calm": timing.is_calm,
        "windows_per_second": {"median": batch_size / median, "p5": batch_size / p95, "p95": batch_size / p5},
    }


def _latency(work: Workload) -> Latency | None:
    """The latency of single calls at batch 1."""
    if work.cell.phase != "infer" or work.batch_size != 1:
        return None
    waits = latencies(work.run, work.device, most=LATENCY_CALLS, seconds=LATENCY_SECONDS)
    p50, p95, p99 = np.percentile(waits, [50, 95, 99]).tolist()
    return Latency(p50=p50, p95=p95, p99=p99, count=len(waits))


def _parts(work: Workload, step: float) -> PartSeconds | None:
    """The parts of an eager training step."""
    if not work.parts:
        return None
    steps = max(3, min(PART_STEPS, int(PART_SECONDS / step)))
    forward, backward, optimizer = np.median(part_seconds(work.parts, steps, work.device), axis=1).tolist()
    return PartSeconds(forward=forward, backward=backward, optimizer=optimizer)


def _faster(before: Any, now: Any, seconds: Callable[[Any], float]) -> Any:
    return min([value for value in (before, now) if value is not None], key=seconds, default=None)


def _lasting_fields(work: Workload) -> dict[str, Any]:
    """What the first visit alone measures."""
    return {
        "peak_memory_bytes": cost.peak_bytes(work),
        "kernels_seen": cost.kernels(work),
        "parameter_count": sum(parameter.numel() for parameter in work.model.parameters()),
        "flops_per_window": cost.flops_per_window(work.cell),
        "bytes_per_step": cost.least_bytes(work),
        "graph_breaks": work.mode.graph_breaks,
        "fallback": work.mode.fallback,
        "clocks": clocks(work.cell.device),
    }


def _rates(fields: dict[str, Any]) -> dict[str, Any]:
    """Achieved FLOP/s, and the least possible step time as a share of the measured one."""
    step, limits = fields["step_seconds"]["median"], fields["ceilings"]
    flops, share = fields["flops_per_window"] * fields["batch_measured"], None
    if limits is not None:
        least = max(flops / limits["flops_per_second"], fields["bytes_per_step"] / limits["bytes_per_second"])
        share = least / step
    return {"flops_per_second": flops / step, "ceiling_share": share}


def _limit_memory() -> None:
    """Let an allocation beyond the free memory fail as an error of its cell, before the system kills the process."""
    with suppress(OSError, KeyError, ValueError):  # no such files: not Linux
        memory = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        process = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        free, own = (int(size.split()[0]) * 1024 for size in (memory["MemAvailable"], process["VmData"]))
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = own + int(FREE_SHARE * free)
        resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
