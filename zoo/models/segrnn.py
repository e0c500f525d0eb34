"""SegRNN: a GRU that reads segments instead of steps, and writes all segments of the forecast at once."""

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.data.windows import columns
from zoo.layers.head import Head
from zoo.layers.torch_cells import gru_states
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "segrnn",
    summary="a GRU over segments of each target's own column, all segments of the forecast decoded in parallel",
    source="Lin et al. 2023, 'SegRNN: segment recurrent neural network for long-term time series forecasting', "
    "section 4 (PMF decoding); a segment is never longer than the window or the horizon",
    tags=("gru", "channel-independent"),
)
class SegRNN(nn.Module):
    """Forecast each target from its own column, in segments of several steps.

    state_n = GRU(relu(P segment_n + p), state_n-1),   n over the segments of the window
    forecast of segment m = W GRU([position_m, target_d], state_last) + b,   m over the segments of the horizon

    The window is filled up at its beginning with its first value. As the decoder takes one step from the same state for
    every m, its recurrent product is made once.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 512, log=True)] = 128,
        segment: Annotated[int, Int(1, 48, log=True)] = 12,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.1,
    ) -> None:
        super().__init__()
        self.targets, self.horizon = problem.targets, problem.horizon
        self.read, self.write = min(segment, problem.lookback), min(segment, problem.horizon)
        self.missing = -problem.lookback % self.read
        self.embed = nn.Linear(self.read, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        half = hidden_size // 2
        self.position = nn.Parameter(torch.randn(math.ceil(problem.horizon / self.write), half))
        self.target = nn.Parameter(torch.randn(len(problem.targets), hidden_size - half))
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, (self.write,))

    def forward(self, x: Tensor) -> Tensor:
        own_BDL = columns(x, self.targets).transpose(1, 2)
        first_BDP = own_BDL[:, :, :1].expand(-1, -1, self.missing)
        segments_XNS = torch.cat([first_BDP, own_BDL], dim=2).flatten(0, 1).unflatten(1, (-1, self.read))
        states_XNH = gru_states(self.gru, self.embed(segments_XNS).relu())
        state_BDH = states_XNH[:, -1].unflatten(0, (x.shape[0], -1))
        forecast_BDMS = self.head(self.dropout(self._decoded(state_BDH)).flatten(0, 2))
        return forecast_BDMS.reshape(x.shape[0], len(self.targets), -1)[:, :, : self.horizon].transpose(1, 2)

    def _decoded(self, state_BDH: Tensor) -> Tensor:
        """One step of the GRU from each state for each segment of the horizon, [B, D, M, H]."""
        targets, segments = len(self.target), len(self.position)
        places_DMH = torch.cat(
            [self.position.expand(targets, -1, -1), self.target[:, None].expand(-1, segments, -1)], dim=2
        )
        w_ih, w_hh, b_ih, b_hh = self.gru.parameters()
        r_x, u_x, n_x = nn.functional.linear(places_DMH, w_ih, b_ih).chunk(3, dim=-1)
        r_h, u_h, n_h = nn.functional.linear(state_BDH, w_hh, b_hh)[:, :, None].chunk(3, dim=-1)
        candidate_BDMH = (n_x + (r_x + r_h).sigmoid() * n_h).tanh()
        return candidate_BDMH + (u_x + u_h).sigmoid() * (state_BDH[:, :, None] - candidate_BDMH)
