"""The dual-stage attention RNN: attention over channels at each step, then over steps."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.data.windows import columns
from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "da-rnn",
    summary="an LSTM over attention-weighted channels, and a second one that attends to its steps",
    source="Qin et al. 2017, 'A dual-stage attention-based recurrent neural network for time series prediction', "
    "section 3; the targets are among the channels, all steps known, and one head writes the whole horizon",
    tags=("lstm", "attention", "encoder-decoder"),
    limits={
        "parameters": "grow as lookback: attention weighs channels by their whole course",
        "memory": "grows as lookback^2: each step weighs the whole window",
        "speed": "both recurrences are loops in Python, since each step weighs the whole window",
    },
)
class DARNN(nn.Module):
    """Forecast from the decoder's last state and what it recalls of the encoder's states.

    a_t = softmax over channels c of v' tanh(P [state_t-1, cell_t-1] + R x[:, c])
    state_t, cell_t = LSTM(C a_t * x_t, state_t-1, cell_t-1),   C: the number of channels
    b_t = softmax over l of w' tanh(S [d_t-1, e_t-1] + T state_l),   r_t = sum over l of b_t,l state_l
    d_t, e_t = LSTM(y_t and r_t mixed, d_t-1, e_t-1),   y: the targets' columns
    forecast = W [d_lookback, r_lookback] + b

    Both recurrences are loops in Python, since each step weighs the whole window: expect a tenth of an LSTM's speed.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 128, log=True)] = 32,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.targets, self.hidden_size, targets = problem.targets, hidden_size, len(problem.targets)
        self.channel_key = nn.Linear(problem.lookback, hidden_size)
        self.channel_query = nn.Linear(2 * hidden_size, hidden_size, bias=False)
        self.channel_score = nn.Linear(hidden_size, 1, bias=False)
        self.encoder = nn.LSTMCell(problem.channels, hidden_size)
        self.step_key = nn.Linear(hidden_size, hidden_size)
        self.step_query = nn.Linear(2 * hidden_size, hidden_size, bias=False)
        self.step_score = nn.Linear(hidden_size, 1, bias=False)
        self.mix = nn.Linear(targets + hidden_size, targets)
        self.decoder = nn.LSTMCell(targets, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(2 * hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        zero_BH = x.new_zeros(x.shape[0], self.hidden_size)
        keys_BCH = self.channel_key(x.transpose(1, 2))
        state_BH, cell_BH = zero_BH, zero_BH
        states = []
        for x_BC in x.unbind(1):
            query_BH = self.channel_query(torch.cat([state_BH, cell_BH], dim=1))
            weights_BC1 = self.channel_score((keys_BCH + query_BH[:, None]).tanh()).softmax(dim=1)
            # Times the number of channels, so that even weights leave the input as it is.
            state_BH, cell_BH = self.encoder(weights_BC1[..., 0] * x_BC * x.shape[2], (state_BH, cell_BH))
            states.append(state_BH)
        states_BLH = torch.stack(states, dim=1)
        keys_BLH = self.step_key(states_BLH)
        state_BH, cell_BH, recalled_BH = zero_BH, zero_BH, zero_BH
        for y_BD in columns(x, self.targets).unbind(1):
            query_BH = self.step_query(torch.cat([state_BH, cell_BH], dim=1))
            weights_BL1 = self.step_score((keys_BLH + query_BH[:, None]).tanh()).softmax(dim=1)
            recalled_BH = (weights_BL1 * states_BLH).sum(dim=1)
            state_BH, cell_BH = self.decoder(self.mix(torch.cat([y_BD, recalled_BH], dim=1)), (state_BH, cell_BH))
        return self.head(self.dropout(torch.cat([state_BH, recalled_BH], dim=1)))
