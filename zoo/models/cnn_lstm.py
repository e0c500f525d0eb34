"""The CNN-LSTM."""

from typing import Annotated

from torch import Tensor, nn

from zoo.errors import InputError
from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "cnn-lstm",
    summary="a convolution over time finds local patterns, an LSTM reads them in order",
    source="Sainath et al. 2015 (CLDNN); here one same-length convolution over time and no pooling",
    tags=("lstm", "cnn"),
)
class CNNLSTM(nn.Module):
    """Forecast from the last state of an LSTM over convolved steps; no step is lost to padding or pooling.

    feature_t = relu(sum over k of K_k x_t-k + c),   k from 0 to kernel_size - 1, zero before the window
    state_t = LSTM(feature_t, state_t-1)
    forecast = W state_lookback + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        filters: Annotated[int, Int(8, 128, log=True)] = 32,
        kernel_size: Annotated[int, Int(2, 7)] = 3,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        if kernel_size < 1:
            raise InputError(f"cnn-lstm: kernel_size must be >= 1, got {kernel_size}")
        # Padded on the left alone, so that the last step's features end at the last step.
        self.pad = nn.ZeroPad1d((kernel_size - 1, 0))
        self.convolution = nn.Conv1d(problem.channels, filters, kernel_size)
        self.lstm = nn.LSTM(filters, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        features_BFL = self.convolution(self.pad(x.transpose(1, 2))).relu()
        states_BLH, _ = self.lstm(features_BFL.transpose(1, 2))
        return self.head(self.dropout(states_BLH[:, -1]))
