"""OwnLookback: each target's horizon as a weighted sum of its own lookback."""

import torch
from torch import Tensor, nn

from zoo.data.columns import columns
from zoo.problem import Problem


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
