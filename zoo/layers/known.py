"""Normalised without the channels that are known in advance: a calendar has no level to remove."""

import torch
from torch import Tensor, nn

from zoo.layers.normalised import Normalised
from zoo.problem import Problem


class WithKnown(Normalised):
    """Normalised, whose level and scale leave the channels problem.known as they are."""

    def __init__(self, variant: nn.Module, problem: Problem) -> None:
        super().__init__(variant, problem)
        self.is_known_C: Tensor
        is_known = torch.zeros(problem.channels, dtype=torch.bool)
        is_known[list(problem.known)] = True
        self.register_buffer("is_known_C", is_known, persistent=False)

    def _level_and_scale(self, x_BLC: Tensor) -> tuple[Tensor | None, Tensor | None]:
        level_B1C, scale_B1C = super()._level_and_scale(x_BLC)
        if level_B1C is not None:
            level_B1C = level_B1C.masked_fill(self.is_known_C, 0.0)
        if scale_B1C is not None:
            scale_B1C = scale_B1C.masked_fill(self.is_known_C, 1.0)
        return level_B1C, scale_B1C


def normalised(variant: nn.Module, problem: Problem) -> Normalised:
    """The variant inside what problem.normalise adds to it."""
    return WithKnown(variant, problem) if problem.known else Normalised(variant, problem)
