"""Baselines that learn nothing: they repeat, continue or average what was seen."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Int

TAGS = ("baseline", "deterministic")


@register("naive", summary="repeats the last value", source="Hyndman & Athanasopoulos, FPP3, 5.2", tags=TAGS)
class Naive(nn.Module):
    """Forecast each target by its last observed value, at every horizon step."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.targets, self.horizon = list(problem.targets), problem.horizon

    def forward(self, x: Tensor) -> Tensor:
        return x[:, -1:, self.targets].expand(-1, self.horizon, -1)
