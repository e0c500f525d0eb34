"""The LSTM with layer normalisation inside its recurrence."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.recurrence import Cell, State
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int

EPSILON = 1e-5


class LayerNormCell(Cell):
    """Blocks in the order i, f, o, g; a sum over the H units or 4 H gates of one window is one over a column."""

    blocks, states = 4, 2

    def __init__(self, channels: int, hidden_size: int) -> None:
        super().__init__(channels, hidden_size)
        for name in ("gain_x", "gain_h", "gain_c"):
            nn.init.ones_(self.get_parameter(name))
        for name in ("shift", "shift_c"):
            nn.init.zeros_(self.get_parameter(name))

    @staticmethod
    def shapes(size: int) -> dict[str, tuple[int, ...]]:
        weights: dict[str, tuple[int, ...]] = {"recurrent": (4 * size, size)}
        weights |= dict.fromkeys(("gain_x", "gain_h", "shift"), (4 * size, 1))
        return weights | dict.fromkeys(("gain_c", "shift_c"), (size, 1))

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        hidden, cell = state
        recurrent, gain_x, gain_h, shift, gain_c, shift_c = weights
        gates = gain_x * standardised(z) + gain_h * standardised(torch.mm(recurrent, hidden)) + shift
        i, f, o, candidate = gates.split(len(hidden))
        cell = f.sigmoid() * cell + i.sigmoid() * candidate.tanh()
        return o.sigmoid() * (gain_c * standardised(cell) + shift_c).tanh(), cell


def standardised(values_FB: Tensor) -> Tensor:
    """Each column less its mean, over its deviation."""
    centred_FB = values_FB - values_FB.sum(0, keepdim=True) / len(values_FB)
    variance_1B = (centred_FB * centred_FB).sum(0, keepdim=True) / len(values_FB)
    return centred_FB * (variance_1B + EPSILON).rsqrt()


@register(
    "layernorm-lstm",
    summary="an LSTM whose gates and cell are standardised at each step",
    source="Ba et al. 2016, 'Layer Normalization', supplement, equations 20 to 22",
    tags=("lstm", "cell"),
)
class LayerNormLSTM(nn.Module):
    """Forecast from the state at the last lookback step.

    gates_t = N(W x_t + b) + N(U state_t-1) + c, N: less its mean over units, over its deviation, times a gain
    cell_t and state_t as an LSTM's, with state_t = o_t tanh(N(cell_t))
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
        self.cells = LayerNormCell(problem.channels, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH = self.cells(x)
        return self.head(self.dropout(states_BLH[:, -1]))
