"""Normalised without channels that have no level to remove: a calendar, or marks of what was filled in."""

import torch
from torch import Tensor, nn

from zoo.layers.normalised import Normalised
from zoo.problem import Problem


class WithPlain(Normalised):
    """Normalised, whose level and scale leave the channels problem.plain as they are.

    It is a class of its own because the code of Normalised is part of every row's key: a change there would ask for all
    rows to be measured again.
    """

    def __init__(self, variant: nn.Module, problem: Problem) -> None:
        super().__init__(variant, problem)
        self.is_plain_C: Tensor
        is_plain = torch.zeros(problem.channels, dtype=torch.bool)
        is_plain[list(problem.plain)] = True
        self.register_buffer("is_plain_C", is_plain, persistent=False)

    def _level_and_scale(self, x_BLC: Tensor) -> tuple[Tensor | None, Tensor | None]:
        level_B1C, scale_B1C = super()._level_and_scale(x_BLC)
        if level_B1C is not None:
            level_B1C = level_B1C.masked_fill(self.is_plain_C, 0.0)
        if scale_B1C is not None:
            scale_B1C = scale_B1C.masked_fill(self.is_plain_C, 1.0)
        return level_B1C, scale_B1C
