"""Seen: what the variant inside a model sees of a window, and what the model forecasts where it sees something else.

Normalising removes a level (and a scale) from each window before the variant, and restores it in the forecast. What is
explained is the variant: its inputs are changed after that, and the level that is restored stays the window's own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.data.dataset import Samples
from zoo.data.sequences import Sequences
from zoo.errors import InputError
from zoo.layers.model import Model
from zoo.train.predict import EVALUATION_BATCH, predict


@contextmanager
def fed(variant: nn.Module, inputs: Tensor) -> Iterator[None]:
    """Inside, the variant sees `inputs` [B, L, C] whatever it is called with."""
    handle = variant.register_forward_pre_hook(lambda _, arguments: (inputs, *arguments[1:]))
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class Seen:
    """Windows x [n, L, C], scaled, and what the variant sees of them: inputs [n, L, C]."""

    model: Model
    x: Tensor
    inputs: Tensor

    def forecasts(self, inputs: Tensor, x: Tensor | None = None) -> Tensor:
        """The scaled forecasts [n, *output_shape] of windows x (default: its own) whose variant sees `inputs`."""
        x = self.x if x is None else x
        parts = []
        for window, part in zip(x.split(EVALUATION_BATCH), inputs.split(EVALUATION_BATCH), strict=True):
            with fed(self.model.variant, part):
                parts.append(predict(self.model, [window]))
        return torch.cat(parts)


def seen_of(model: Model, windows: Samples) -> Seen:
    """What a model's variant sees of windows.

    Raises InputError for sequences that are not equally long, and for a variant that looks at none of them.
    """
    if isinstance(windows, Sequences) and not windows.is_even:
        shortest, longest = int(windows.lengths.min()), int(windows.lengths.max())
        raise InputError(
            f"a lag must be the same step of every case, and the cases have {shortest} to {longest} steps: cut them to "
            "one length"
        )
    inputs: list[Tensor] = []
    handle = model.variant.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0].detach().clone()))
    try:
        x = torch.cat([x for x, _ in windows.batches(EVALUATION_BATCH)])
        predict(model, x.split(EVALUATION_BATCH))
    finally:
        handle.remove()
    if not inputs:
        raise InputError("this model looks at no input, so there is nothing to explain: it repeats what is usual")
    return Seen(model, x, torch.cat(inputs))
