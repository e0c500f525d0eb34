"""The gated recurrent unit."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.torch_cells import gru_states
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "gru",
    summary="a gated recurrent unit: two gates, and no cell beside the state",
    source="Cho et al. 2014, section 2.3; the reset gate after the product (torch.nn.GRU)",
    tags=("cell",),
)
class GRU(nn.Module):
    """Forecast from the state at the last lookback step, with three quarters of an LSTM's weights.

    r_t, u_t = sigmoid(W x_t + V state_t-1 + b)
    n_t = tanh(W_n x_t + b_n + r_t * (V_n state_t-1 + c_n)),   state_t = n_t + u_t * (state_t-1 - n_t)
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
        self.gru = nn.GRU(problem.channels, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH = gru_states(self.gru, x)
        return self.head(self.dropout(states_BLH[:, -1]))
