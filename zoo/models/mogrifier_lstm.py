"""The LSTM whose input and state change each other before each step."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.recurrence import Cell, State
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int

ROUNDS = 4


class MogrifierCell(Cell):
    """z is the input, one block; weights in the order of use."""

    blocks, states = 1, 2

    @staticmethod
    def shapes(size: int) -> dict[str, tuple[int, ...]]:
        rounds = {f"round_{number}": (size, size) for number in range(1, ROUNDS + 1)}
        return {"gates_x": (4 * size, size), "gates_h": (4 * size, size), "gates_bias": (4 * size, 1), **rounds}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        hidden, cell = state
        gates_x, gates_h, gates_bias, *rounds = weights
        for number, weight in enumerate(rounds):
            if number % 2 == 0:
                z = 2 * torch.mm(weight, hidden).sigmoid() * z
            else:
                hidden = 2 * torch.mm(weight, z).sigmoid() * hidden
        gates = torch.mm(gates_h, hidden) + torch.mm(gates_x, z) + gates_bias
        i, f, o, candidate = gates.split(len(hidden))
        cell = f.sigmoid() * cell + i.sigmoid() * candidate.tanh()
        return o.sigmoid() * cell.tanh(), cell


@register(
    "mogrifier-lstm",
    summary="an LSTM whose input and state gate each other, in turns, before each step",
    source="Melis et al. 2020, 'Mogrifier LSTM', section 2; four rounds; a linear map embeds the input first",
    tags=("lstm", "cell"),
)
class MogrifierLSTM(nn.Module):
    """Forecast from the state at the last lookback step.

    e_t = W x_t + b;   before each step: e = 2 sigmoid(Q_1 state) * e, state = 2 sigmoid(Q_2 e) * state, and once more
    state_t, cell_t = LSTM(e, state, cell_t-1)
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
        self.cells = MogrifierCell(problem.channels, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH = self.cells(x)
        return self.head(self.dropout(states_BLH[:, -1]))
