"""Committee: several variants in one, each trained alone, whose forecasts are averaged."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from zoo.layers.normalised import Normalised
from zoo.problem import Problem

TINY = 1e-12  # of scaled units squared: members without any error weigh the same


class Committee(nn.Module):
    """The weighted mean of its members' forecasts: x [B, L, C] -> [B, T, D].

    forecast of target d = sum over members k of w_k,d * forecast of member k,   sum over k of w_k,d = 1

    `fit` trains each member as a model of its own, with its own early stopping, and then weighs them. Until then, and
    where there is no validation part, they weigh the same. A member may also be a variant that is solved.
    """

    def __init__(self, problem: Problem, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(Normalised(member, problem) for member in members)
        self.weights_KD: Tensor
        self.register_buffer("weights_KD", torch.full((len(self.members), len(problem.targets)), 1 / len(self.members)))

    @torch.no_grad()
    def weigh(self, errors_KD: Tensor) -> None:
        """Give each member a weight inverse to its mean squared error on validation windows, [members, targets].

        Source: Bates & Granger 1969, 'The combination of forecasts', equation 2, without the errors' correlations.
        """
        lowest_D = errors_KD.amin(dim=0)
        ratios_KD = (lowest_D + TINY) / (errors_KD + TINY)
        self.weights_KD.copy_(ratios_KD / ratios_KD.sum(dim=0))

    def forward(self, x: Tensor) -> Tensor:
        forecasts_KBTD = torch.stack([member(x) for member in self.members])
        return torch.einsum("kbtd,kd->btd", forecasts_KBTD, self.weights_KD)
