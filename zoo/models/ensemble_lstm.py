"""Several LSTMs trained as one model, whose forecasts are averaged."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "ensemble-lstm",
    summary="the mean of several small LSTMs with their own weights, trained together",
    source="Hansen & Salamon 1990, 'Neural network ensembles'; trained on the error of the mean (Liu & Yao 1999, "
    "'Ensemble learning via negative correlation', with a penalty of one)",
    tags=("lstm", "ensemble"),
)
class EnsembleLSTM(nn.Module):
    """Forecast the mean of the members' forecasts.

    forecast of member k = W_k state_lookback of LSTM_k + b_k
    forecast = mean over k of the forecast of member k, each member with a dropout of its own
    """

    def __init__(
        self,
        problem: Problem,
        *,
        members: Annotated[int, Int(2, 8)] = 4,
        hidden_size: Annotated[int, Int(8, 128, log=True)] = 32,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.lstms = nn.ModuleList(nn.LSTM(problem.channels, hidden_size, batch_first=True) for _ in range(members))
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleList(Head(hidden_size, problem.output_shape) for _ in range(members))

    def forward(self, x: Tensor) -> Tensor:
        lasts_BH = [lstm(x)[0][:, -1] for lstm in self.lstms]
        forecasts = [head(self.dropout(last_BH)) for head, last_BH in zip(self.heads, lasts_BH, strict=True)]
        return torch.stack(forecasts).mean(0)
