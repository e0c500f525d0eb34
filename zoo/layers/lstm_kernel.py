"""PyTorch's LSTM layers by the compiled recurrence, for training on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.layers.cells import Shapes

# Its helpers too: the code of recurrence.py is part of the keys of the rows of its cells, so it stays as it is.
from zoo.layers.recurrence import Cell, State, _flat, _rooms, _size_of, _sizes, compiled, compiled_for

if TYPE_CHECKING:
    from zoo.layers.sequences import Sequences


class TorchLSTMCell(Cell):
    """The cell of torch.nn.LSTM, its blocks in PyTorch's order i, f, g, o."""

    blocks, states = 4, 2

    @staticmethod
    def shapes(size: int) -> Shapes:
        return {"recurrent": (4 * size, size)}

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        hidden, cell = state
        size = len(hidden)
        gates, candidate, o = torch.addmm(z, weights[0], hidden).split([2 * size, size, size])
        i, f = gates.sigmoid().split(size)
        cell = f * cell + i * candidate.tanh()
        return o.sigmoid() * cell.tanh(), cell


@contextmanager
def compiled_lstms(layers: list[nn.LSTM]) -> Iterator[None]:
    """Inside, these layers run by the compiled recurrence, forward and back."""
    for layer in layers:
        layer.__dict__["forward"] = partial(lstm_states, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.__dict__["forward"]


def replaceable(model: nn.Module) -> list[nn.LSTM]:
    """The LSTM layers of a model that compiled_lstms takes: those without a projection."""
    return [module for module in model.modules() if type(module) is nn.LSTM and not module.proj_size]


def why_not_compiled() -> str | None:
    """Why nothing is compiled here; None where it is."""
    return compiled(TorchLSTMCell, torch.float32)[1]


def lstm_states(
    lstm: nn.LSTM, x: Tensor, hx: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """What lstm(x, hx) returns, to float32's rounding; PyTorch's own where the input is not what is compiled for."""
    own = compiled_for(TorchLSTMCell, x) if isinstance(x, Tensor) and x.dim() == 3 else None
    if own is None:
        return nn.LSTM.forward(lstm, x, hx)
    below_LCB = x.permute(1, 2, 0) if lstm.batch_first else x.permute(0, 2, 1)
    zeros = x.new_zeros(lstm.hidden_size, below_LCB.shape[2])
    directions = 2 if lstm.bidirectional else 1
    last_states, last_cells = [], []
    for layer in range(lstm.num_layers):
        outs = []
        for direction in range(directions):
            place, suffix = layer * directions + direction, f"_l{layer}" + ("_reverse" if direction else "")
            v, w_hh = _input_weights(lstm, suffix), getattr(lstm, f"weight_hh{suffix}")
            start = (zeros, zeros) if hx is None else (hx[0][place].T, hx[1][place].T)
            inputs = below_LCB.flip(0) if direction else below_LCB
            states, cell = _layer(own, inputs, v, *start, w_hh)
            last_states.append(states[-1].T)
            last_cells.append(cell.T)
            outs.append(states.flip(0) if direction else states)
        below_LCB = torch.cat(outs, dim=1) if directions == 2 else outs[0]
        if lstm.dropout > 0 and layer + 1 < lstm.num_layers:
            below_LCB = functional.dropout(below_LCB, lstm.dropout, lstm.training)
    out = below_LCB.permute(2, 0, 1) if lstm.batch_first else below_LCB.permute(0, 2, 1)
    return out, (torch.stack(last_states), torch.stack(last_cells))


def _input_weights(lstm: nn.LSTM, suffix: str) -> Tensor:
    """The weights of the input and, as those of a further input of ones, the biases: [4H, C + 1]."""
    weight = getattr(lstm, f"weight_ih{suffix}")
    if lstm.bias:
        bias = getattr(lstm, f"bias_ih{suffix}") + getattr(lstm, f"bias_hh{suffix}")
    else:
        bias = weight.new_zeros(len(weight))
    return torch.cat([weight, bias[:, None]], dim=1)


def _layer(own: "Sequences", x_LCB: Tensor, v: Tensor, h0: Tensor, c0: Tensor, w_hh: Tensor) -> tuple[Tensor, Tensor]:
    """States [L, H, B] and the last cells [H, B] of one direction of one layer."""
    x_LKB = torch.cat([x_LCB, x_LCB.new_ones(len(x_LCB), 1, x_LCB.shape[2])], dim=1)
    if torch.is_grad_enabled():
        states, cell = _Layer.apply(own, x_LKB, v, h0, c0, w_hh)
        return states, cell
    hiddens, cells = _rooms(x_LKB, (h0, c0))
    own.module.infer(*_sizes(x_LKB, (h0, c0)), *map(_flat, (x_LKB, v, w_hh, hiddens, cells)))
    return hiddens[1:], cells[-1]


class _Layer(torch.autograd.Function):
    """The recurrence of zoo.layers.recurrence, which shows the last cells too: a decoder may start from them."""

    @staticmethod
    def forward(
        ctx: Any, own: "Sequences", x_LKB: Tensor, v: Tensor, h0: Tensor, c0: Tensor, w_hh: Tensor
    ) -> tuple[Tensor, Tensor]:
        hiddens, cells = _rooms(x_LKB, (h0, c0))
        sizes = _sizes(x_LKB, (h0, c0))
        saved = [x_LKB.new_empty(sizes[1], *_size_of(shape, sizes[2], sizes[3])) for shape in own.saved]
        own.module.forward(*sizes, *map(_flat, (x_LKB, v, w_hh, hiddens, cells, *saved)))
        ctx.save_for_backward(x_LKB, v, w_hh, hiddens, cells, *saved)
        ctx.own = own
        return hiddens[1:], cells[-1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        d_states, d_cell = gradients
        x_LKB, v, w_hh, hiddens, cells, *saved = ctx.saved_tensors
        carries = [torch.zeros_like(hiddens[0]), d_cell.clone(memory_format=torch.contiguous_format)]
        fresh = [torch.empty_like(carry) for carry in carries]
        is_asked = ctx.needs_input_grad[1]
        d_x = torch.empty_like(x_LKB) if is_asked else x_LKB.new_empty(0)
        d_v, d_w = torch.zeros_like(v), torch.zeros_like(w_hh)
        tensors = (x_LKB, v, w_hh, hiddens, cells, *saved, d_states, *carries, *fresh, d_x, d_v, d_w)
        ctx.own.module.backward(*_sizes(x_LKB, carries), is_asked, *map(_flat, tensors))
        d_h0, d_c0 = carries if len(x_LKB) % 2 == 0 else fresh  # the two change places at each step
        return None, d_x if is_asked else None, d_v, d_h0, d_c0, d_w
