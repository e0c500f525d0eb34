"""Timing: repeats of a step until the interval of their median is narrow, or the time is up."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from zoo.bench.stats import median_interval
from zoo.bench.throughput.stopwatch import block_seconds

WARM_UP_SECONDS, WARM_UP_STEPS = 0.1, 3
BLOCK_SECONDS = {"cpu": 0.005, "cuda": 0.02, "mps": 0.02}
REPEAT_SECONDS = 0.25  # at most, where one block is not longer
BLOCKS = 5
LEAST_REPEATS = 6  # what an interval of the median needs


@dataclass
class Timing:
    """What is known of one cell so far: seconds per step of each repeat, and how a repeat is made.

    A repeat is the fastest of `blocks` consecutive blocks of `steps` steps: on a shared CPU others only ever add
    time, in bursts longer than a block. On an accelerator, whose events see its own work alone, blocks is 1.
    """

    repeats: list[float] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    steps: int = 0
    blocks: int = 1
    spent: float = 0.0

    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the median in seconds per step, None with too few repeats."""
        return median_interval(self.repeats)

    def is_settled(self, precision: float) -> bool:
        """Whether the interval's half width is within `precision` of its middle."""
        found = self.interval()
        return found is not None and (found[1] - found[0]) <= precision * (found[0] + found[1])


def add_pass(
    timing: Timing,
    run: Callable[[], object],
    device: torch.device,
    *,
    seconds: float,
    precision: float,
    passes_left: int,
) -> None:
    """Warm up and add repeats: a share of the least number, in the last pass until settled or out of time.

    seconds: what all passes of the cell may take together. Each pass adds two repeats at least.
    """
    began = time.perf_counter()
    _warm_up(timing, run, device)
    budget = (seconds - timing.spent) / passes_left
    wanted = -(-(2 * LEAST_REPEATS - len(timing.repeats)) // passes_left)
    count = 0
    while True:
        blocks = [block_seconds(run, timing.steps, device) for _ in range(timing.blocks)]
        timing.repeats.append(min(blocks) / timing.steps)
        count += 1
        is_over = time.perf_counter() - began > budget
        if passes_left > 1:
            is_done = count >= wanted
        else:
            is_done = count >= wanted and timing.is_settled(precision)
            is_over = is_over and len(timing.repeats) >= LEAST_REPEATS
        if count >= 2 and (is_done or is_over):
            break
    timing.passes.append(count)
    timing.spent += time.perf_counter() - began


def _warm_up(timing: Timing, run: Callable[[], object], device: torch.device) -> None:
    """Run until caches, clocks and lazy set-up have settled; the first time, choose how long a block is."""
    began, steps = time.perf_counter(), 0
    last = 0.0
    while steps < WARM_UP_STEPS or time.perf_counter() - began < WARM_UP_SECONDS:
        last = block_seconds(run, 1, device)
        steps += 1
        if last > WARM_UP_SECONDS:  # a step this long warms up alone
            break
    if timing.steps == 0:
        # Single steps may wait longer than steps in a row: measure as a block does.
        one = last if last > REPEAT_SECONDS else block_seconds(run, 3, device) / 3
        timing.steps = max(1, round(BLOCK_SECONDS[device.type] / one))
        timing.blocks = max(1, min(BLOCKS, int(REPEAT_SECONDS / (timing.steps * one)))) if device.type == "cpu" else 1
