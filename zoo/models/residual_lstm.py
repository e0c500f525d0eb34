"""The residual LSTM: each layer adds to the states of the one below."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "residual-lstm",
    summary="stacked LSTM layers, each adding its states to those of the layer below",
    source="Wu et al. 2016, 'Google's neural machine translation system', section 3.1; Prakash et al. 2016, COLING; "
    "all layers read forwards",
    tags=("lstm", "deep"),
)
class ResidualLSTM(nn.Module):
    """Forecast from the top layer's sum at the last lookback step.

    sum_t of layer n = LSTM_n(sums of layer n-1) + sum_t of layer n-1; the first layer, of another width, adds nothing
    forecast = W sum_lookback of the top layer + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        num_layers: Annotated[int, Int(2, 6)] = 2,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.first = nn.LSTM(problem.channels, hidden_size, batch_first=True)
        self.others = nn.ModuleList(nn.LSTM(hidden_size, hidden_size, batch_first=True) for _ in range(num_layers - 1))
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        sums_BLH, _ = self.first(x)
        for lstm in self.others:
            sums_BLH = sums_BLH + lstm(self.dropout(sums_BLH))[0]
        return self.head(self.dropout(sums_BLH[:, -1]))
