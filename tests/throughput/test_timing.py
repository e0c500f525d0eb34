"""Repeats are added until their median is known well enough, or the time is up."""

import itertools
import statistics

import numpy as np
import pytest
import torch

from zoo.throughput import stopwatch, timing
from zoo.throughput.stopwatch import Reference
from zoo.throughput.timing import Timing, add_pass

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

    timed = Clock()
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: timed.now)
    return timed


def whole(clock, **how):
    timed = Timing()
    settings = {"seconds": 1.0, "precision": 0.02, **how}
    for _ in range(3):
        add_pass(timed, clock.run, CPU, least=2, **settings)
    return timed


def test_a_steady_step_is_settled_with_the_least_repeats(clock):
    timed = whole(clock)
    assert timed.passes == [6, 6, 6]
    assert (timed.steps, timed.blocks) == (3, 5)  # 3 ms a block, five blocks a repeat
    assert timed.repeats == pytest.approx([0.001] * 18)
    assert timed.is_settled(0.02)


def test_a_repeat_is_the_fastest_of_its_blocks(clock):
    bursts = itertools.cycle([0.001] * 3 + [0.003] * 3)  # every other block is slow
    clock.takes = bursts
    timed = whole(clock)
    assert statistics.median(timed.repeats) == pytest.approx(0.001)


def test_an_unsteady_step_is_repeated_until_its_median_is_known(clock):
    levels = np.random.default_rng(0).normal(1, 0.08, 10_000)
    clock.takes = (0.001 * level for level in levels for _ in range(15))
    timed = whole(clock)
    low, high = timed.interval()
    assert timed.is_settled(0.02)
    assert len(timed.repeats) > 18
    assert (high - low) / 2 <= 0.02 * statistics.median(timed.repeats) * 1.01


def test_a_step_that_never_settles_ends_when_its_time_is_up_and_says_so(clock):
    levels = np.random.default_rng(0).normal(1, 0.2, 10_000).clip(0.5)
    clock.takes = (0.001 * level for level in levels for _ in range(15))
    timed = whole(clock, seconds=0.7, precision=0.001)
    assert not timed.is_settled(0.001)
    assert 1.5 < clock.now < 3


def test_a_step_longer_than_the_cap_still_has_the_least_repeats(clock):
    clock.takes = itertools.repeat(2.0)
    timed = whole(clock, seconds=0.3)
    assert timed.passes == [2, 2, 2]
    assert (timed.steps, timed.blocks) == (1, 1)
    assert timed.interval() == (2.0, 2.0)


@pytest.mark.parametrize("slow", [1, 2, 3])
def test_a_pass_that_is_slower_than_another_does_not_count(clock, slow):
    timed = Timing()
    for number in (1, 2, 3):
        clock.takes = itertools.repeat(0.0013 if number == slow else 0.001)
        add_pass(timed, clock.run, CPU, seconds=1.0, least=2, precision=0.02)
    assert timed.passes == [6, 6, 6]
    assert timed.repeats == pytest.approx([0.001] * 12)


def test_passes_within_five_percent_of_the_fastest_count():
    timing = Timing(all_repeats=[(1.0, 0.0)] * 6 + [(1.04, 0.0)] * 6 + [(1.06, 0.0)] * 6, passes=[6, 6, 6])
    assert timing.repeats == [1.0] * 6 + [1.04] * 6


def test_slower_passes_count_until_there_are_six_repeats():
    timing = Timing(all_repeats=[(3.0, 0.0)] * 4 + [(1.0, 0.0)] * 4 + [(2.0, 0.0)] * 4, passes=[4, 4, 4])
    assert timing.repeats == [1.0] * 4 + [2.0] * 4


def test_a_pass_without_a_calm_repeat_does_not_count():
    timing = Timing(Readings(1.0), all_repeats=[(0.1, 1.15)] * 6 + [(0.2, 1.0)] * 6, passes=[6, 6])
    assert timing.repeats == [0.2] * 6


class Readings:
    """A stand-in for the reference, whose readings are given."""

    def __init__(self, *readings):
        self.readings, self.best = itertools.chain(readings, itertools.repeat(readings[-1])), min(readings)

    def seconds(self):
        return next(self.readings)


def test_a_repeat_beside_a_slow_reading_does_not_count():
    timing = Timing(Readings(1.0), all_repeats=[(0.1, 1.0)] * 6 + [(0.2, 1.12)] * 9)
    assert timing.repeats == [0.1] * 6
    assert timing.interval() == (0.1, 0.1)


def test_with_too_few_calm_repeats_all_count():
    timing = Timing(Readings(1.0), all_repeats=[(0.1, 1.0)] * 5 + [(0.2, 1.12)] * 9)
    assert len(timing.repeats) == 14


def test_repeats_are_judged_by_the_best_reading_beside_their_cell():
    """A cell that slows the core down raises every reading beside it."""
    timing = Timing(Readings(1.0), all_repeats=[(0.2, 1.3)] * 6 + [(0.1, 1.15)] * 6)
    assert timing.is_calm and timing.repeats == [0.1] * 6


def test_a_cell_beside_which_no_reading_comes_near_the_best_of_all_met_a_busy_machine():
    timing = Timing(Readings(1.0), all_repeats=[(0.2, 1.45)] * 12)
    assert not timing.is_calm and len(timing.repeats) == 12


def test_a_pass_goes_on_until_it_has_its_calm_repeats(clock):
    timing = Timing(Readings(1.0, 1.2, 1.0, 1.2, 1.0, 1.2, 1.0, 1.0))  # before and after each repeat
    add_pass(timing, clock.run, CPU, seconds=1.0, least=2, precision=0.02)
    assert timing.passes == [9]
    assert [reading for _, reading in timing.all_repeats] == [1.2] * 3 + [1.0] * 6


def test_the_reference_keeps_its_best():
    reference = Reference(best=1e-9)
    assert reference.best == 1e-9
    assert Reference().best <= reference.seconds()


def test_parts_are_timed_in_their_order(clock):
    order = []

    def part(name, seconds):
        def run():
            order.append(name)
            clock.now += seconds

        return run

    timed = stopwatch.part_seconds([part("forward", 1), part("backward", 2), part("update", 3)], 2, CPU)
    assert order == ["forward", "backward", "update"] * 2
    assert timed == [[1, 1], [2, 2], [3, 3]]


def test_latencies_are_of_single_calls(clock):
    assert stopwatch.latencies(clock.run, CPU, most=3, seconds=9) == pytest.approx([0.001] * 3)
    assert len(stopwatch.latencies(clock.run, CPU, most=1000, seconds=0.0105)) == 11


def test_steps_of_a_block_run_in_a_row(clock):
    assert timing.block_seconds(clock.run, 7, CPU) == pytest.approx(0.007)
    assert clock.steps == 7
