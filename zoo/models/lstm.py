"""The plain LSTM, one layer or several."""

from typing import Annotated

from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int

SOURCE = "Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000 (torch.nn.LSTM)"


@register("lstm", summary="one LSTM layer; its last state is read out", source=SOURCE, tags=("lstm",))
class LSTM(nn.Module):
    """Forecast from the state at the last lookback step, which has seen the whole window.

    state_t, cell_t = LSTM(x_t, state_t-1, cell_t-1)   (six equations: zoo.learn.reference_lstm)
    forecast = W state_lookback + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(problem.channels, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH, _ = self.lstm(x)
        return self.head(self.dropout(states_BLH[:, -1]))


@register(
    "stacked-lstm",
    summary="several LSTM layers, each reading the states of the one below",
    source="Graves, Mohamed & Hinton 2013, section 2 (torch.nn.LSTM, num_layers)",
    tags=("lstm",),
)
class StackedLSTM(nn.Module):
    """Forecast from the top layer's state at the last lookback step.

    state_t of layer n = LSTM_n(state_t of layer n-1, state_t-1 of layer n),   layer 0 being x
    forecast = W state_lookback of the top layer + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        num_layers: Annotated[int, Int(2, 4)] = 2,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        # One layer has nothing to drop between layers, and nn.LSTM warns about it.
        between = dropout if num_layers > 1 else 0.0
        self.lstm = nn.LSTM(problem.channels, hidden_size, num_layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH, _ = self.lstm(x)
        return self.head(self.dropout(states_BLH[:, -1]))
