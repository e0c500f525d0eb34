"""The mLSTM of xLSTM: a memory that is a matrix, written by keys and read by queries."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.memory import MLSTM
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "mlstm",
    summary="the mLSTM of xLSTM: an exponential input gate, a matrix memory, all steps at once",
    source="Beck et al. 2024, 'xLSTM: Extended Long Short-Term Memory', section 2.3, equations 19 to 27, sigmoid "
    "forget gate; one layer, no convolution and no projections around it",
    tags=("lstm", "cell", "xlstm", "parallel"),
)
class MatrixLSTM(nn.Module):
    """Forecast from the state at the last lookback step.

    C_t = f_t C_t-1 + exp(i_t) v_t k_t',   n_t = f_t n_t-1 + exp(i_t) k_t;   q, k, v, o, i and f linear in x_t
    state_t = sigmoid(o_t) * C_t q_t / max(|n_t' q_t|, 1)
    forecast = W state_lookback + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        heads: Annotated[int, Int(1, 8)] = 4,
        head_size: Annotated[int, Int(8, 32)] = 16,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.mlstm = MLSTM(problem.channels, heads, head_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(heads * head_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        last_BH = self.mlstm(x, last=1)[:, 0]
        return self.head(self.dropout(last_BH))
