"""Temporal pattern attention: the last state attends to what each unit did over the window."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "tpa-lstm",
    summary="an LSTM whose last state attends to the course of each unit, not to steps",
    source="Shih et al. 2019, 'Temporal pattern attention for multivariate time series forecasting', sections 4.1 to"
    " 4.3; the last state is filtered too, and the linear part for each target is left to ar-lstm",
    tags=("lstm", "attention"),
    limits={"parameters": "grow as lookback: each filter spans the window"},
)
class TPALSTM(nn.Module):
    """Forecast from the last state and an attention-weighted sum of units, each described by filters over its course.

    course_h = F [state_1[h] .. state_lookback[h]] + f,   filters spanning the window
    weight_h = sigmoid(course_h' A state_lookback)
    forecast = W (state_lookback + V sum over h of weight_h course_h) + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        filters: Annotated[int, Int(4, 64, log=True)] = 32,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(problem.channels, hidden_size, batch_first=True)
        self.filter = nn.Linear(problem.lookback, filters)
        self.query = nn.Linear(hidden_size, filters)
        self.mix = nn.Linear(filters, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH, _ = self.lstm(x)
        last_BH = states_BLH[:, -1]
        courses_BHF = self.filter(states_BLH.transpose(1, 2))
        weights_BH = torch.einsum("bhf,bf->bh", courses_BHF, self.query(last_BH)).sigmoid()
        recalled_BF = torch.einsum("bh,bhf->bf", weights_BH, courses_BHF)
        return self.head(self.dropout(last_BH + self.mix(recalled_BF)))
