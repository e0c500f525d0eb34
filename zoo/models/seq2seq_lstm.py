"""The encoder and decoder: an LSTM reads the window, another writes the forecast step by step."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.data.windows import columns
from zoo.layers.cells import LSTMCell
from zoo.layers.head import Head
from zoo.layers.recurrence import recur
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "seq2seq-lstm",
    summary="an LSTM encoder hands its state to an LSTM decoder that feeds on its own output",
    source="Sutskever et al. 2014, section 2; real numbers for words, no teacher forcing, the window in its order",
    tags=("lstm", "encoder-decoder"),
)
class Seq2SeqLSTM(nn.Module):
    """Forecast each step from the decoder's state, which has seen the forecasts before it.

    state_0, cell_0 = the encoder's last;   y_0 = the targets' last observed values
    state_t, cell_t = LSTM(y_t-1, state_t-1, cell_t-1),   y_t = W state_t + b,   t = 1 .. horizon

    As y is linear in the state, the decoder runs as an LSTM without inputs whose recurrent weight contains the loop:
    V y_t-1 + U state_t-1 = (U + V W) state_t-1 + V b, but for the first step, where y_0 is given.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.targets, self.horizon = problem.targets, problem.horizon
        self.encoder = nn.LSTM(problem.channels, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.decoder = LSTMCell(len(problem.targets), hidden_size)
        self.head = Head(hidden_size, (len(problem.targets),))

    def forward(self, x: Tensor) -> Tensor:
        _, (state_1BH, cell_1BH) = self.encoder(x)
        state_HB, cell_HB = self.dropout(state_1BH[0]).T, cell_1BH[0].T
        out, decoder = self.head.linear, self.decoder
        # What the first step gets in place of W state_0 + b.
        given_DB = columns(x[:, -1], self.targets).T - out.weight @ state_HB - out.bias[:, None]
        inputs_TDB = torch.cat([given_DB[None], given_DB.new_zeros(self.horizon - 1, *given_DB.shape)])
        recurrent = decoder.get_parameter("recurrent") + decoder.input @ out.weight
        bias = decoder.bias + decoder.input @ out.bias
        states_THB = recur(LSTMCell, inputs_TDB, decoder.input, bias, (state_HB, cell_HB), (recurrent,))
        return self.head(states_THB.permute(2, 0, 1).flatten(0, 1)).unflatten(0, (x.shape[0], self.horizon))
