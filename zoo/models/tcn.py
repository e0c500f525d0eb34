"""The temporal convolutional network, alone and below an LSTM."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.tcn import TCN
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int

SOURCE = "Bai et al. 2018, 'An empirical evaluation of generic convolutional and recurrent networks', section 3"


@register(
    "tcn",
    summary="dilated causal convolutions; the features of the last step are read out",
    source=f"{SOURCE}; no weight normalisation",
    tags=("baseline", "cnn"),
)
class TemporalConvolutions(nn.Module):
    """Forecast from the features of the last step, which reach back over 1 + 2 (kernel_size - 1) (2^blocks - 1) steps.

    feature of block n = relu(feature below + relu(K relu(K feature below))), each K with steps 2^(n-1) apart
    forecast = W feature_lookback + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        filters: Annotated[int, Int(8, 128, log=True)] = 32,
        blocks: Annotated[int, Int(1, 6)] = 3,
        kernel_size: Annotated[int, Int(2, 7)] = 3,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.tcn = TCN(problem.channels, filters, blocks, kernel_size, dropout)
        self.head = Head(filters, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        features_BLF = self.tcn(x)
        return self.head(features_BLF[:, -1])


@register(
    "tcn-lstm",
    summary="dilated causal convolutions find patterns, an LSTM reads them in order",
    source=f"{SOURCE}, below an LSTM as in Sainath et al. 2015 (CLDNN)",
    tags=("lstm", "cnn"),
)
class TCNLSTM(nn.Module):
    """Forecast from the last state of an LSTM over the features of a temporal convolutional network.

    state_t = LSTM(feature_t, state_t-1),   feature_t as in tcn
    forecast = W state_lookback + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        filters: Annotated[int, Int(8, 128, log=True)] = 32,
        blocks: Annotated[int, Int(1, 6)] = 2,
        kernel_size: Annotated[int, Int(2, 7)] = 3,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.tcn = TCN(problem.channels, filters, blocks, kernel_size, dropout)
        self.lstm = nn.LSTM(filters, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH, _ = self.lstm(self.tcn(x))
        return self.head(self.dropout(states_BLH[:, -1]))
