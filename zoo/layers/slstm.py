"""The cell of sLSTM."""

import torch
from torch import Tensor, nn

from zoo.layers.recurrence import Cell, State

START = 40.0  # states begin at zero: n begins at exp(-40)


class SLSTMCell(Cell):
    """Blocks in the order i, f, o, g; states: h, the memory's mean y = c / n, and log n + START.

    The published cell keeps c and n, both times exp(-m) so that they do not overflow. Their ratio and the logarithm of
    n do not need m: y moves towards the candidate by the share that exp(i) has in the new n. Source: Beck et al. 2024,
    xLSTM: Extended Long Short-Term Memory, section 2.2.
    """

    blocks, states = 4, 3

    @staticmethod
    def shapes(size: int) -> dict[str, tuple[int, ...]]:
        return {"recurrent": (4 * size, size)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        hidden, mean, total = state
        i, f, o, candidate = torch.addmm(z, weights[0], hidden).split(len(hidden))
        rest = total - nn.functional.softplus(-f)
        ahead = i + START - rest
        mean = mean + ahead.sigmoid() * (candidate.tanh() - mean)
        return o.sigmoid() * mean, mean, rest + nn.functional.softplus(ahead)
