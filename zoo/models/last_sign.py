"""The baseline that goes on in the direction of the last change."""

import torch
from torch import Tensor, nn

from zoo.data.windows import columns
from zoo.problem import Problem
from zoo.registry import register


@register(
    "last-sign",
    summary="goes on in the direction of the last change, by the mean step of the lookback",
    source="our own: the naive method of Forecasting: Principles and Practice (3rd ed.), 5.2, for the direction of a "
    "value in place of the value",
    tags=("baseline", "deterministic"),
)
class LastSign(nn.Module):
    """Forecast each target to move as it last did, by its mean absolute step, once for each step of the horizon.

    forecast_h = x_L + h sign(x_L - x_(L-1)) mean |x_t - x_(t-1)|,   L the lookback

    A lookback of one step has no last change, and its value is repeated. For `--direction` and `--flat` this is the
    baseline that knows the last sign and nothing else.
    """

    steps_T1: Tensor

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.targets = problem.targets
        self.register_buffer("steps_T1", torch.arange(1.0, problem.horizon + 1)[:, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x_BLD = columns(x, self.targets)
        changes_BLD = x_BLD.diff(dim=1)
        if not changes_BLD.shape[1]:
            return x_BLD.expand(-1, len(self.steps_T1), -1)
        step_B1D = changes_BLD[:, -1:].sign() * changes_BLD.abs().mean(dim=1, keepdim=True)
        return x_BLD[:, -1:] + self.steps_T1 * step_B1D
