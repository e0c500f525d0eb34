"""The sLSTM of xLSTM: exponential gates over a normalised memory."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.slstm import SLSTMCell
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "slstm",
    summary="the sLSTM of xLSTM: an exponential input gate, a memory that is a weighted mean",
    source="Beck et al. 2024, 'xLSTM: Extended Long Short-Term Memory', section 2.2, equations 8 to 18, sigmoid "
    "forget gate; one head, one layer, no convolution and no projections around it",
    tags=("lstm", "cell", "xlstm"),
)
class SLSTM(nn.Module):
    """Forecast from the state at the last lookback step.

    n_t = f_t n_t-1 + exp(i_t),   c_t = f_t c_t-1 + exp(i_t) tanh(g_t),   state_t = o_t c_t / n_t
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
        self.cells = SLSTMCell(problem.channels, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH = self.cells(x)
        return self.head(self.dropout(states_BLH[:, -1]))
