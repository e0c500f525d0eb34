"""A statistical forecast and recurrent ones, averaged: they err in different places."""

from typing import Annotated

from zoo.layers.committee import Committee
from zoo.models.ar_lstm import ARLSTM
from zoo.models.gru import GRU
from zoo.models.linear import Ridge
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "hybrid-lstm",
    summary="ridge, ar-lstm and gru, each trained alone, averaged by their errors on validation",
    source="Zhang 2003, 'Time series forecasting using a hybrid ARIMA and neural network model', whose idea is that a "
    "linear and a recurrent model err in different places; here ridge instead of ARIMA, and the weighted mean of Bates "
    "& Granger 1969, 'The combination of forecasts', instead of a network for the residuals",
    tags=("lstm", "gru", "ensemble"),
)
class HybridLSTM(Committee):
    """Forecast the mean of ridge, an LSTM beside a linear map, and a GRU.

    forecast = w_1 ridge(x) + w_2 ar-lstm(x) + w_3 gru(x),   w inverse to the mean squared error on validation

    It takes the time of ar-lstm and of gru.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        members = [
            Ridge(problem),
            ARLSTM(problem, hidden_size=hidden_size, dropout=dropout),
            GRU(problem, hidden_size=hidden_size, dropout=dropout),
        ]
        super().__init__(problem, members)
