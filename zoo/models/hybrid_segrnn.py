"""Ridge and SegRNN, averaged: a hybrid for long horizons and many targets."""

from typing import Annotated

from zoo.layers.committee import Committee
from zoo.models.linear import Ridge
from zoo.models.segrnn import SegRNN
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "hybrid-segrnn",
    summary="ridge and segrnn, each trained alone, averaged by their errors on validation",
    source="as hybrid-lstm: Zhang 2003 and Bates & Granger 1969; the recurrent member is SegRNN, Lin et al. 2023",
    tags=("gru", "ensemble", "channel-independent"),
)
class HybridSegRNN(Committee):
    """Forecast the mean of ridge and SegRNN; both read each target's own column alone.

    forecast = w_1 ridge(x) + w_2 segrnn(x),   w inverse to the mean squared error on validation
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 512, log=True)] = 128,
        segment: Annotated[int, Int(1, 48, log=True)] = 12,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.1,
    ) -> None:
        recurrent = SegRNN(problem, hidden_size=hidden_size, segment=segment, dropout=dropout)
        super().__init__(problem, [Ridge(problem), recurrent])
