"""A recurrence over any cell: its author writes one step, and this runs it over the window, forward and back.

On a CPU a step and its gradient are traced once and compiled to two functions of the whole sequence, in which the
input's product, the recurrent product and all pointwise functions of a step follow each other without Python. Measured
by benchmarks/bench_cells.py.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from zoo.layers.sequences import Sequences

State = tuple[Tensor, ...]


class Cell(nn.Module):
    """A layer of cells: the states [B, L, H] of x [B, L, C], the first one zero.

    A subclass says how many blocks of H numbers the input is projected to, how many states a step hands on (the first
    is the one that is shown), which weights a step has, and writes the step:

        class Elman(Cell):
            blocks, states = 1, 1

            @staticmethod
            def shapes(size):
                return {"recurrent": (size, size)}

            @staticmethod
            def step(z, state, weights):
                return (torch.addmm(z, weights[0], state[0]).tanh(),)

    z is [blocks * H, B], a state [H, B]: the batch is the last axis, so that a gate is one block of memory. The step is
    a pure function, without modules and random numbers. torch.addmm and split are fastest; a step that uses what is not
    compiled, as `why_not` tells, runs as a loop.
    """

    blocks: int
    states: int = 1

    def __init__(self, channels: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        shapes = self.shapes(hidden_size)
        self.input = nn.Parameter(torch.empty(self.blocks * hidden_size, channels))
        self.bias = nn.Parameter(torch.empty(self.blocks * hidden_size))
        self.names = tuple(shapes)
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)  # as nn.LSTM does

    @staticmethod
    def shapes(size: int) -> dict[str, tuple[int, ...]]:
        """The weights of a step by name, in the order in which the step gets them."""
        raise NotImplementedError

    @staticmethod
    def step(z: Tensor, state: State, weights: State) -> State:
        """The next state."""
        raise NotImplementedError

    def forward(self, x_BLC: Tensor) -> Tensor:
        initial = (x_BLC.new_zeros(self.hidden_size, x_BLC.shape[0]),) * self.states
        weights = tuple(self.get_parameter(name) for name in self.names)
        return recur(type(self), x_BLC.permute(1, 2, 0), self.input, self.bias, initial, weights).permute(2, 0, 1)


def recur(cell: type[Cell], x_LCB: Tensor, weight: Tensor, bias: Tensor, initial: State, weights: State) -> Tensor:
    """The first state after each step, [L, H, B], where a step gets z = weight @ x_t + bias.

    The result of compiled code can be differentiated once. A plain loop runs on other devices than the CPU, in other
    dtypes than float32 (float64 is compiled where `compiled` has been called for it), and while a graph is traced.
    """
    own = compiled_for(cell, x_LCB)
    if own is None:
        return plain_loop(cell, torch.matmul(weight, x_LCB) + bias[:, None], initial, weights)
    x_LKB = torch.cat([x_LCB, x_LCB.new_ones(len(x_LCB), 1, x_LCB.shape[2])], dim=1)
    v = torch.cat([weight, bias[:, None]], dim=1)
    if torch.is_grad_enabled():
        states: Tensor = _Recurrence.apply(own, len(initial), x_LKB, v, *initial, *weights)
        return states
    kept = _rooms(x_LKB, initial)
    own.module.infer(*_sizes(x_LKB, initial), *map(_flat, (x_LKB, v, *weights, *kept)))
    return kept[0][1:]


def compiled_for(cell: type[Cell], x_LCB: Tensor) -> "Sequences | None":
    """The compiled functions that recur runs on x, None where it runs a plain loop."""
    is_asked = x_LCB.dtype == torch.float32 or (cell, x_LCB.dtype) in _compiled
    is_plain = is_asked and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()
    return compiled(cell, x_LCB.dtype)[0] if x_LCB.device.type == "cpu" and is_plain else None


def plain_loop(cell: type[Cell], z_LZB: Tensor, initial: State, weights: State) -> Tensor:
    """What recur returns, step by step as autograd sees it."""
    states, state = [], initial
    for z_ZB in z_LZB.unbind():
        state = cell.step(z_ZB, state, weights)
        states.append(state[0])
    return torch.stack(states)


def why_not(cell: type[Cell], dtype: torch.dtype = torch.float32) -> str | None:
    """Why the step of a cell class runs as a plain loop on the CPU; None where it is compiled."""
    return compiled(cell, dtype)[1]


_compiled: "dict[tuple[type[Cell], torch.dtype], tuple[Sequences | None, str | None]]" = {}


def compiled(cell: type[Cell], dtype: torch.dtype) -> "tuple[Sequences | None, str | None]":
    """The compiled functions of a cell class, or None and the reason; found once."""
    if (cell, dtype) not in _compiled:
        _compiled[cell, dtype] = _compile(cell, dtype)
    return _compiled[cell, dtype]


def _compile(cell: type[Cell], dtype: torch.dtype) -> "tuple[Sequences | None, str | None]":
    """The compiled functions of a cell class, which give what the plain loop gives, or None and the reason."""
    try:
        from zoo.layers.blas import blas_address
        from zoo.layers.kernels import Unsupported
        from zoo.layers.sequences import sequences
    except ImportError as error:
        return None, f"numba is not installed ({error})"
    try:
        blas_address(dtype)
        own = sequences(cell, dtype)
        return (own, None) if _agrees(cell, own, dtype) else (None, "compiled, it gives other numbers than the loop")
    except (Unsupported, LookupError) as error:
        return None, str(error)


def _agrees(cell: type[Cell], own: "Sequences", dtype: torch.dtype) -> bool:
    """Whether compiled code and the loop agree on a small example, of other sizes than the trace: a weight whose size
    does not follow the hidden size would be read wrongly."""
    length, size, batch, channels = 3, 4, 6, 2
    random = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return (0.5 * torch.randn(shape, dtype=dtype, generator=random)).requires_grad_()

    with torch.inference_mode(mode=False), torch.enable_grad():  # the first use may be an inference
        x, v = drawn(length, channels, batch), drawn(cell.blocks * size, channels)
        tensors = [
            x,
            v,
            *(drawn(size, batch) for _ in range(cell.states)),
            *map(_star(drawn), cell.shapes(size).values()),
        ]
        initial, weights = tuple(tensors[2 : 2 + cell.states]), tuple(tensors[2 + cell.states :])
        results = [
            _Recurrence.apply(own, cell.states, x, v, *initial, *weights),
            plain_loop(cell, torch.matmul(v, x), initial, weights),
        ]
        shown = drawn(*results[0].shape).detach()
        grads = [torch.autograd.grad(result, tensors, shown, allow_unused=True) for result in results]
    pairs = [tuple(results), *zip(*grads, strict=True)]
    near = 1e-4 if dtype == torch.float32 else 1e-10
    return all(
        torch.allclose(one, other if other is not None else torch.zeros_like(one), atol=near) for one, other in pairs
    )


def _star(function: Any) -> Any:
    return lambda arguments: function(*arguments)


class _Recurrence(torch.autograd.Function):
    """x_LKB: the inputs of each step; v [Z, K]: the weights of the input's product, which is z."""

    @staticmethod
    def forward(ctx: Any, own: "Sequences", states: int, x_LKB: Tensor, v: Tensor, *tensors: Tensor) -> Tensor:
        initial, weights = tensors[:states], tensors[states:]
        kept = _rooms(x_LKB, initial)
        sizes = _sizes(x_LKB, initial)
        saved = [x_LKB.new_empty(sizes[1], *_size_of(shape, sizes[2], sizes[3])) for shape in own.saved]
        own.module.forward(*sizes, *map(_flat, (x_LKB, v, *weights, *kept, *saved)))
        ctx.save_for_backward(x_LKB, v, *weights, *kept, *saved)
        ctx.own, ctx.count = own, (states, len(weights))
        return kept[0][1:]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        own, (states, count) = ctx.own, ctx.count
        x_LKB, v, *others = ctx.saved_tensors
        weights, kept, saved = others[:count], others[count : count + states], others[count + states :]
        carries = [torch.zeros_like(room[0]) for room in kept]
        fresh = [torch.empty_like(carry) for carry in carries]
        is_asked = ctx.needs_input_grad[2]
        d_x = torch.empty_like(x_LKB) if is_asked else x_LKB.new_empty(0)
        d_v, d_weights = torch.zeros_like(v), [torch.zeros_like(weight) for weight in weights]
        tensors = (x_LKB, v, *weights, *kept, *saved, gradients[0], *carries, *fresh, d_x, d_v, *d_weights)
        own.module.backward(*_sizes(x_LKB, carries), is_asked, *map(_flat, tensors))
        d_initial = carries if len(x_LKB) % 2 == 0 else fresh  # the two change places at each step
        return None, None, d_x if is_asked else None, d_v, *d_initial, *d_weights


def _rooms(x_LKB: Tensor, initial: State) -> list[Tensor]:
    """For each state its values before the first and after every step [L + 1, H, B], the first one filled in."""
    kept = [x_LKB.new_empty(len(x_LKB) + 1, *start.shape) for start in initial]
    for room, start in zip(kept, initial, strict=True):
        room[0] = start
    return kept


def _sizes(x_LKB: Tensor, initial: Sequence[Tensor]) -> tuple[int, int, int, int, int]:
    """What compiled functions take first: the address of BLAS, L, H, B and K."""
    from zoo.layers.blas import blas_address

    length, inputs, batch = x_LKB.shape
    return blas_address(x_LKB.dtype), length, len(initial[0]), batch, inputs


def _size_of(shape: Sequence[int], hidden: int, batch: int) -> list[int]:
    """The sizes that a shape of a trace stands for."""
    from zoo.layers.kernels import BATCH, SIZE

    return [batch if size == BATCH else size // SIZE * hidden if size % SIZE == 0 else size for size in shape]


def _flat(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().view(-1).numpy()
