"""The dilated LSTM: each layer's recurrence skips twice as many steps as that of the layer below."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "dilated-lstm",
    summary="LSTM layers whose states reach back 1, 2, 4, ... steps",
    source="Chang et al. 2017, 'Dilated recurrent neural networks', section 2.1; the last state is read without a "
    "further fusion layer",
    tags=("lstm", "deep"),
)
class DilatedLSTM(nn.Module):
    """Forecast from the top layer's state at the last lookback step.

    state_t of layer n = LSTM_n(x_t, state_t-d of layer n), d = 2^(n-1), x being the states of the layer below;
    states before the window are zero.   forecast = W state_lookback + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        num_layers: Annotated[int, Int(2, 5)] = 2,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        widths = [problem.channels] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(width, hidden_size, batch_first=True) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        for number, lstm in enumerate(self.layers):
            x = dilated(lstm, x, 2**number)
        return self.head(self.dropout(x[:, -1]))


def dilated(lstm: nn.Module, x_BLC: Tensor, dilation: int) -> Tensor:
    """States [B, L, H]: every `dilation`-th step is a sequence of its own, and all of them run as one batch."""
    batch, length, channels = x_BLC.shape
    missing = -length % dilation  # zeros at the end fill up; no state that is kept has seen them
    rows_BSDC = nn.functional.pad(x_BLC, (0, 0, 0, missing)).reshape(batch, -1, dilation, channels)
    states_XSH, _ = lstm(rows_BSDC.transpose(1, 2).reshape(batch * dilation, -1, channels))
    states_BDSH = states_XSH.reshape(batch, dilation, -1, states_XSH.shape[2])
    return states_BDSH.transpose(1, 2).reshape(batch, length + missing, -1)[:, :length]
