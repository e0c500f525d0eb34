"""The largest batch that fits, and the batch with the best throughput on the way there."""

import gc
import math
import time
from collections.abc import Callable

import torch

from zoo.cell import BatchSearch, SpeedCell, TriedBatch
from zoo.throughput.stopwatch import block_seconds
from zoo.throughput.workload import Workload

FIRST, MOST = 64, 2**30
CLOSE = 1.1  # the search ends where the ratio of the smallest that fails to the largest that fits is below this


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that memory ran out, on the device or on the host."""
    texts = ("out of memory", "can't allocate memory")
    is_reported = isinstance(error, RuntimeError) and any(text in str(error).lower() for text in texts)
    return is_reported or isinstance(error, torch.OutOfMemoryError | MemoryError)


def free_memory() -> None:
    """Give back what no tensor uses any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def windows_per_second(cell: SpeedCell, batch_size: int, *, seed: int) -> float:
    """Quick throughput of a cell at one batch size: the fastest of three steps after one; raises what a step raises."""
    work = Workload(cell, batch_size, seed=seed)
    try:
        block_seconds(work.run, 1, work.device)
        return batch_size / min(block_seconds(work.run, 1, work.device) for _ in range(3))
    finally:
        work.close()


def largest(
    cell: SpeedCell, *, seconds: float, seed: int, measure: Callable[..., float] = windows_per_second
) -> tuple[int, BatchSearch]:
    """The batch size with the best throughput, and the search: largest that fits, what limited it, what was tried.

    Doubles until memory ends or a size takes `seconds` more than the smallest, then halves the gap to the size that did
    not fit. Raises the error of the first size if even that does not run.
    """
    rates: dict[int, float] = {}  # 0 where memory ran out

    def fits(batch_size: int) -> bool:
        try:
            rates[batch_size] = measure(cell, batch_size, seed=seed)
        except Exception as error:
            if batch_size == FIRST or not is_out_of_memory(error):
                raise
            rates[batch_size] = 0.0
        finally:
            free_memory()
        return rates[batch_size] > 0

    good, bad, limit = FIRST, 0, "time"
    fits(FIRST)  # the first step in a process pays for what torch sets up once
    overhead = math.inf  # of building a model and collecting garbage, as the smallest size shows it
    while True:
        began = time.perf_counter()
        if not fits(good):
            good, bad, limit = good // 2, good, "out of memory"
            break
        spent = time.perf_counter() - began
        overhead = min(overhead, spent)
        if spent - overhead > seconds or good >= MOST:
            break
        good *= 2
    while bad and bad / good > CLOSE:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    tried = tuple(
        TriedBatch(batch_size=size, windows_per_second=rate or None, error=None if rate else "out of memory")
        for size, rate in sorted(rates.items())
    )
    return max(rates, key=lambda size: rates[size]), BatchSearch(largest=good, limit=limit, tried=tried)
