"""The LSTM with coupled input and forget gates."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.cells import CoupledCell
from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "cifg-lstm",
    summary="an LSTM that writes to its cell what it forgets, and no more",
    source="Greff et al. 2017, section 3 (CIFG), without peepholes",
    tags=("lstm", "cell"),
)
class CIFGLSTM(nn.Module):
    """Forecast from the state at the last lookback step, with three quarters of an LSTM's weights.

    The input gate is one minus the forget gate: cell_t = f_t * cell_t-1 + (1 - f_t) * tanh(g_t)
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
        self.lstm = CoupledCell(problem.channels, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH = self.lstm(x)
        return self.head(self.dropout(states_BLH[:, -1]))
