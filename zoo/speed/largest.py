"""The largest batch that fits, and the batch with the best throughput on the way there."""

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from zoo.speed.cells import SpeedCell
from zoo.speed.stopwatch import block_seconds
from zoo.speed.workload import Workload

FIRST, MOST = 64, 2**30
CLOSE = 1.1  # the search ends where what fits and what does not are this near


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that memory ran out, on the device or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in said or "can't allocate memory" in said)


def windows_per_second(cell: SpeedCell, batch_size: int, *, seed: int) -> float:
    """Quick throughput of a cell at one batch size: the fastest of three steps after one; raises what a step raises."""
    work = Workload(replace(cell, batch_size=batch_size), batch_size, seed=seed)
    try:
        block_seconds(work.run, 1, work.device)
        return batch_size / min(block_seconds(work.run, 1, work.device) for _ in range(3))
    finally:
        work.close()


def largest(
    cell: SpeedCell, *, seconds: float, seed: int, measure: Callable[..., float] = windows_per_second
) -> tuple[int, dict[str, Any]]:
    """The batch size with the best throughput, and the search: largest that fits, what limited it, what was tried.

    Doubles until memory ends or a size takes `seconds`, then halves the gap to the size that did not fit.
    Raises the error of the first size if even that does not run.
    """
    tried: list[dict[str, Any]] = []

    def fits(batch_size: int) -> bool:
        try:
            rate = measure(cell, batch_size, seed=seed)
        except Exception as error:
            if not tried or not is_out_of_memory(error):
                raise
            tried.append({"batch_size": batch_size, "windows_per_second": None, "error": "out of memory"})
            return False
        finally:
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        tried.append({"batch_size": batch_size, "windows_per_second": rate, "error": None})
        return True

    good, bad, limit = FIRST, 0, "time"
    while True:
        began = time.perf_counter()
        if not fits(good):
            good, bad, limit = good // 2, good, "out of memory"
            break
        if time.perf_counter() - began > seconds or good >= MOST:
            break
        good *= 2
    while bad and bad / good > CLOSE:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    rates = {entry["batch_size"]: entry["windows_per_second"] or 0.0 for entry in tried}
    best = max(rates, key=lambda batch_size: rates[batch_size])
    return best, {"largest": good, "limit": limit, "tried": sorted(tried, key=lambda entry: entry["batch_size"])}
