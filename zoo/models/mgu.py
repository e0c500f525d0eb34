"""The minimal gated unit."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.recurrence import Cell, State
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


class MGUCell(Cell):
    """Blocks in the order f, n."""

    blocks, states = 2, 1

    @staticmethod
    def shapes(size: int) -> dict[str, tuple[int, ...]]:
        return {"forget": (size, size), "candidate": (size, size)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        (hidden,) = state
        z_f, z_n = z.split(len(hidden))
        f = torch.addmm(z_f, weights[0], hidden).sigmoid()
        candidate = torch.addmm(z_n, weights[1], f * hidden).tanh()
        return (hidden + f * (candidate - hidden),)


@register(
    "mgu",
    summary="a minimal gated unit: the one gate both resets and updates the state",
    source="Zhou et al. 2016, 'Minimal gated unit for recurrent neural networks', equations 6 to 8",
    tags=("cell",),
)
class MGU(nn.Module):
    """Forecast from the state at the last lookback step, with half of an LSTM's weights.

    f_t = sigmoid(W_f x_t + U_f state_t-1 + b_f)
    n_t = tanh(W_n x_t + U_n (f_t * state_t-1) + b_n),   state_t = state_t-1 + f_t * (n_t - state_t-1)
    forecast = W state_lookback + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.cells = MGUCell(problem.channels, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH = self.cells(x)
        return self.head(self.dropout(states_BLH[:, -1]))
