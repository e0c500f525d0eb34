"""The plain recurrent network."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.torch_cells import rnn_states
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "rnn",
    summary="a recurrent network without gates (tanh)",
    source="Elman 1990 (torch.nn.RNN)",
    tags=("cell",),
)
class RNN(nn.Module):
    """Forecast from the state at the last lookback step: what gates have to beat.

    state_t = tanh(W x_t + V state_t-1 + b);   forecast = W state_lookback + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.rnn = nn.RNN(problem.channels, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH = rnn_states(self.rnn, x)
        return self.head(self.dropout(states_BLH[:, -1]))
