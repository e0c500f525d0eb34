"""Measure: a group of cells, visited in several shuffled passes in this process; each becomes a row."""

import gc
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from zoo.bench import environment
from zoo.bench.rows import Row
from zoo.bench.throughput import cost
from zoo.bench.throughput.algorithm import expected
from zoo.bench.throughput.cells import SPEED_SCHEMA, Method, SpeedCell
from zoo.bench.throughput.largest import is_out_of_memory, largest
from zoo.bench.throughput.load import Load, clocks
from zoo.bench.throughput.stopwatch import latencies, part_seconds
from zoo.bench.throughput.timing import Timing, add_pass
from zoo.bench.throughput.workload import Workload, parameter_count

MEASURED = (
    "batch_measured", "repeats", "passes", "steps_per_block", "blocks_per_repeat", "step_seconds", "is_settled",
    "windows_per_second", "latency_seconds", "part_seconds", "peak_memory_bytes", "parameter_count",
    "flops_per_window", "flops_per_second", "bytes_per_step", "ceiling_share", "algorithm_expected", "kernels_seen",
    "graph_breaks", "fallback", "search", "alone", "load", "clocks",
)  # fmt: skip
LOT = 24  # cells: their passes lie apart in time, and an interruption costs no more than these
LATENCY_CALLS, LATENCY_SECONDS = 1000, 1.0
PART_STEPS, PART_SECONDS = 30, 0.5


def blank_row(cell: SpeedCell, context: dict[str, Any]) -> Row:
    """A cell's row before it is measured: all that was asked, and where.

    context: commit, command, ceilings: what all cells of a run (and of a dtype) share.
    """
    asked = asdict(cell) | {"tags": list(cell.tags)}
    return {
        "kind": "speed",
        **asked,
        **dict.fromkeys(MEASURED),
        "machine": environment.machine(cell.device),
        "versions": environment.versions(),
        **context,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "error": None,
        "schema": SPEED_SCHEMA,
    }


def measure(
    cells: Sequence[SpeedCell],
    method: Method,
    context: dict[str, Any],
    *,
    on_start: Callable[[SpeedCell], None],
    on_row: Callable[[Row], None],
) -> None:
    """Time the cells in shuffled lots, each lot in method.passes passes in another order; hand over finished rows.

    A compiled step is visited once, since every visit would compile it again. An exception of any kind becomes
    a row with `error`; one that says that memory ran out begins with "out of memory".
    """
    order = random.Random(method.seed)
    shuffled = order.sample(list(cells), len(cells))
    lots = [[_State(cell) for cell in shuffled[start : start + LOT]] for start in range(0, len(cells), LOT)]
    for lot, number in itertools.product(lots, range(1, method.passes + 1)):
        waiting = [state for state in lot if not state.is_done]
        for state in order.sample(waiting, len(waiting)):
            on_start(state.cell)
            left = 1 if state.cell.mode == "compile" else method.passes + 1 - number
            try:
                state.visit(method, left)
            except Exception as error:  # whatever a variant does wrong costs its own cell only
                text = f"{type(error).__name__}: {error}"
                state.measured = {"error": f"out of memory: {error}" if is_out_of_memory(error) else text}
                state.is_done = True
            if state.is_done:
                on_row(blank_row(state.cell, context) | _with_share(state.measured, context))
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


class _State:
    """A cell between its visits: what is known of it so far."""

    def __init__(self, cell: SpeedCell) -> None:
        self.cell, self.timing = cell, Timing()
        self.batch_size = cell.batch_size if isinstance(cell.batch_size, int) else 0
        self.measured: dict[str, Any] = {}
        self.search: dict[str, Any] | None = None
        self.loads: list[dict[str, float]] = []
        self.is_done = False

    def visit(self, method: Method, passes_left: int) -> None:
        """Build the cell anew and add one pass; in the last one, everything else that a row says."""
        if not self.batch_size:
            self.batch_size, self.search = largest(self.cell, seconds=method.seconds, seed=method.seed)
        work = Workload(self.cell, self.batch_size, seed=method.seed)
        try:
            before = Load.now()
            add_pass(
                self.timing,
                work.run,
                work.device,
                seconds=method.seconds,
                precision=method.precision,
                passes_left=passes_left,
            )
            after = Load.now()
            load = after.since(before) if after is not None else None
            if load is not None:
                self.loads.append(load)
            if passes_left == 1:
                self.measured = self._timed(method) | self._explained(work)
                self.is_done = True
        finally:
            work.close()

    def _timed(self, method: Method) -> dict[str, Any]:
        repeats = np.array(self.timing.repeats)
        low, high = self.timing.interval() or (None, None)
        median, p5, p95 = (float(value) for value in np.percentile(repeats, [50, 5, 95]))
        return {
            "batch_measured": self.batch_size,
            "repeats": [float(f"{value:.6g}") for value in repeats],
            "passes": self.timing.passes,
            "steps_per_block": self.timing.steps,
            "blocks_per_repeat": self.timing.blocks,
            "step_seconds": {"median": median, "p5": p5, "p95": p95, "low": low, "high": high},
            "is_settled": self.timing.is_settled(method.precision),
            "windows_per_second": {
                "median": self.batch_size / median,
                "p5": self.batch_size / p95,
                "p95": self.batch_size / p5,
            },
            "search": self.search,
            "load": {name: max(load[name] for load in self.loads) for name in self.loads[0]} if self.loads else None,
            "clocks": clocks(self.cell.device),
        }

    def _explained(self, work: Workload) -> dict[str, Any]:
        cell, step = self.cell, float(np.median(self.timing.repeats))
        found: dict[str, Any] = {"latency_seconds": None, "part_seconds": None}
        if cell.phase == "infer" and self.batch_size == 1:
            waits = np.array(latencies(work.run, work.device, most=LATENCY_CALLS, seconds=LATENCY_SECONDS))
            p50, p95, p99 = (float(value) for value in np.percentile(waits, [50, 95, 99]))
            found["latency_seconds"] = {"p50": p50, "p95": p95, "p99": p99, "count": len(waits)}
        if work.parts:
            steps = max(3, min(PART_STEPS, int(PART_SECONDS / step)))
            parts = [float(np.median(part)) for part in part_seconds(work.parts, steps, work.device)]
            found["part_seconds"] = dict(zip(("forward", "backward", "optimizer"), parts, strict=True))
        peak, kernels = cost.profiled(work)
        flops = cost.flops_per_window(cell)
        return found | {
            "peak_memory_bytes": peak,
            "kernels_seen": kernels,
            "parameter_count": parameter_count(work.model),
            "flops_per_window": flops,
            "flops_per_second": flops * self.batch_size / step,
            "bytes_per_step": cost.least_bytes(work),
            "algorithm_expected": expected(
                work.model,
                device=cell.device,
                dtype=cell.dtype,
                batch_size=self.batch_size,
                lookback=cell.lookback,
                is_training=cell.phase == "train",
            ),
            "graph_breaks": work.mode.graph_breaks,
            "fallback": work.mode.fallback,
        }


def _with_share(measured: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """The measured fields, and the least possible step time as a share of the measured one."""
    top = context.get("ceilings")
    if top is None or "step_seconds" not in measured:
        return measured
    arithmetic = measured["flops_per_window"] * measured["batch_measured"] / top["flops_per_second"]
    memory = measured["bytes_per_step"] / top["bytes_per_second"]
    return measured | {"ceiling_share": max(arithmetic, memory) / measured["step_seconds"]["median"]}
