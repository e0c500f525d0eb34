"""Recurrent cells, each a step of a few lines."""

import torch
from torch import Tensor

from zoo.layers.recurrence import Cell, State

Shapes = dict[str, tuple[int, ...]]


class ElmanCell(Cell):
    """h' = tanh(z + W h): torch.nn.RNN. Source: Elman, Finding structure in time, Cognitive Science 14 (1990)."""

    blocks, states = 1, 1

    @staticmethod
    def shapes(size: int) -> Shapes:
        return {"recurrent": (size, size)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        return (torch.addmm(z, weights[0], state[0]).tanh(),)


class LSTMCell(Cell):
    """The cell of torch.nn.LSTM, its blocks in the order i, f, o, g.

    Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.
    """

    blocks, states = 4, 2

    @staticmethod
    def shapes(size: int) -> Shapes:
        return {"recurrent": (4 * size, size)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        hidden, cell = state
        size = len(hidden)
        gates, candidate = torch.addmm(z, weights[0], hidden).split([3 * size, size])
        i, f, o = gates.sigmoid().split(size)
        cell = f * cell + i * candidate.tanh()
        return o * cell.tanh(), cell


class CoupledCell(Cell):
    """The LSTM whose input gate is one minus the forget gate (CIFG), its blocks in the order f, o, g.

    Source: Greff et al., LSTM: a search space odyssey, IEEE TNNLS 28 (2017), section 3.
    """

    blocks, states = 3, 2

    @staticmethod
    def shapes(size: int) -> Shapes:
        return {"recurrent": (3 * size, size)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        hidden, cell = state
        size = len(hidden)
        gates, candidate = torch.addmm(z, weights[0], hidden).split([2 * size, size])
        f, o = gates.sigmoid().split(size)
        candidate = candidate.tanh()
        cell = candidate + f * (cell - candidate)
        return o * cell.tanh(), cell


class PeepholeCell(Cell):
    """The LSTM whose gates see the cell, each through a weight for each unit; blocks in the order i, f, o, g.

    Source: Gers & Schmidhuber, Recurrent nets that time and count, IJCNN 2000.
    """

    blocks, states = 4, 2

    @staticmethod
    def shapes(size: int) -> Shapes:
        return {"recurrent": (4 * size, size), "see_i": (size, 1), "see_f": (size, 1), "see_o": (size, 1)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        hidden, cell = state
        recurrent, see_i, see_f, see_o = weights
        i, f, o, candidate = torch.addmm(z, recurrent, hidden).split(len(hidden))
        cell_now = (f + see_f * cell).sigmoid() * cell + (i + see_i * cell).sigmoid() * candidate.tanh()
        return (o + see_o * cell_now).sigmoid() * cell_now.tanh(), cell_now


class GRUCell(Cell):
    """The cell of torch.nn.GRU, its blocks in the order r, u, n; the candidate's recurrent part has a bias of its own.

    Source: Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014, section 2.3, with the
    reset gate after the product, as PyTorch and cuDNN have it.
    """

    blocks, states = 3, 1

    @staticmethod
    def shapes(size: int) -> Shapes:
        return {"recurrent": (2 * size, size), "recurrent_n": (size, size), "bias_n": (size, 1)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        (hidden,), size = state, len(state[0])
        gates, candidate = z.split([2 * size, size])
        r, u = torch.addmm(gates, weights[0], hidden).sigmoid().split(size)
        candidate = (candidate + r * (torch.mm(weights[1], hidden) + weights[2])).tanh()
        return (candidate + u * (hidden - candidate),)
