"""Ceilings: what this device can do at most, measured at the start of a run."""

from collections.abc import Callable

import torch

from zoo.speed.stopwatch import block_seconds
from zoo.train.step import float32_rounding

SIDE = {"cpu": 1024, "cuda": 8192, "mps": 4096}  # of the square matrices
BYTES = {"cpu": 2**28, "cuda": 2**30, "mps": 2**28}  # of the tensor that is copied: far beyond any cache
REPEATS = 10


def ceilings(device: str, dtype: str) -> dict[str, float]:
    """FLOP/s of a large matrix product in `dtype`, and bytes/s (read plus written) of a large copy.

    Each is the fastest of several repeats, since a ceiling is what can be reached, on the process's threads.
    """
    place = torch.device(device)
    kind = getattr(torch, dtype, torch.float32)
    side = SIDE[device]
    left, right = (torch.randn(side, side, device=place).to(kind) for _ in range(2))
    product = torch.empty(side, side, device=place, dtype=kind)
    source = torch.ones(BYTES[device] // 4, device=place)
    target = torch.empty_like(source)
    with torch.inference_mode(), float32_rounding(dtype):
        matrix = _fastest(lambda: torch.mm(left, right, out=product), place)
        copy = _fastest(lambda: target.copy_(source), place)
    return {"flops_per_second": 2 * side**3 / matrix, "bytes_per_second": 2 * BYTES[device] / copy}


def _fastest(run: Callable[[], object], device: torch.device) -> float:
    block_seconds(run, 2, device)
    return min(block_seconds(run, 1, device) for _ in range(REPEATS))
