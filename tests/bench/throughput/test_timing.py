"""Repeats are added until their median is known well enough, or the time is up."""

import itertools
import statistics

import numpy as np
import pytest
import torch

from zoo.bench.throughput import stopwatch, timing
from zoo.bench.throughput.timing import Timing, add_pass

CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch):
    """A clock that only steps move: each takes the next of `takes`, in seconds."""

    class Clock:
        now = 0.0
        takes = itertools.repeat(0.001)
        steps = 0

        def run(self):
            self.now += next(self.takes)
            self.steps += 1

    found = Clock()
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: found.now)
    return found


def whole(clock, **how):
    found = Timing()
    settings = {"seconds": 4.0, "precision": 0.02, **how}
    for left in (3, 2, 1):
        add_pass(found, clock.run, CPU, passes_left=left, **settings)
    return found


def test_a_steady_step_is_settled_with_the_least_repeats(clock):
    found = whole(clock)
    assert found.passes == [4, 4, 4]
    assert (found.steps, found.blocks) == (5, 5)  # 5 ms a block, five blocks a repeat
    assert found.repeats == pytest.approx([0.001] * 12)
    assert found.is_settled(0.02)


def test_a_repeat_is_the_fastest_of_its_blocks(clock):
    bursts = itertools.cycle([0.001] * 20 + [0.003] * 5)  # one block in five is slow
    clock.takes = bursts
    found = whole(clock)
    assert statistics.median(found.repeats) == pytest.approx(0.001)


def test_an_unsteady_step_is_repeated_until_its_median_is_known(clock):
    levels = np.random.default_rng(0).normal(1, 0.08, 10_000)
    clock.takes = (0.001 * level for level in levels for _ in range(25))
    found = whole(clock)
    low, high = found.interval()
    assert found.is_settled(0.02)
    assert len(found.repeats) > 12
    assert (high - low) / 2 <= 0.02 * statistics.median(found.repeats) * 1.01


def test_a_step_that_never_settles_ends_when_its_time_is_up_and_says_so(clock):
    clock.takes = (0.001 * level for level in itertools.cycle([1, 2, 4, 8]) for _ in range(25))
    found = whole(clock, seconds=2.0, precision=0.001)
    assert not found.is_settled(0.001)
    assert 1.5 < clock.now < 3


def test_a_step_longer_than_the_cap_still_has_the_least_repeats(clock):
    clock.takes = itertools.repeat(2.0)
    found = whole(clock, seconds=1.0)
    assert found.passes == [2, 2, 2]
    assert (found.steps, found.blocks) == (1, 1)
    assert found.interval() == (2.0, 2.0)


def test_a_slower_third_pass_does_not_move_the_median_far(clock):
    """Passes lie apart in time: a slow spell that covers one of three leaves the median among the others."""
    clock.takes = itertools.repeat(0.001)
    found = Timing()
    for left in (3, 2):
        add_pass(found, clock.run, CPU, seconds=4.0, precision=0.02, passes_left=left)
    clock.takes = itertools.repeat(0.0013)
    add_pass(found, clock.run, CPU, seconds=0.5, precision=0.02, passes_left=1)
    assert statistics.median(found.repeats[:12]) == pytest.approx(0.001)


def test_parts_are_timed_in_their_order(clock):
    order = []

    def part(name, seconds):
        def run():
            order.append(name)
            clock.now += seconds

        return run

    found = stopwatch.part_seconds([part("forward", 1), part("backward", 2), part("update", 3)], 2, CPU)
    assert order == ["forward", "backward", "update"] * 2
    assert found == [[1, 1], [2, 2], [3, 3]]


def test_latencies_are_of_single_calls(clock):
    assert stopwatch.latencies(clock.run, CPU, most=3, seconds=9) == pytest.approx([0.001] * 3)
    assert len(stopwatch.latencies(clock.run, CPU, most=1000, seconds=0.0105)) == 11


def test_steps_of_a_block_run_in_a_row(clock):
    assert timing.block_seconds(clock.run, 7, CPU) == pytest.approx(0.007)
    assert clock.steps == 7
