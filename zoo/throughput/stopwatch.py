"""Stopwatch: seconds of steps on a device, how fast the machine is at this moment, and what it can do at most.

torch.utils.benchmark times what is measured once and in bulk (`fastest`). The repeats of a cell have a stopwatch of
their own: Timer.blocked_autorange takes its blocks back to back, while a repeat here stands between two readings of the
reference, so that a busy machine shows; Timer.timeit adds two steps of warm-up to each block, which may take seconds
here; and both wait for the device on the host's clock, where CUDA events time the device itself.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch.utils.benchmark import Timer

from zoo.train.step import float32_rounding

Part = Callable[[], object]
SIDE = {"cpu": 1024, "cuda": 8192, "mps": 4096}  # of the square matrices of the ceiling
BYTES = {"cpu": 2**28, "cuda": 2**30, "mps": 2**28}  # of the tensor that is copied: far beyond any cache
SENSORS = {
    "sm_mhz": "clocks.sm",
    "memory_mhz": "clocks.mem",
    "temperature": "temperature.gpu",
    "throttle": "clocks_event_reasons.active",
}  # our names, and those of nvidia-smi


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished all its work."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


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
    if device.type != "cuda":
        rounds = [[block_seconds(part, 1, device) for part in parts] for _ in range(steps)]
        return [list(seconds) for seconds in zip(*rounds, strict=True)]
    marks = [[torch.cuda.Event(enable_timing=True) for _ in range(len(parts) + 1)] for _ in range(steps)]
    for row in marks:
        row[0].record()
        for part, mark in zip(parts, row[1:], strict=True):
            part()
            mark.record()
    synchronise(device)
    return [[row[n].elapsed_time(row[n + 1]) / 1e3 for row in marks] for n in range(len(parts))]


def latencies(run: Part, device: torch.device, *, most: int, seconds: float) -> list[float]:
    """Seconds that a caller waits for each of single calls, until `most` of them or `seconds` in all."""
    waits: list[float] = []
    synchronise(device)
    began = time.perf_counter()
    while len(waits) < most and time.perf_counter() - began < seconds:
        started = time.perf_counter()
        run()
        synchronise(device)
        waits.append(time.perf_counter() - started)
    return waits


def fastest(run: Part, device: torch.device, *, seconds: float) -> float:
    """Seconds of a step: the fastest block of torch's Timer, which runs for at least `seconds`."""

    def whole() -> None:
        run()
        synchronise(device)

    timer = Timer("whole()", globals={"whole": whole}, num_threads=torch.get_num_threads())
    return min(timer.blocked_autorange(min_run_time=seconds).times)


def ceilings(device: str, dtype: str) -> dict[str, float]:
    """What the device can do at most on the process's threads: FLOP/s of a large matrix product in `dtype`, and bytes/s
    (read and written) of a large copy."""
    place, side = torch.device(device), SIDE[device]
    numbers = torch.randn(3, side, side, device=place).to(getattr(torch, dtype, torch.float32))
    source = torch.ones(BYTES[device] // 4, device=place)
    target = torch.empty_like(source)
    with torch.inference_mode(), float32_rounding(dtype):
        matrix = fastest(lambda: torch.mm(numbers[0], numbers[1], out=numbers[2]), place, seconds=0.3)
        copy = fastest(lambda: target.copy_(source), place, seconds=0.3)
    return {"flops_per_second": 2 * side**3 / matrix, "bytes_per_second": 2 * BYTES[device] / copy}


def clocks(device: str) -> dict[str, Any]:
    """The processor's clock in MHz, and on CUDA the GPU's clocks, temperature and reasons to throttle."""
    values: dict[str, Any] = {"cpu_mhz": None}
    with suppress(OSError, ZeroDivisionError):  # not Linux, or a processor that does not report its clock
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        speeds = [float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")]
        values["cpu_mhz"] = round(sum(speeds) / len(speeds), 1)
    if device == "cuda":
        values |= dict.fromkeys(SENSORS)
        query = ["nvidia-smi", f"--query-gpu={','.join(SENSORS.values())}", "--format=csv,noheader,nounits", "--id=0"]
        with suppress(OSError, subprocess.SubprocessError, ValueError):
            line = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
            values |= dict(zip(SENSORS, [word.strip() for word in line.split(",")], strict=True))
    return values


class Reference:
    """A fixed piece of work: matrix products within a core's own cache and copies beyond it; `best` is the fastest yet.

    On a shared machine clocks, the shared cache and memory come and go with the neighbours, in spells of milliseconds
    to minutes. Work between two slow readings was slowed too, and says nothing of the work. Products alone miss most
    spells: training steps slow down as copies do.
    """

    SIDE, PRODUCTS, NUMBERS, COPIES, TRIES = 128, 5, 2**20, 2, 3  # 0.4 ms a try, half of it products, half copies
    CALIBRATION_SECONDS = 0.3

    def __init__(self, best: float | None = None) -> None:
        random = torch.Generator().manual_seed(0)
        self._left, self._right = (torch.randn(self.SIDE, self.SIDE, generator=random) for _ in range(2))
        self._product = torch.empty(self.SIDE, self.SIDE)
        self._source, self._copy = torch.randn(self.NUMBERS, generator=random), torch.empty(self.NUMBERS)
        self.best = best if best is not None else float("inf")
        began = time.perf_counter()
        while time.perf_counter() - began < self.CALIBRATION_SECONDS:
            self.seconds()

    def seconds(self) -> float:
        """Its time now: the fastest of a few tries."""
        reading = min(block_seconds(self._once, 1, torch.device("cpu")) for _ in range(self.TRIES))
        self.best = min(self.best, reading)
        return reading

    @torch.inference_mode()
    def _once(self) -> None:
        for _ in range(self.PRODUCTS):
            torch.mm(self._left, self._right, out=self._product)
        for _ in range(self.COPIES):
            self._copy.copy_(self._source)
