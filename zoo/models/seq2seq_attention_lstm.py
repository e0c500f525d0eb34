"""The encoder and decoder with attention: at each forecast step the decoder looks back over the window."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.data.windows import columns
from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "seq2seq-attention-lstm",
    summary="an LSTM decoder that at each step looks back over the encoder's states",
    source="Bahdanau et al. 2015, section 3.1 and appendix A.1.2; LSTMs for gated units, one direction, real numbers"
    " for words, no teacher forcing",
    tags=("lstm", "encoder-decoder", "attention"),
)
class Seq2SeqAttentionLSTM(nn.Module):
    """Forecast each step from the decoder's state and what it recalls of the window.

    weight_l = softmax over l of v' tanh(U h_l + Q state_t-1),   c_t = sum over l of weight_l h_l,   h: encoder's states
    state_t, cell_t = LSTM([y_t-1, c_t], state_t-1, cell_t-1),   y_t = W [state_t, c_t] + b,   t = 1 .. horizon

    The decoder is a loop in Python: its cost grows as lookback * horizon.
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
        self.key = nn.Linear(hidden_size, hidden_size)
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.score = nn.Linear(hidden_size, 1, bias=False)
        self.decoder = nn.LSTMCell(len(problem.targets) + hidden_size, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(2 * hidden_size, (len(problem.targets),))

    def forward(self, x: Tensor) -> Tensor:
        states_BLH, (state_1BH, cell_1BH) = self.encoder(x)
        keys_BLH = self.key(states_BLH)
        state_BH, cell_BH = state_1BH[0], cell_1BH[0]
        y_BD = columns(x[:, -1], self.targets)
        forecasts = []
        for _ in range(self.horizon):
            scores_BL1 = self.score((keys_BLH + self.query(state_BH)[:, None]).tanh())
            recalled_BH = (scores_BL1.softmax(dim=1) * states_BLH).sum(dim=1)
            state_BH, cell_BH = self.decoder(torch.cat([y_BD, recalled_BH], dim=1), (state_BH, cell_BH))
            y_BD = self.head(self.dropout(torch.cat([state_BH, recalled_BH], dim=1)))
            forecasts.append(y_BD)
        return torch.stack(forecasts, dim=1)
