"""The GRU and the LSTM whose gates see the input only, so that all steps can be computed at once."""

from torch import Tensor, nn

from zoo.layers.scan import LinearCell
from zoo.layers.stack import StackedCells
from zoo.registry import register


def positive(x: Tensor) -> Tensor:
    """x + 0.5 where x >= 0, else sigmoid(x): the candidate's function (Feng et al. 2024, appendix B.2.2)."""
    return x.relu() + (-(-x).relu()).sigmoid()


class MinGRUCell(LinearCell):
    """Blocks in the order u, n."""

    blocks = 2

    @staticmethod
    def parts(z: Tensor) -> tuple[Tensor, Tensor]:
        u, candidate = z.split(len(z) // 2)
        return (-u).sigmoid(), u.sigmoid() * positive(candidate)


class MinLSTMCell(LinearCell):
    """Blocks in the order f, i, n."""

    blocks = 3

    @staticmethod
    def parts(z: Tensor) -> tuple[Tensor, Tensor]:
        f, i, candidate = z.split(len(z) // 3)
        # f / (f + i) of two sigmoids, without dividing small numbers.
        lead = nn.functional.softplus(-i) - nn.functional.softplus(-f)
        return lead.sigmoid(), (-lead).sigmoid() * positive(candidate)


@register(
    "mingru",
    summary="layers of GRUs without a reset gate, whose update gate sees the input only",
    source="Feng et al. 2024, 'Were RNNs all we needed?', section 3.1 and appendix B; no convolution and no MLP "
    "between the layers",
    tags=("cell", "parallel"),
)
class MinGRU(StackedCells):
    """Forecast from the top layer's state at the last lookback step.

    u_t = sigmoid(W_u x_t + b_u),   n_t = g(W_n x_t + b_n),   x being the states of the layer below
    state_t = (1 - u_t) * state_t-1 + u_t * n_t,   g(x) = x + 0.5 where x >= 0, else sigmoid(x)
    forecast = W state_lookback + b
    """

    cell = MinGRUCell


@register(
    "minlstm",
    summary="layers of LSTMs without an output gate, whose gates see the input only and sum to one",
    source="Feng et al. 2024, 'Were RNNs all we needed?', section 3.2 and appendix B; no convolution and no MLP "
    "between the layers",
    tags=("lstm", "cell", "parallel"),
)
class MinLSTM(StackedCells):
    """Forecast from the top layer's state at the last lookback step.

    f_t = sigmoid(W_f x_t + b_f),   i_t = sigmoid(W_i x_t + b_i),   n_t = g(W_n x_t + b_n)
    state_t = (f_t * state_t-1 + i_t * n_t) / (f_t + i_t),   g(x) = x + 0.5 where x >= 0, else sigmoid(x)
    forecast = W state_lookback + b
    """

    cell = MinLSTMCell
