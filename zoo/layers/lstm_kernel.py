"""PyTorch's LSTM layers by compiled code, one node of the graph each, for training on a CPU."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from zoo.errors import first_line

BATCH_FIRST, TIME_FIRST = (1, 2, 0), (0, 2, 1)  # axes of an input as steps, channels, batch
TINY = 1e-30  # in place of 0 as the share of numbers that dropout keeps


@contextmanager
def compiled_lstms(layers: list[nn.LSTM]) -> Iterator[None]:
    """Inside, these layers run by compiled code, forward and back."""
    before = [layer.__dict__.get("forward") for layer in layers]
    for layer in layers:
        layer.__dict__["forward"] = partial(lstm_states, layer)
    try:
        yield
    finally:
        for layer, forward in zip(layers, before, strict=True):
            del layer.__dict__["forward"]
            if forward is not None:
                layer.__dict__["forward"] = forward


def replaceable(model: nn.Module) -> list[nn.LSTM]:
    """The LSTM layers of a model that compiled_lstms takes: those without a projection."""
    return [module for module in model.modules() if type(module) is nn.LSTM and not module.proj_size]


@lru_cache(maxsize=1)
def why_not_compiled() -> str | None:
    """Why nothing is compiled here; None where it is and gives PyTorch's numbers."""
    try:
        _compiled()
        return None if _agrees() else "compiled LSTM layers give other numbers than PyTorch's"
    except ImportError as error:
        return f"numba is not installed ({error})"
    except Exception as error:  # no BLAS, no folder for compiled code, a broken file in it
        return first_line(error)


def _agrees() -> bool:
    """Whether compiled code and PyTorch agree on a small example, whatever the process has set as defaults."""
    place: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}
    with (
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        torch.autocast("cpu", enabled=False),
        torch.random.fork_rng(devices=[]),
    ):
        lstm, x = nn.LSTM(2, 5, batch_first=True, **place), torch.randn(3, 4, 2, **place)
        outs = [run(lstm, x)[0] for run in (_by_compiled_code, nn.LSTM.forward)]
        gradients = [torch.autograd.grad(out.square().sum(), list(lstm.parameters())) for out in outs]
    pairs = [tuple(outs), *zip(*gradients, strict=True)]
    return all(torch.allclose(one, other, atol=1e-4) for one, other in pairs)


def lstm_states(
    lstm: nn.LSTM, x: Tensor, hx: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """What lstm(x, hx) returns, to float32's rounding; PyTorch's own for what the compiled code does not take."""
    is_free = not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()
    if is_free and _takes(lstm, x, hx) and why_not_compiled() is None:
        return _by_compiled_code(lstm, x, hx)
    return nn.LSTM.forward(lstm, x, hx)


def _takes(lstm: nn.LSTM, x: Tensor, hx: tuple[Tensor, Tensor] | None) -> bool:
    """Whether these are float32 on the CPU and have the shapes that nn.LSTM asks for: addresses tell nothing of it."""
    if not isinstance(x, Tensor) or x.dim() != 3 or x.numel() == 0 or x.shape[2] != lstm.input_size:
        return False
    batch = x.shape[0 if lstm.batch_first else 1]
    shape = (lstm.num_layers * (1 + lstm.bidirectional), batch, lstm.hidden_size)
    if hx is not None and not all(isinstance(part, Tensor) and part.shape == shape for part in hx):
        return False
    tensors = (x, *(hx or ()), lstm.weight_hh_l0)
    return all(tensor.dtype == torch.float32 and tensor.is_cpu for tensor in tensors)


def _by_compiled_code(
    lstm: nn.LSTM, x: Tensor, hx: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    axes = BATCH_FIRST if lstm.batch_first else TIME_FIRST
    shape = _Shape(lstm.num_layers, 1 + lstm.bidirectional, lstm.hidden_size, lstm.bias, axes)
    first_h, first_c = (None, None) if hx is None else hx
    weights = [weight for each in lstm.all_weights for weight in each]
    out, h, c = _Layers.apply(shape, lstm.dropout if lstm.training else 0.0, x, first_h, first_c, *weights)
    return out, (h, c)


class _Shape(NamedTuple):
    """layers, directions, size: of an nn.LSTM; axes: those of its input as steps, channels, batch."""

    layers: int
    directions: int
    size: int
    has_bias: bool
    axes: tuple[int, int, int]

    @property
    def back(self) -> tuple[int, int, int]:
        """The axes of its input, from steps, channels, batch."""
        return (2, 0, 1) if self.axes == BATCH_FIRST else TIME_FIRST

    def weights_of(self, layer: int, direction: int, weights: Sequence[Tensor]) -> list[Tensor]:
        """Those of one direction of one layer: of the input, of the state, two biases."""
        each, place = 4 if self.has_bias else 2, layer * self.directions + direction
        own = [weight.contiguous() for weight in weights[each * place : each * (place + 1)]]
        return own if self.has_bias else own + [own[0].new_zeros(4 * self.size)] * 2

    def sizes(self, direction: int, below: Tensor) -> tuple[int, ...]:
        """What the compiled functions take first, after the address of BLAS."""
        length, inputs, batch = below.shape
        return length, self.size, batch, inputs, self.directions * self.size, direction * self.size, direction


class _Layers(torch.autograd.Function):
    """All layers and directions of an nn.LSTM, which lie inside as [steps, rows, batch]: L, C or H, and B."""

    @staticmethod
    def forward(
        ctx: Any, shape: _Shape, dropout: float, x: Tensor, first_h: Tensor | None, first_c: Tensor | None,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        sequence, blas = _compiled()
        below = x.permute(shape.axes).contiguous()
        length, _, batch = below.shape
        places, room = shape.layers * shape.directions, shape.size * batch
        first = x.new_zeros(2, places, shape.size, batch)
        if first_h is not None and first_c is not None:
            first[0], first[1] = first_h.transpose(1, 2), first_c.transpose(1, 2)
        last, layers = torch.empty_like(first), []
        for layer in range(shape.layers):
            out = x.new_empty(length, shape.directions * shape.size, batch)
            inner = x.new_empty(shape.directions, 5, length * room)  # of each direction its gates, then its cells
            for direction in range(shape.directions):
                own = shape.weights_of(layer, direction, weights)
                place = layer * shape.directions + direction
                sequence.forward(
                    blas,
                    *shape.sizes(direction, below),
                    *_addresses(below, *own),
                    *_pair(first, place, places, room),
                    *_addresses(out),
                    *_gates_and_cells(inner, direction),
                    *_pair(last, place, places, room),
                )
            mask = None
            if dropout > 0 and layer + 1 < shape.layers:
                mask = torch.empty_like(out).bernoulli_(1 - dropout).div_(max(1 - dropout, TINY))
            layers.append((below, out, inner, mask))
            below = out if mask is None else out * mask
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, *weights)  # x, whose memory `below` may share, so that a change of it is noticed
        ctx.shape, ctx.layers, ctx.first = shape, layers, first
        return _copied(out, shape.axes == BATCH_FIRST), _copied(last[0], False), _copied(last[1], False)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_out: Tensor | None, d_h: Tensor | None, d_c: Tensor | None) -> tuple[Any, ...]:
        sequence, blas = _compiled()
        shape, first, (_, *weights) = ctx.shape, ctx.first, ctx.saved_tensors
        _, places, size, batch = first.shape
        room, d_ends = size * batch, torch.zeros_like(first)
        for number, given in enumerate((d_h, d_c)):
            if given is not None:
                d_ends[number] = given.transpose(1, 2)
        d_above = torch.zeros_like(ctx.layers[-1][1]) if d_out is None else d_out.permute(shape.axes).contiguous()
        d_weights: list[Tensor] = []
        for layer in reversed(range(shape.layers)):
            below, out, inner, mask = ctx.layers[layer]
            if mask is not None:
                d_above = d_above * mask
            is_asked = layer > 0 or ctx.needs_input_grad[2]
            d_below = torch.empty_like(below) if is_asked else below
            d_layer = []
            for direction in range(shape.directions):
                wi, wh, bias, _ = shape.weights_of(layer, direction, weights)
                d_own = [torch.empty_like(each) for each in (wi, wh, bias)]
                place = layer * shape.directions + direction
                sequence.backward(
                    blas,
                    *shape.sizes(direction, below),
                    is_asked,
                    direction == 0,
                    *_addresses(below, wi, wh),
                    *_pair(first, place, places, room),
                    *_addresses(out),
                    *_gates_and_cells(inner, direction),
                    *_addresses(d_above),
                    *_pair(d_ends, place, places, room),
                    *_addresses(d_below, *d_own),
                )
                d_layer += [*d_own, d_own[2].clone()] if shape.has_bias else d_own[:2]
            d_weights = d_layer + d_weights
            d_above = d_below
        d_x = d_above.permute(shape.back) if ctx.needs_input_grad[2] else None
        d_first = [d_ends[n].transpose(1, 2) if ctx.needs_input_grad[3 + n] else None for n in range(2)]
        return None, None, d_x, *d_first, *d_weights


def _copied(out: Tensor, is_batch_first: bool) -> Tensor:
    """A copy of [steps, rows, batch] as nn.LSTM gives it, in memory too; no view, so it may be changed in place."""
    steps, rows, batch = out.shape
    if is_batch_first:
        return out.new_empty_strided((batch, steps, rows), (rows, batch * rows, 1)).copy_(out.permute(2, 0, 1))
    return out.new_empty((steps, batch, rows)).copy_(out.transpose(1, 2))


def _addresses(*tensors: Tensor) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]


def _pair(states: Tensor, place: int, places: int, room: int) -> tuple[int, int]:
    """Where a place's state and cell lie in states [2, places, H, B], of which each has `room` numbers."""
    start, block = states.data_ptr(), states.element_size() * room
    return start + block * place, start + block * (places + place)


def _gates_and_cells(inner: Tensor, direction: int) -> tuple[int, int]:
    """Where those of a direction lie in inner [directions, 5, L * H * B]."""
    start, block = inner.data_ptr(), inner.element_size() * inner.shape[2]
    return start + 5 * block * direction, start + block * (5 * direction + 4)


@lru_cache(maxsize=1)
def _compiled() -> tuple[Any, int]:
    """The module of compiled functions, whose import takes a moment, and the address of BLAS."""
    from zoo.layers import lstm_sequence
    from zoo.layers.blas import blas_address

    return lstm_sequence, blas_address(torch.float32)
