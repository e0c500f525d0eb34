"""The independently recurrent network."""

from torch import Tensor, nn

from zoo.layers.recurrence import Cell, State
from zoo.layers.stack import StackedCells
from zoo.registry import register


class IndRNNCell(Cell):
    """h' = relu(z + u h), each unit its own recurrence."""

    blocks, states = 1, 1

    def __init__(self, channels: int, hidden_size: int) -> None:
        super().__init__(channels, hidden_size)
        nn.init.uniform_(self.get_parameter("recurrent"), 0.0, 2.0)  # keeps 0 to 96 % of the state

    @staticmethod
    def shapes(size: int) -> dict[str, tuple[int, ...]]:
        return {"recurrent": (size, 1)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        return ((z + weights[0].tanh() * state[0]).relu(),)


@register(
    "indrnn",
    summary="layers of units that each see their own state only",
    source="Li et al. 2018, 'Independently recurrent neural network (IndRNN)', section 3; the recurrent weight is "
    "bounded by tanh instead of clipped, no batch normalisation",
    tags=("cell",),
)
class IndRNN(StackedCells):
    """Forecast from the top layer's state at the last lookback step.

    state_t = relu(W x_t + b + tanh(u) * state_t-1) in each layer, x being the states of the layer below
    forecast = W state_lookback + b
    """

    cell = IndRNNCell
