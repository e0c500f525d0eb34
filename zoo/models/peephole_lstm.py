"""The LSTM whose gates see the cell."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.cells import PeepholeCell
from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "peephole-lstm",
    summary="an LSTM whose gates also see its cell",
    source="Gers & Schmidhuber 2000, 'Recurrent nets that time and count'",
    tags=("lstm", "cell"),
)
class PeepholeLSTM(nn.Module):
    """Forecast from the state at the last lookback step.

    The input and the forget gate see cell_t-1, the output gate sees cell_t, each through one weight for each unit.
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
        self.lstm = PeepholeCell(problem.channels, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH = self.lstm(x)
        return self.head(self.dropout(states_BLH[:, -1]))
