"""LSTM-FCN: an LSTM beside a stack of convolutions, averaged over time."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int

KERNELS = (8, 5, 3)


@register(
    "lstm-fcn",
    summary="an LSTM beside three convolutions whose features are averaged over time",
    source="Karim et al. 2018, 'LSTM fully convolutional networks for time series classification', section 3; group "
    "for batch normalisation, so that a forecast does not depend on its batch, and no dimension shuffle",
    tags=("lstm", "cnn"),
)
class LSTMFCN(nn.Module):
    """Forecast from the LSTM's last state joined with the mean of convolved features.

    feature = relu(N(K * feature below)), three times, kernels of 8, 5 and 3 steps, filters n, 2 n, n
    forecast = W [state_lookback, mean over t of feature_t] + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        filters: Annotated[int, Int(8, 128, log=True)] = 32,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(problem.channels, hidden_size, batch_first=True)
        widths = (problem.channels, filters, 2 * filters, filters)
        layers: list[nn.Module] = []
        for below, above, kernel in zip(widths, widths[1:], KERNELS, strict=False):
            layers += [nn.ZeroPad1d((kernel // 2, (kernel - 1) // 2)), nn.Conv1d(below, above, kernel)]
            layers += [nn.GroupNorm(1, above), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size + filters, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH, _ = self.lstm(x)
        features_BFL = self.convolutions(x.transpose(1, 2))
        return self.head(torch.cat([self.dropout(states_BLH[:, -1]), features_BFL.mean(dim=2)], dim=1))
