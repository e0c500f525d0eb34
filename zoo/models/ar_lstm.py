"""The LSTM beside a linear map: what is linear in a target's own past need not pass through the recurrence."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.head import Head, OwnLookback
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "ar-lstm",
    summary="an LSTM adds to a linear map from each target's own lookback",
    source="Lai et al. 2018 (LSTNet), the autoregressive component beside the recurrent one; here an LSTM, "
    "no convolution, and a separate linear map for each target and horizon step",
    tags=("lstm",),
)
class ARLSTM(nn.Module):
    """Forecast the sum of a linear map and what the last state adds to it.

    state_t = LSTM(x_t, state_t-1)
    forecast of target d = A_d x[:, d] + a_d + W_d state_lookback + b_d
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.linear = OwnLookback(problem)
        self.lstm = nn.LSTM(problem.channels, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH, _ = self.lstm(x)
        return self.linear(x) + self.head(self.dropout(states_BLH[:, -1]))
