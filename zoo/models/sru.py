"""The simple recurrent unit."""

from torch import Tensor

from zoo.layers.recurrence import Cell, State
from zoo.layers.stack import StackedCells
from zoo.registry import register


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
class SRU(StackedCells):
    """Forecast from the top layer's state at the last lookback step.

    f_t = sigmoid(W_f x_t + v_f * cell_t-1 + b_f),   r_t = sigmoid(W_r x_t + v_r * cell_t-1 + b_r)
    cell_t = f_t * cell_t-1 + (1 - f_t) * (W x_t + b),   state_t = r_t * cell_t + (1 - r_t) * (W_h x_t + b_h)
    forecast = W state_lookback + b
    """

    cell = SRUCell
