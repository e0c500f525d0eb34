"""Timing: repeats of a step until the interval of their median is narrow, or the time is up."""

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from zoo.speed.stopwatch import Reference, block_seconds
from zoo.stats.timings import median_interval

WARM_UP_SECONDS, WARM_UP_STEPS = 0.1, 3
BLOCK_SECONDS = {"cpu": 0.003, "cuda": 0.005, "mps": 0.02}
REPEAT_SECONDS = 0.4  # at most, where one block is not longer
BLOCKS = 5
LEAST_REPEATS = 6  # what an interval of the median needs
DISTURBED = 1.05  # times the reference's best, before or after a repeat; times the fastest pass


@dataclass
class Timing:
    """The repeats of one cell so far: each as (seconds per step, the slower reading beside it).

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

    @property
    def repeats(self) -> list[float]:
        """Seconds per step of the repeats that count, judged by the best reading and the fastest pass so far.

        Those are the calm repeats (all, where fewer than six are) of the passes whose medians lie within 5 % of
        the fastest, and of the next fastest until there are six. A slower pass met a slow spell that the reference
        does not see, or a process whose memory lies badly: another run would not measure it again.
        """
        is_calm = self.is_calm
        ends = [*itertools.accumulate(self.passes), len(self.all_repeats)]
        passes = []
        for start, end in itertools.pairwise([0, *ends]):
            calm = [s for s, reading in self.all_repeats[start:end] if not is_calm or self._in_calm(reading)]
            if calm:
                passes.append(calm)
        passes.sort(key=statistics.median)
        counted: list[float] = []
        for repeats in passes:
            if len(counted) >= LEAST_REPEATS and statistics.median(repeats) > DISTURBED * statistics.median(passes[0]):
                break
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
        return sum(self._in_calm(reading) for _, reading in self.all_repeats[start:])

    def _in_calm(self, reading: float) -> bool:
        return self.reference is None or reading <= DISTURBED * self.reference.best


def add_pass(
    timing: Timing,
    run: Callable[[], object],
    device: torch.device,
    *,
    seconds: float,
    least: int,
    precision: float,
) -> None:
    """Warm up and add a pass: `least` repeats, and more until six are calm and the cell is settled, or the time is up.

    seconds: what the pass may take.
    """
    began = time.perf_counter()
    _warm_up(timing, run, device)
    start = len(timing.all_repeats)
    while True:
        before = _calm_reading(timing.reference, began + seconds)
        fastest = min(block_seconds(run, timing.steps, device) for _ in range(timing.blocks))
        after = timing.reference.seconds() if timing.reference is not None else 0.0
        timing.all_repeats.append((fastest / timing.steps, max(before, after)))
        count = len(timing.all_repeats) - start
        is_over = time.perf_counter() - began > seconds
        is_done = timing.calm_since(start) >= LEAST_REPEATS and timing.is_settled(precision)
        if count >= least and (is_done or is_over):
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
        timing.blocks = max(1, min(BLOCKS, int(REPEAT_SECONDS / (timing.steps * one))))
