"""The simple recurrent unit."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.recurrence import Cell, State
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


class SRUCell(Cell):
    """Blocks in the order f, r, candidate, highway; every unit is a recurrence of its own."""

    blocks, states = 4, 2

    @staticmethod
    def shapes(size: int) -> dict[str, tuple[int, ...]]:
        return {"see_f": (size, 1), "see_r": (size, 1)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        _, cell = state
        f, r, candidate, highway = z.split(len(cell))
        r = (r + weights[1] * cell).sigmoid()
        cell = candidate + (f + weights[0] * cell).sigmoid() * (cell - candidate)
        return highway + r * (cell - highway), cell


@register(
    "sru",
    summary="layers of simple recurrent units: products with the input only, and a highway past them",
    source="Lei et al. 2018, 'Simple recurrent units for highly parallelizable recurrence', equations 1 to 4; each "
    "layer projects its input for the highway",
    tags=("cell",),
)
class SRU(nn.Module):
    """Forecast from the top layer's state at the last lookback step.

    f_t = sigmoid(W_f x_t + v_f * cell_t-1 + b_f),   r_t = sigmoid(W_r x_t + v_r * cell_t-1 + b_r)
    cell_t = f_t * cell_t-1 + (1 - f_t) * (W x_t + b),   state_t = r_t * cell_t + (1 - r_t) * (W_h x_t + b_h)
    forecast = W state_lookback + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        num_layers: Annotated[int, Int(1, 4)] = 2,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        widths = [problem.channels] + [hidden_size] * (num_layers - 1)
        self.layers = nn.Sequential(*(SRUCell(width, hidden_size) for width in widths))
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH = self.layers(x)
        return self.head(self.dropout(states_BLH[:, -1]))
