"""Linear maps to a forecast of all horizon steps: Head, from features; OwnLookback, from each target's own past."""

import math

import torch
from torch import Tensor, nn

from zoo.data.windows import columns
from zoo.problem import Problem


class Head(nn.Module):
    """A linear map from features [B, F], of the last lookback step for instance, to a forecast [B, *output_shape]."""

    def __init__(self, features: int, output_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.output_shape = output_shape
        self.linear = nn.Linear(features, math.prod(output_shape))

    def start_at_zero(self) -> None:
        """Set weights and bias to zero, so that the first forecast is zero (a zero last layer: Zhang, Dauphin
        & Ma 2019, "Fixup Initialization", section 3)."""
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features_BF: Tensor) -> Tensor:
        return self.linear(features_BF).unflatten(1, self.output_shape)


class OwnLookback(nn.Module):
    """A linear map x [B, L, C] -> [B, T, D]: weight [D, T, L], bias [D, T], one matrix per target; starts at zero.

    forecast of target d = A_d x[:, d] + a_d
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.targets = problem.targets
        self.weight = nn.Parameter(torch.zeros(len(self.targets), problem.horizon, problem.lookback))
        self.bias = nn.Parameter(torch.zeros(len(self.targets), problem.horizon))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bld,dtl->btd", columns(x, self.targets), self.weight) + self.bias.T
