"""Timing: repeats of a step until the interval of their median is narrow, or the time is up."""

import math
import statistics
import time
from dataclasses import dataclass, field

import torch

from zoo.cell import SpeedRow
from zoo.stats.timings import median_interval
from zoo.throughput.passes import by_pass, limit_of
from zoo.throughput.stopwatch import Part, Reference, block_seconds

WARM_UP_SECONDS, WARM_UP_STEPS = 0.1, 3
BLOCK_SECONDS = {"cpu": 0.003, "cuda": 0.005, "mps": 0.02}
REPEAT_SECONDS = 0.4  # at most, where one block is not longer
BLOCKS = 5
LEAST_REPEATS = 6  # what an interval of the median needs
SLOW_PASS = 1.05  # times the fastest pass


@dataclass
class Timing:
    """The repeats of one cell so far: each as (seconds per step, the slower of the readings around it).

    A repeat is the fastest of `blocks` consecutive blocks of `steps` steps. On a CPU, where others slow the machine
    in spells, it waits for a reading of `reference` near its best, and is calm if the reading after it is near it
    too. On an accelerator reference is None. passes: how many repeats each pass made.
    """

    reference: Reference | None = None
    all_repeats: list[tuple[float, float]] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    steps: int = 0
    blocks: int = 1
    spent: float = 0.0

    @classmethod
    def of(cls, row: SpeedRow, reference: Reference | None) -> "Timing":
        """The repeats that a row holds."""
        steps, blocks = row.steps_per_block or 0, row.blocks_per_repeat or 1
        return cls(reference, list(row.all_repeats or ()), list(row.passes or ()), steps, blocks, row.seconds or 0.0)

    @property
    def repeats(self) -> list[float]:
        """Seconds per step of the repeats that count, judged by the best reading and the fastest pass so far.

        Those are the calm repeats (all, where fewer than six are) of the passes whose medians lie within 5 % of
        the fastest, and of the next fastest until there are six. A slower pass met a slow spell that the reference
        does not see, or a process whose memory is laid out badly: another run would not measure it again.
        """
        counts = [*self.passes, len(self.all_repeats) - sum(self.passes)]
        passes = by_pass(self.all_repeats, counts, self.limit if self.is_calm else math.inf)
        passes.sort(key=statistics.median)
        counted: list[float] = []
        for repeats in passes:
            if len(counted) < LEAST_REPEATS or statistics.median(repeats) <= SLOW_PASS * statistics.median(passes[0]):
                counted += repeats
        return counted

    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the median in seconds per step, None with too few repeats."""
        return median_interval(self.repeats)

    def is_settled(self, precision: float) -> bool:
        """Whether the interval's half width is within `precision` of its middle."""
        interval = self.interval()
        return interval is not None and (interval[1] - interval[0]) <= precision * (interval[0] + interval[1])

    @property
    def is_calm(self) -> bool:
        """Whether enough repeats met a calm machine, so that only these count."""
        return self.calm_since(0) >= LEAST_REPEATS

    def calm_since(self, start: int) -> int:
        """How many repeats from number `start` on were not disturbed."""
        return sum(reading <= self.limit for _, reading in self.all_repeats[start:])

    @property
    def limit(self) -> float:
        """The reading of the reference up to which a repeat is calm."""
        return math.inf if self.reference is None else limit_of(self.all_repeats, self.reference.best)


def add_pass(timing: Timing, run: Part, device: torch.device, *, seconds: float, least: int, precision: float) -> None:
    """Warm up and add a pass: `least` repeats, and more until six are calm and the cell is settled, or the time is up.

    seconds: what the pass may take.
    """
    began = time.perf_counter()
    _warm_up(timing, run, device)
    start = count = len(timing.all_repeats)
    is_done = False
    while count - start < least or not is_done:
        before = _calm_reading(timing, began + seconds)
        fastest = min(block_seconds(run, timing.steps, device) for _ in range(timing.blocks))
        after = timing.reference.seconds() if timing.reference is not None else 0.0
        timing.all_repeats.append((fastest / timing.steps, max(before, after)))
        count += 1
        is_settled = timing.calm_since(start) >= LEAST_REPEATS and timing.is_settled(precision)
        is_done = is_settled or time.perf_counter() - began > seconds
    timing.passes.append(count - start)
    timing.spent += time.perf_counter() - began


def _calm_reading(timing: Timing, deadline: float) -> float:
    """The reference's first calm reading, or the one at the deadline."""
    if timing.reference is None:
        return 0.0
    reading = timing.reference.seconds()
    while reading > timing.limit and time.perf_counter() < deadline:
        reading = timing.reference.seconds()
    return reading


def _warm_up(timing: Timing, run: Part, device: torch.device) -> None:
    """Run until caches, clocks and lazy set-up have settled; the first time, choose how long a block is."""
    began, steps, last = time.perf_counter(), 0, 0.0
    # A step that is longer than this warms up alone.
    while last <= WARM_UP_SECONDS and (steps < WARM_UP_STEPS or time.perf_counter() - began < WARM_UP_SECONDS):
        last = block_seconds(run, 1, device)
        steps += 1
    if timing.steps == 0:
        # Single steps may wait longer than steps in a row: measure as a block does.
        one = last if last > REPEAT_SECONDS else block_seconds(run, 3, device) / 3
        timing.steps = max(1, round(BLOCK_SECONDS[device.type] / one))
        timing.blocks = max(1, min(BLOCKS, int(REPEAT_SECONDS / (timing.steps * one))))
