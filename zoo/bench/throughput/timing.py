"""Timing: repeats of a step until the interval of their median is narrow, or the time is up."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from zoo.bench.stats import median_interval
from zoo.bench.throughput.reference import Reference
from zoo.bench.throughput.stopwatch import block_seconds

WARM_UP_SECONDS, WARM_UP_STEPS = 0.1, 3
BLOCK_SECONDS = {"cpu": 0.003, "cuda": 0.02, "mps": 0.02}
REPEAT_SECONDS = 0.25  # at most, where one block is not longer
BLOCKS = 3
LEAST_REPEATS = 6  # what an interval of the median needs
DISTURBED = 1.05  # times the reference's best, before or after a repeat


@dataclass
class Timing:
    """What is known of one cell so far: every repeat as (seconds per step, the slower reading beside it).

    A repeat is the fastest of `blocks` consecutive blocks of `steps` steps. On a CPU, where others slow the machine
    in spells, it waits for a reading of `reference` near its best, and counts if the reading after it is near it
    too; where fewer than six do, all count. On an accelerator, whose events see its own work alone, blocks is 1 and
    reference None. passes: how many repeats each pass made.
    """

    reference: Reference | None = None
    made: list[tuple[float, float]] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    steps: int = 0
    blocks: int = 1
    spent: float = 0.0

    @property
    def repeats(self) -> list[float]:
        """Seconds per step of the repeats that count, judged by the best reading so far."""
        everything = [seconds for seconds, _ in self.made]
        if self.reference is None:
            return everything
        calm = [seconds for seconds, reading in self.made if reading <= DISTURBED * self.reference.best]
        return calm if len(calm) >= LEAST_REPEATS else everything

    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the median in seconds per step, None with too few repeats."""
        return median_interval(self.repeats)

    def is_settled(self, precision: float) -> bool:
        """Whether the interval's half width is within `precision` of its middle."""
        found = self.interval()
        return found is not None and (found[1] - found[0]) <= precision * (found[0] + found[1])

    def calm_since(self, start: int) -> int:
        """How many repeats from number `start` on were not disturbed."""
        if self.reference is None:
            return len(self.made) - start
        return sum(reading <= DISTURBED * self.reference.best for _, reading in self.made[start:])


def add_pass(
    timing: Timing,
    run: Callable[[], object],
    device: torch.device,
    *,
    seconds: float,
    precision: float,
    passes_left: int,
) -> None:
    """Warm up and add repeats: a share of twelve calm ones, in the last pass until settled; or until time is up.

    seconds: what all passes of the cell may take together. Each pass makes two repeats at least, all together six.
    """
    began = time.perf_counter()
    _warm_up(timing, run, device)
    start = len(timing.made)
    budget = (seconds - timing.spent) / passes_left
    wanted = -(-(2 * LEAST_REPEATS - timing.calm_since(0)) // passes_left)
    while True:
        before = _calm_reading(timing.reference, began + budget)
        fastest = min(block_seconds(run, timing.steps, device) for _ in range(timing.blocks))
        after = timing.reference.seconds() if timing.reference is not None else 0.0
        timing.made.append((fastest / timing.steps, max(before, after)))
        count = len(timing.made) - start
        is_over = time.perf_counter() - began > budget
        is_done = timing.calm_since(start) >= wanted
        if passes_left == 1:
            is_over = is_over and len(timing.made) >= LEAST_REPEATS
            is_done = is_done and timing.is_settled(precision)
        if count >= 2 and (is_done or is_over):
            break
    timing.passes.append(count)
    timing.spent += time.perf_counter() - began


def _calm_reading(reference: Reference | None, deadline: float) -> float:
    """The reference's first reading near its best, or the one at the deadline."""
    if reference is None:
        return 0.0
    reading = reference.seconds()
    while reading > DISTURBED * reference.best and time.perf_counter() < deadline:
        reading = reference.seconds()
    return reading


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
