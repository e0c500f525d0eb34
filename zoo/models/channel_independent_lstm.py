"""One LSTM for all targets, each from its own column."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.independent import ChannelIndependent
from zoo.models.lstm import LSTM
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "channel-independent-lstm",
    summary="one LSTM forecasts every target from its own column alone",
    source="Nie et al. 2023 (PatchTST), section 3.1, channel independence, around lstm",
    tags=("lstm",),
)
class ChannelIndependentLSTM(nn.Module):
    """Forecast each target by the same LSTM, which sees this target's column only.

    state_t of target d = LSTM(x_t[d], state_t-1 of target d)
    forecast of target d = W state_lookback of target d + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.each = ChannelIndependent(problem, lambda own: LSTM(own, hidden_size=hidden_size, dropout=dropout))

    def forward(self, x: Tensor) -> Tensor:
        forecast_BTD: Tensor = self.each(x)
        return forecast_BTD
