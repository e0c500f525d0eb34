"""The clockwork RNN: groups of units that tick at different rates."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.recurrence import Cell, State, recur
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


class ClockworkCell(Cell):
    """Blocks in the order candidate, tick; a tick is one where the unit changes at this step, else zero."""

    blocks, states = 2, 1

    @staticmethod
    def shapes(size: int) -> dict[str, tuple[int, ...]]:
        return {"recurrent": (size, size)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        (hidden,) = state
        candidate, tick = z.split(len(hidden))
        return (hidden + tick * (torch.addmm(candidate, weights[0], hidden).tanh() - hidden),)


@register(
    "clockwork-rnn",
    summary="an RNN in groups, the first changing at each step, the next at every second, every fourth, ...",
    source="Koutnik et al. 2014, 'A clockwork RNN', section 3; clocks count from the last step back, at which all "
    "groups tick",
    tags=("cell",),
)
class ClockworkRNN(nn.Module):
    """Forecast from the state at the last lookback step, at which every group ticks.

    state_t of group g = tanh(W x_t + U state_t-1 + b) where 2^g divides (lookback - t), else state_t-1 of group g
    U lets a group see itself and slower groups.   forecast = W state_lookback + b
    """

    member: Tensor
    is_seen: Tensor
    ticks: Tensor

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        groups: Annotated[int, Int(2, 8)] = 4,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.rnn = nn.RNN(problem.channels, hidden_size)  # the holder of its weights
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)
        group_H = torch.arange(hidden_size) * groups // hidden_size
        steps_back_L = torch.arange(problem.lookback - 1, -1, -1)
        self.register_buffer("member", nn.functional.one_hot(group_H, groups).float(), persistent=False)
        self.register_buffer("is_seen", (group_H >= group_H[:, None]).float(), persistent=False)
        self.register_buffer(
            "ticks", (steps_back_L[:, None] % 2 ** torch.arange(groups) == 0).float(), persistent=False
        )

    def forward(self, x: Tensor) -> Tensor:
        # The ticks of each group are further inputs, which a fixed weight hands to its units.
        ticks_LGB = self.ticks[:, :, None].expand(-1, -1, x.shape[0])
        x_LKB = torch.cat([x.permute(1, 2, 0), ticks_LGB], dim=1)
        weight, recurrent, bias_ih, bias_hh = self.rnn.parameters()
        candidate_HK = nn.functional.pad(weight, (0, self.member.shape[1]))
        tick_HK = nn.functional.pad(self.member, (x.shape[2], 0))
        bias = nn.functional.pad(bias_ih + bias_hh, (0, len(weight)))
        initial = (x.new_zeros(len(weight), x.shape[0]),)
        weights = (recurrent * self.is_seen,)
        states_LHB = recur(ClockworkCell, x_LKB, torch.cat([candidate_HK, tick_HK]), bias, initial, weights)
        return self.head(self.dropout(states_LHB[-1].T))
