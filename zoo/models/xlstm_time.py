"""xLSTMTime: a trend, a remainder, linear maps of both, and an sLSTM."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.decompose import decomposed
from zoo.layers.head import Head, OwnLookback
from zoo.layers.slstm import SLSTMCell
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int

WIDTH = 25


@register(
    "xlstm-time",
    summary="an sLSTM over trend and remainder, beside linear maps of both",
    source="Alharthi & Mahmood 2024, 'xLSTMTime: long-term time series forecasting with xLSTM', section 3; the sLSTM"
    " reads steps beside the linear maps, where theirs reads channels behind them; layer for batch "
    "normalisation",
    tags=("lstm", "xlstm"),
    limits={"parameters": "grow as lookback: the linear maps have a weight for each step"},
)
class XLSTMTime(nn.Module):
    """Forecast the sum of linear maps from each target's own trend and remainder and of what the sLSTM's state adds.

    trend = moving average of x over 25 steps,   rest = x - trend
    e_t = E [trend_t, rest_t] + e,   state_t = sLSTM(e_t, state_t-1)
    forecast of target d = A_d trend[:, d] + B_d rest[:, d] + a_d + W_d N(e_lookback + state_lookback) + b_d
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.of_trend, self.of_rest = OwnLookback(problem), OwnLookback(problem)
        self.embed = nn.Linear(2 * problem.channels, hidden_size)
        self.slstm = SLSTMCell(hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        trend_BLC, rest_BLC = decomposed(x, WIDTH)
        embedded_BLH = self.embed(torch.cat([trend_BLC, rest_BLC], dim=2))
        last_BH = self.norm(embedded_BLH[:, -1] + self.slstm(embedded_BLH)[:, -1])
        return self.of_trend(trend_BLC) + self.of_rest(rest_BLC) + self.head(self.dropout(last_BH))
