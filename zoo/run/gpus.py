"""GPUs: each worker of a run on CUDA gets one GPU for itself, as far as there are any."""

import os
import threading
from collections import Counter

from zoo.errors import InputError

VISIBLE = "CUDA_VISIBLE_DEVICES"  # CUDA's own: the GPUs that a process sees, in the order in which it counts them
_workers: Counter[str] = Counter()
_lock = threading.Lock()


def gpus() -> list[str]:
    """The GPUs that this process sees, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.cuda.device_count()
    return (_visible() or [str(number) for number in range(count)])[:count]


def take() -> str | None:
    """The GPU with the fewest workers, for one more; None where there is none."""
    every = gpus()
    with _lock:
        name = min(every, key=lambda gpu: _workers[gpu], default=None)
        if name is not None:
            _workers[name] += 1
    return name


def give_back(gpu: str) -> None:
    """Return a GPU that a worker took."""
    with _lock:
        _workers[gpu] -= 1


def see_only(device: str) -> str:
    """For cuda:N, let this process and its workers see the GPU number N alone, from 0, and call it cuda.

    Any other name is returned as it is. Call it before the first use of CUDA. Raises InputError.
    """
    name, colon, number = device.partition(":")
    if name != "cuda" or not colon:
        return device
    if not (number.isascii() and number.isdecimal()):
        raise InputError(f"device must be auto, cpu, cuda, cuda:N (a GPU, counted from 0) or mps, got {device}")
    visible = _visible()
    if visible is not None and int(number) >= len(visible):
        raise InputError(f"device {device} is not among the GPUs that {VISIBLE} names: {os.environ[VISIBLE]}")
    os.environ[VISIBLE] = number if visible is None else visible[int(number)]
    return name


def _visible() -> list[str] | None:
    names = os.environ.get(VISIBLE)
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]
