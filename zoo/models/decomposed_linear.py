"""The linear baselines of the LTSF benchmark, whose weights all targets share."""

from typing import Annotated

from torch import Tensor, nn

from zoo.data.windows import columns
from zoo.errors import InputError
from zoo.layers.decompose import decomposed
from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Int

PAPER = "Zeng et al. 2023, 'Are Transformers Effective for Time Series Forecasting?', section 4"
LIMITS = {"parameters": "grow as lookback, one weight for each step"}


@register(
    "dlinear",
    summary="trained linear maps from the trend and the remainder of each target's lookback, shared by the targets",
    source=f"{PAPER} (DLinear)",
    tags=("baseline",),
    limits=LIMITS,
)
class DLinear(nn.Module):
    """Forecast the sum of two linear maps, the same for all targets.

    trend = moving average of x over `width` steps,   forecast of target d = A trend[:, d] + B (x - trend)[:, d] + a
    """

    def __init__(self, problem: Problem, *, width: Annotated[int, Int(3, 51)] = 25) -> None:
        super().__init__()
        if width < 1:
            raise InputError(f"dlinear: width must be >= 1, got {width}")
        self.targets = problem.targets
        self.width = width // 2 * 2 + 1  # an average is centred over an odd number of steps
        self.of_trend = Head(problem.lookback, (problem.horizon,))
        self.of_rest = Head(problem.lookback, (problem.horizon,))

    def forward(self, x: Tensor) -> Tensor:
        trend_BLD, rest_BLD = decomposed(columns(x, self.targets), self.width)
        return shared(self.of_trend, trend_BLD) + shared(self.of_rest, rest_BLD)


@register(
    "nlinear",
    summary="a trained linear map from each target's lookback less its last value, shared by the targets",
    source=f"{PAPER} (NLinear)",
    tags=("baseline",),
    limits=LIMITS,
)
class NLinear(nn.Module):
    """Forecast the last value and a linear map of what came before it, the same for all targets.

    forecast of target d = x_lookback[d] + A (x[:, d] - x_lookback[d]) + a
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.targets = problem.targets
        self.map = Head(problem.lookback, (problem.horizon,))

    def forward(self, x: Tensor) -> Tensor:
        own_BLD = columns(x, self.targets)
        last_B1D = own_BLD[:, -1:]
        return last_B1D + shared(self.map, own_BLD - last_B1D)


def shared(head: Head, own_BLD: Tensor) -> Tensor:
    """The head's forecast of each column, [B, T, D]."""
    forecast_XT: Tensor = head(own_BLD.transpose(1, 2).flatten(0, 1))
    return forecast_XT.unflatten(0, (own_BLD.shape[0], -1)).transpose(1, 2)
