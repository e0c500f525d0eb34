"""The highway LSTM."""

import torch
from torch import Tensor

from zoo.layers.recurrence import Cell, State
from zoo.layers.stack import StackedCells
from zoo.registry import register


class HighwayCell(Cell):
    """Blocks in the order i, f, o, r, g, and the input's way past the cell."""

    blocks, states = 6, 2

    @staticmethod
    def shapes(size: int) -> dict[str, tuple[int, ...]]:
        return {"recurrent": (5 * size, size)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        hidden, cell = state
        size = len(hidden)
        of_gates, past = z.split([5 * size, size])
        i, f, o, r, candidate = torch.addmm(of_gates, weights[0], hidden).split(size)
        cell = f.sigmoid() * cell + i.sigmoid() * candidate.tanh()
        return past + r.sigmoid() * (o.sigmoid() * cell.tanh() - past), cell


@register(
    "highway-lstm",
    summary="LSTM layers whose input can pass each of them through a gate",
    source="Zhang et al. 2016, 'Highway long short-term memory RNNs for distant speech recognition', with the gate "
    "of He, Lee, Lewis & Zettlemoyer 2017, 'Deep semantic role labeling', section 2.2; all layers read "
    "forwards",
    tags=("lstm", "deep"),
)
class HighwayLSTM(StackedCells):
    """Forecast from the top layer's state at the last lookback step.

    r_t = sigmoid(W_r x_t + U_r state_t-1 + b_r)
    state_t = r_t * (o_t * tanh(cell_t)) + (1 - r_t) * (W_p x_t + b_p),   x being the states of the layer below
    forecast = W state_lookback + b
    """

    cell = HighwayCell
