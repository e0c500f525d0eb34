"""LSTNet: a convolution, a GRU, a GRU that skips from season to season, and a linear map beside them."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head, OwnLookback
from zoo.layers.torch_cells import gru_states
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "lstnet",
    summary="a convolution, a GRU and a GRU over the same phase of earlier seasons, beside a linear map",
    source="Lai et al. 2018, 'Modeling long- and short-term temporal patterns with deep neural networks', sections "
    "3.2 to 3.6 (LSTNet-Skip); zero padding on the left, tanh in the GRU, one linear map for each target",
    tags=("cnn", "gru"),
    limits={"parameters": "grow as lookback: the linear map has a weight for each step"},
)
class LSTNet(nn.Module):
    """Forecast the sum of a linear map and of what two GRUs read from convolved steps.

    feature_t = relu(sum over k of K_k x_t-k + c)
    state_t = GRU(feature_t, state_t-1),   phase_t = GRU(feature_t, phase_t-skip)
    forecast of target d = A_d x[:, d] + a_d + W_d [state_lookback, phase_lookback-skip+1 .. phase_lookback] + b_d

    skip is at most half of the lookback, so that there are two phases to compare.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        filters: Annotated[int, Int(8, 128, log=True)] = 32,
        kernel_size: Annotated[int, Int(1, 7)] = 3,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        skip: Annotated[int, Int(2, 52, log=True)] = 12,
        skip_size: Annotated[int, Int(2, 16)] = 5,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.skip = min(skip, max(1, problem.lookback // 2))
        self.linear = OwnLookback(problem)
        self.pad = nn.ZeroPad1d((kernel_size - 1, 0))
        self.convolution = nn.Conv1d(problem.channels, filters, kernel_size)
        self.gru = nn.GRU(filters, hidden_size, batch_first=True)
        self.skip_gru = nn.GRU(filters, skip_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size + self.skip * skip_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        features_BLF = self.dropout(self.convolution(self.pad(x.transpose(1, 2))).relu()).transpose(1, 2)
        last_BH = gru_states(self.gru, features_BLF)[:, -1]
        seasons = x.shape[1] // self.skip  # whole ones, counted from the last step back
        phases_BSPF = features_BLF[:, -seasons * self.skip :].unflatten(1, (seasons, self.skip))
        states_XSK = gru_states(self.skip_gru, phases_BSPF.transpose(1, 2).flatten(0, 1))
        phases_BX = states_XSK[:, -1].reshape(x.shape[0], -1)
        return self.linear(x) + self.head(self.dropout(torch.cat([last_BH, phases_BX], dim=1)))
