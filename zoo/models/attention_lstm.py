"""An LSTM whose last state looks back over all its states before it forecasts."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "attention-lstm",
    summary="LSTM with dot-product attention over its states",
    source="Luong, Pham & Manning 2015, section 3.1 (global attention, dot score), the last state as query",
    tags=("lstm", "attention"),
)
class AttentionLSTM(nn.Module):
    """Forecast from the last state joined with an attention-weighted mean of all states.

    A step that resembles the present counts for more than one that is merely recent.
    Activation memory grows as B * L * H.

    weight_t = softmax over t of (state_t . state_lookback)
    recalled = sum over t of weight_t state_t
    forecast = W tanh(M [recalled, state_lookback] + m) + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(problem.channels, hidden_size, batch_first=True)
        self.mix = nn.Linear(2 * hidden_size, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH, _ = self.lstm(x)
        last_BH = states_BLH[:, -1]
        weights_BL = torch.einsum("blh,bh->bl", states_BLH, last_BH).softmax(dim=1)
        recalled_BH = torch.einsum("bl,blh->bh", weights_BL, states_BLH)
        joined_BH = self.mix(torch.cat([recalled_BH, last_BH], dim=1)).tanh()
        return self.head(self.dropout(joined_BH))
