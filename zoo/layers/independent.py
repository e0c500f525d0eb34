"""One model for every target, each from its own column."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from zoo.data.windows import columns
from zoo.problem import Problem


class ChannelIndependent(nn.Module):
    """Any variant as a model of one column, which all targets share: x [B, L, C] -> [B, T, D].

    build: makes the variant for the problem of a single column, ChannelIndependent(problem, lambda own: LSTM(own)).
    Columns that are no targets are not used. Source: Nie et al. 2023, PatchTST, section 3.1 (channel independence).
    """

    def __init__(self, problem: Problem, build: Callable[[Problem], nn.Module]) -> None:
        super().__init__()
        self.targets = problem.targets
        self.shared = build(replace(problem, channels=1, targets=(0,), output_shape=(problem.horizon, 1)))

    def forward(self, x: Tensor) -> Tensor:
        own_BDL = columns(x, self.targets).transpose(1, 2)
        forecast_XT1 = self.shared(own_BDL.flatten(0, 1)[..., None])
        return forecast_XT1[..., 0].unflatten(0, (x.shape[0], len(self.targets))).transpose(1, 2)
