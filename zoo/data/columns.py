"""columns: some channels of a tensor, without a list that would be copied to the device at every call."""

from collections.abc import Sequence

import torch
from torch import Tensor


def columns(x: Tensor, numbers: Sequence[int]) -> Tensor:
    """x [..., C] at the channels `numbers`, in that order: [..., len(numbers)]; a view where they are neighbours.

    Indexing by a list makes a GPU wait for the copy of that list, and a CUDA graph cannot hold that.
    """
    first, last = numbers[0], numbers[-1]
    if tuple(numbers) == tuple(range(first, last + 1)):
        return x[..., first : last + 1]
    return torch.stack([x[..., number] for number in numbers], dim=-1)
