"""StackedCells: the forecast of several layers of one cell."""

from typing import Annotated, ClassVar

from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.space import Float, Int


class StackedCells(nn.Module):
    """A variant: layers of `cell`, each on the states of the layer below; forecast = W state_lookback + b of the top
    layer.

    cell: maps (channels, hidden_size) to a layer of x [B, L, channels] -> states [B, L, hidden_size].
    """

    cell: ClassVar[type[nn.Module]]

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        num_layers: Annotated[int, Int(1, 4)] = 2,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        widths = [problem.channels] + [hidden_size] * (num_layers - 1)
        self.layers = nn.Sequential(*(type(self).cell(width, hidden_size) for width in widths))
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH = self.layers(x)
        return self.head(self.dropout(states_BLH[:, -1]))
