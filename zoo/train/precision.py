"""Precision: what a float32 product is rounded to, and autocast to narrower types."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from zoo.errors import InputError


def check_precision(precision: str, device: torch.device) -> None:
    """Raise InputError for a precision that this device does not have."""
    if precision == "float32" or (precision == "bfloat16" and device.type == "cpu"):
        return
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0):
        return
    needs = "CUDA of compute capability 8 or newer" + (" or the CPU" if precision == "bfloat16" else "")
    raise InputError(f"precision {precision} needs {needs}, got device {device.type}; choose float32")


@contextmanager
def float32_rounding(precision: str) -> Iterator[None]:
    """Inside, products of float32 are exact to float32, or with `tf32` rounded to its 10 bits (CUDA only).

    PyTorch lets cuDNN round by default, so float32 is not what it says unless it is said.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    try:
        matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Inside, matrix products and recurrences run in `precision` where that is narrower than float32.

    The cast of a weight is not cached, since a captured CUDA graph must cast it anew at each replay.
    """
    if precision in ("float32", "tf32"):
        return nullcontext()
    return torch.autocast(device.type, getattr(torch, precision), cache_enabled=False)
