"""The bidirectional LSTM."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "bilstm",
    summary="two LSTMs read the window from both ends",
    source="Graves & Schmidhuber 2005, 'Framewise phoneme classification with bidirectional LSTM'",
    tags=("lstm", "bidirectional"),
)
class BiLSTM(nn.Module):
    """Forecast from both directions' final states, each of which has seen the whole window.

    Both directions stay inside the window, so nothing of the future is read.

    forward_t = LSTM_f(x_t, forward_t-1),   backward_t = LSTM_b(x_t, backward_t+1)
    forecast = W [forward_lookback, backward_1] + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(problem.channels, hidden_size, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(2 * hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        # output[:, -1] would hold the backward direction's FIRST state, which has read one step only.
        _, (final_2BH, _) = self.lstm(x)
        return self.head(self.dropout(torch.cat([final_2BH[0], final_2BH[1]], dim=1)))
