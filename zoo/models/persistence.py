"""Baselines that learn nothing: they repeat, continue or average what was seen."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.data.windows import columns
from zoo.errors import InputError
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Int

TAGS = ("baseline", "deterministic")
SOURCE = "Hyndman & Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), 5.2"


@register(
    "naive",
    summary="repeats the last value",
    source=SOURCE,
    tags=TAGS,
    limits={"first step": "only the last one counts"},
)
class Naive(nn.Module):
    """Forecast each target by its last observed value, at every horizon step.

    forecast_h = x_lookback
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.targets, self.horizon = problem.targets, problem.horizon

    def forward(self, x: Tensor) -> Tensor:
        return columns(x[:, -1:], self.targets).expand(-1, self.horizon, -1)


@register(
    "seasonal-naive",
    summary="repeats the last whole season",
    source=SOURCE,
    tags=TAGS,
    limits={
        "period": "must fit into the lookback; the default is min(lookback, 7)",
        "first step": "only those a whole number of periods before the horizon count",
        "last step": "only those a whole number of periods before the horizon count",
    },
)
class SeasonalNaive(nn.Module):
    """Forecast each step by the value one period before it, or by the latest whole number of periods before.

    forecast_h = x at step lookback + h - k period,   k the smallest number that lands in the window

    period: steps of a season, at most the lookback; None is the lookback, at most 7 (a week of days).
    """

    def __init__(self, problem: Problem, *, period: int | None = None) -> None:
        super().__init__()
        period = min(problem.lookback, 7) if period is None else period
        if not 1 <= period <= problem.lookback:
            raise InputError(
                f"seasonal-naive: period must be from 1 to the lookback {problem.lookback}, got {period}; "
                "shorten it or lengthen the lookback"
            )
        self.targets, self.horizon, self.period = problem.targets, problem.horizon, period

    def forward(self, x: Tensor) -> Tensor:
        season_BPD = columns(x[:, -self.period :], self.targets)
        return season_BPD.repeat(1, -(-self.horizon // self.period), 1)[:, : self.horizon]


@register("drift", summary="continues the line from the first to the last value seen", source=SOURCE, tags=TAGS)
class Drift(nn.Module):
    """Forecast the straight line through the first and the last lookback step; of one step, naive.

    forecast_h = x_lookback + h (x_lookback - x_1) / (lookback - 1)
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.targets, self.horizon, self.lookback = problem.targets, problem.horizon, problem.lookback

    def forward(self, x: Tensor) -> Tensor:
        seen_BLD = columns(x, self.targets)
        slope_BD = (seen_BLD[:, -1] - seen_BLD[:, 0]) / max(self.lookback - 1, 1)
        ahead_T1 = torch.arange(1, self.horizon + 1, device=x.device, dtype=x.dtype)[:, None]
        return seen_BLD[:, -1:] + ahead_T1 * slope_BD[:, None]


@register(
    "moving-average",
    summary="repeats the mean of the last values",
    source=SOURCE,
    tags=TAGS,
    limits={"first step": "only the last `window` steps count"},
)
class MovingAverage(nn.Module):
    """Forecast the mean of the last `window` lookback steps (all of them where it is longer).

    forecast_h = mean of x_t,   t from lookback - window + 1 to lookback
    """

    def __init__(self, problem: Problem, *, window: Annotated[int, Int(2, 64, log=True)] = 5) -> None:
        super().__init__()
        if window < 1:
            raise InputError(f"moving-average: window must be >= 1, got {window}")
        self.targets, self.horizon, self.window = problem.targets, problem.horizon, window

    def forward(self, x: Tensor) -> Tensor:
        return columns(x[:, -self.window :], self.targets).mean(dim=1, keepdim=True).expand(-1, self.horizon, -1)
