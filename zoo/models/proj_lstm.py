"""The LSTM with a recurrent projection."""

from typing import Annotated

from torch import Tensor, nn

from zoo.errors import InputError
from zoo.layers.head import Head
from zoo.layers.projected import projected_states
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "proj-lstm",
    summary="an LSTM whose state is projected to fewer units before it recurs",
    source="Sak, Senior & Beaufays 2014 (LSTMP), section 2 (torch.nn.LSTM, proj_size)",
    tags=("lstm",),
    limits={"onnx": "its LSTM operator has no recurrent projection"},
)
class ProjLSTM(nn.Module):
    """Forecast from the projected state at the last lookback step: many cells, few recurrent weights.

    hidden_t, cell_t = LSTM(x_t, state_t-1, cell_t-1),   state_t = R hidden_t
    forecast = W state_lookback + b
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(32, 256, log=True)] = 64,
        proj_size: Annotated[int, Int(4, 31)] = 16,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        if not 1 <= proj_size < hidden_size:
            raise InputError(
                f"proj-lstm: proj_size must be from 1 to hidden_size - 1 = {hidden_size - 1}, got {proj_size}"
            )
        self.lstm = nn.LSTM(problem.channels, hidden_size, batch_first=True, proj_size=proj_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(proj_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLP = projected_states(self.lstm, x)
        return self.head(self.dropout(states_BLP[:, -1]))
