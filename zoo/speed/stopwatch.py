"""Stopwatch: seconds of steps on a device; on an accelerator the host never waits inside what is timed."""

import time
from collections.abc import Callable, Sequence

import torch

Part = Callable[[], object]


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def block_seconds(run: Part, steps: int, device: torch.device) -> float:
    """Seconds of `steps` steps in a row: between two CUDA events and one wait at the end, or on the host's clock."""
    if device.type == "cuda":
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        for _ in range(steps):
            run()
        last.record()
        last.synchronize()
        return first.elapsed_time(last) / 1e3
    synchronise(device)
    started = time.perf_counter()
    for _ in range(steps):
        run()
    synchronise(device)
    return time.perf_counter() - started


def part_seconds(parts: Sequence[Part], steps: int, device: torch.device) -> list[list[float]]:
    """Seconds of each part in each of `steps` steps, by events where there are any, without a wait between."""
    if device.type == "cuda":
        marks = [[torch.cuda.Event(enable_timing=True) for _ in range(len(parts) + 1)] for _ in range(steps)]
        for row in marks:
            row[0].record()
            for part, mark in zip(parts, row[1:], strict=True):
                part()
                mark.record()
        synchronise(device)
        return [[row[n].elapsed_time(row[n + 1]) / 1e3 for row in marks] for n in range(len(parts))]
    found: list[list[float]] = [[] for _ in parts]
    for _ in range(steps):
        for part, seconds in zip(parts, found, strict=True):
            synchronise(device)
            started = time.perf_counter()
            part()
            synchronise(device)
            seconds.append(time.perf_counter() - started)
    return found


def latencies(run: Part, device: torch.device, *, most: int, seconds: float) -> list[float]:
    """Seconds that a caller waits for each of single calls, until `most` of them or `seconds` in all."""
    found: list[float] = []
    synchronise(device)
    began = time.perf_counter()
    while len(found) < most and time.perf_counter() - began < seconds:
        started = time.perf_counter()
        run()
        synchronise(device)
        found.append(time.perf_counter() - started)
    return found
