"""LSTM layers of many models on a GPU as one kernel for the whole window, forward and back (Triton).

A program runs all steps of one model and 16 of its samples, with the recurrent weights in shared memory, so that a step
costs neither a launch nor a read of the weights. Products are those of three TF32 ones, near float32's precision.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

LARGEST = 64  # hidden units whose weights fit beside each other in shared memory
ROWS = 16  # samples of a program: the least that a tensor core multiplies
WARPS = 8
PRECISION = tl.constexpr("tf32x3")


@triton.jit
def _tanh(x):
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit
def _forward(
    z, h0, c0, w, w_out, out, hiddens, cells, gates,
    batch, size, shown,
    LENGTH: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, IS_PROJECTED: tl.constexpr,
):  # fmt: skip
    model = tl.program_id(0)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    cols = tl.arange(0, WIDTH)  # also of the states that are shown: narrower tiles are twice as slow
    in_hidden = (rows < batch)[:, None] & (cols < size)[None, :]
    in_shown = (rows < batch)[:, None] & (cols < shown)[None, :]
    at_hidden = rows[:, None] * size + cols[None, :]
    at_shown = rows[:, None] * shown + cols[None, :]
    at_gate = rows[:, None] * 4 * size + cols[None, :]
    hidden_step = batch * size
    shown_step = batch * shown
    first = model.to(tl.int64) * LENGTH  # steps of the models before this one
    # w [4 * size, shown] of this model, each gate's block transposed: [shown, size]
    at_w = model * 4 * size * shown + cols[None, :] * shown + cols[:, None]
    in_w = (cols < shown)[:, None] & (cols < size)[None, :]
    block = size * shown
    w_i = tl.load(w + at_w, mask=in_w, other=0.0)
    w_f = tl.load(w + at_w + block, mask=in_w, other=0.0)
    w_g = tl.load(w + at_w + 2 * block, mask=in_w, other=0.0)
    w_o = tl.load(w + at_w + 3 * block, mask=in_w, other=0.0)
    if IS_PROJECTED:  # w_out [shown, size], transposed
        at_out = model * block + cols[None, :] * size + cols[:, None]
        w_p = tl.load(w_out + at_out, mask=(cols < size)[:, None] & (cols < shown)[None, :], other=0.0)
    z += first * 4 * hidden_step
    gates += first * 4 * hidden_step
    out += first * shown_step
    hiddens += first * hidden_step
    cells += (first + model) * hidden_step
    h = tl.load(h0 + model * shown_step + at_shown, mask=in_shown, other=0.0)
    c = tl.load(c0 + model * hidden_step + at_hidden, mask=in_hidden, other=0.0)
    tl.store(cells + at_hidden, c, mask=in_hidden)
    i_next = tl.load(z + at_gate, mask=in_hidden, other=0.0)
    f_next = tl.load(z + at_gate + size, mask=in_hidden, other=0.0)
    g_next = tl.load(z + at_gate + 2 * size, mask=in_hidden, other=0.0)
    o_next = tl.load(z + at_gate + 3 * size, mask=in_hidden, other=0.0)
    for t in range(LENGTH):
        i, f, g, o = i_next, f_next, g_next, o_next
        z += 4 * hidden_step
        is_more = in_hidden & (t + 1 < LENGTH)  # the next step's numbers are on their way during this one's products
        i_next = tl.load(z + at_gate, mask=is_more, other=0.0)
        f_next = tl.load(z + at_gate + size, mask=is_more, other=0.0)
        g_next = tl.load(z + at_gate + 2 * size, mask=is_more, other=0.0)
        o_next = tl.load(z + at_gate + 3 * size, mask=is_more, other=0.0)
        i = tl.sigmoid(tl.dot(h, w_i, acc=i, input_precision=PRECISION))
        f = tl.sigmoid(tl.dot(h, w_f, acc=f, input_precision=PRECISION))
        g = _tanh(tl.dot(h, w_g, acc=g, input_precision=PRECISION))
        o = tl.sigmoid(tl.dot(h, w_o, acc=o, input_precision=PRECISION))
        c = f * c + i * g
        hidden = o * _tanh(c)
        tl.store(gates + at_gate, i, mask=in_hidden)
        tl.store(gates + at_gate + size, f, mask=in_hidden)
        tl.store(gates + at_gate + 2 * size, g, mask=in_hidden)
        tl.store(gates + at_gate + 3 * size, o, mask=in_hidden)
        gates += 4 * hidden_step
        cells += hidden_step
        tl.store(cells + at_hidden, c, mask=in_hidden)
        if IS_PROJECTED:
            tl.store(hiddens + at_hidden, hidden, mask=in_hidden)
            hiddens += hidden_step
            h = tl.dot(hidden, w_p, input_precision=PRECISION)
        else:
            h = hidden
        tl.store(out + at_shown, h, mask=in_shown)
        out += shown_step


@triton.jit
def _backward(
    d_states, d_last, w, w_out, cells, gates, d_z, d_shown, d_h0, d_c0,
    batch, size, shown,
    LENGTH: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, IS_PROJECTED: tl.constexpr,
):  # fmt: skip
    model = tl.program_id(0)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    cols = tl.arange(0, WIDTH)  # also of the states that are shown: narrower tiles are twice as slow
    in_hidden = (rows < batch)[:, None] & (cols < size)[None, :]
    in_shown = (rows < batch)[:, None] & (cols < shown)[None, :]
    at_hidden = rows[:, None] * size + cols[None, :]
    at_shown = rows[:, None] * shown + cols[None, :]
    at_gate = rows[:, None] * 4 * size + cols[None, :]
    hidden_step = batch * size
    shown_step = batch * shown
    first = model.to(tl.int64) * LENGTH  # steps of the models before this one
    at_w = model * 4 * size * shown + cols[:, None] * shown + cols[None, :]
    in_w = (cols < size)[:, None] & (cols < shown)[None, :]
    block = size * shown
    w_i = tl.load(w + at_w, mask=in_w, other=0.0)
    w_f = tl.load(w + at_w + block, mask=in_w, other=0.0)
    w_g = tl.load(w + at_w + 2 * block, mask=in_w, other=0.0)
    w_o = tl.load(w + at_w + 3 * block, mask=in_w, other=0.0)
    if IS_PROJECTED:
        at_out = model * block + cols[:, None] * size + cols[None, :]
        w_p = tl.load(w_out + at_out, mask=(cols < shown)[:, None] & (cols < size)[None, :], other=0.0)
    last = first + LENGTH - 1
    d_states += last * shown_step
    d_shown += last * shown_step
    gates += last * 4 * hidden_step
    d_z += last * 4 * hidden_step
    cells += (last + 1 + model) * hidden_step
    carry = tl.zeros((ROWS, WIDTH), dtype=tl.float32)
    d_c = tl.load(d_last + model * hidden_step + at_hidden, mask=in_hidden, other=0.0)
    after = tl.load(cells + at_hidden, mask=in_hidden, other=0.0)
    before_next = tl.load(cells - hidden_step + at_hidden, mask=in_hidden, other=0.0)
    i_next = tl.load(gates + at_gate, mask=in_hidden, other=0.0)
    f_next = tl.load(gates + at_gate + size, mask=in_hidden, other=0.0)
    g_next = tl.load(gates + at_gate + 2 * size, mask=in_hidden, other=0.0)
    o_next = tl.load(gates + at_gate + 3 * size, mask=in_hidden, other=0.0)
    d_next = tl.load(d_states + at_shown, mask=in_shown, other=0.0)
    for t in range(LENGTH):
        i, f, g, o, before, d_h = i_next, f_next, g_next, o_next, before_next, d_next + carry
        cells -= hidden_step
        gates -= 4 * hidden_step
        d_states -= shown_step
        is_more = t + 1 < LENGTH
        before_next = tl.load(cells - hidden_step + at_hidden, mask=in_hidden & is_more, other=0.0)
        i_next = tl.load(gates + at_gate, mask=in_hidden & is_more, other=0.0)
        f_next = tl.load(gates + at_gate + size, mask=in_hidden & is_more, other=0.0)
        g_next = tl.load(gates + at_gate + 2 * size, mask=in_hidden & is_more, other=0.0)
        o_next = tl.load(gates + at_gate + 3 * size, mask=in_hidden & is_more, other=0.0)
        d_next = tl.load(d_states + at_shown, mask=in_shown & is_more, other=0.0)
        if IS_PROJECTED:
            tl.store(d_shown + at_shown, d_h, mask=in_shown)
            d_shown -= shown_step
            d_hidden = tl.dot(d_h, w_p, input_precision=PRECISION)
        else:
            d_hidden = d_h
        squashed = _tanh(after)
        d_o = d_hidden * squashed * o * (1 - o)
        d_c += d_hidden * o * (1 - squashed * squashed)
        d_i = d_c * g * i * (1 - i)
        d_f = d_c * before * f * (1 - f)
        d_g = d_c * i * (1 - g * g)
        d_c = d_c * f
        after = before
        tl.store(d_z + at_gate, d_i, mask=in_hidden)
        tl.store(d_z + at_gate + size, d_f, mask=in_hidden)
        tl.store(d_z + at_gate + 2 * size, d_g, mask=in_hidden)
        tl.store(d_z + at_gate + 3 * size, d_o, mask=in_hidden)
        d_z -= 4 * hidden_step
        carry = tl.dot(d_i, w_i, input_precision=PRECISION)
        carry = tl.dot(d_f, w_f, acc=carry, input_precision=PRECISION)
        carry = tl.dot(d_g, w_g, acc=carry, input_precision=PRECISION)
        carry = tl.dot(d_o, w_o, acc=carry, input_precision=PRECISION)
    tl.store(d_h0 + model * shown_step + at_shown, carry, mask=in_shown)
    tl.store(d_c0 + model * hidden_step + at_hidden, d_c, mask=in_hidden)


def _launch(models: int, batch: int, size: int) -> tuple[tuple[int, int], dict[str, int]]:
    """The grid of programs and the sizes that a kernel is compiled for."""
    width = max(16, triton.next_power_of_2(size))
    return (models, triton.cdiv(batch, ROWS)), {"WIDTH": width, "ROWS": ROWS, "num_warps": WARPS}


def forward(
    z: Tensor, h0: Tensor, c0: Tensor, w_hh: Tensor, w_hr: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """States [K, L, B, P], hidden states before the projection, cells [K, L + 1, B, H] and gates [K, L, B, 4H]."""
    models, length, batch, width = z.shape
    size, shown = width // 4, h0.shape[-1]
    out, gates = z.new_empty(models, length, batch, shown), z.new_empty(z.shape)
    cells = z.new_empty(models, length + 1, batch, size)
    hiddens = z.new_empty(models, length, batch, size) if w_hr is not None else None
    grid, options = _launch(models, batch, size)
    tensors = (z, h0, c0, w_hh, w_hr if w_hr is not None else w_hh)
    with on_device_of(z):
        _forward[grid](
            *(tensor.contiguous() for tensor in tensors), out, out if hiddens is None else hiddens, cells, gates,
            batch, size, shown, LENGTH=length, IS_PROJECTED=w_hr is not None, **options,
        )  # fmt: skip
    return out, hiddens, cells, gates


def backward(
    d_states: Tensor, d_last: Tensor, w_hh: Tensor, w_hr: Tensor | None, cells: Tensor, gates: Tensor
) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """The gradients of z, of the states with all that came from later steps (None: no projection), of h0 and c0."""
    models, length, batch, shown = d_states.shape
    size = cells.shape[-1]
    d_z, d_c0 = gates.new_empty(gates.shape), gates.new_empty(models, batch, size)
    d_shown = gates.new_empty(d_states.shape) if w_hr is not None else None
    d_h0 = gates.new_empty(models, batch, shown)
    grid, options = _launch(models, batch, size)
    tensors = (d_states, d_last, w_hh, w_hr if w_hr is not None else w_hh)
    with on_device_of(gates):
        _backward[grid](
            *(tensor.contiguous() for tensor in tensors), cells, gates, d_z, d_z if d_shown is None else d_shown,
            d_h0, d_c0, batch, size, shown, LENGTH=length, IS_PROJECTED=w_hr is not None, **options,
        )  # fmt: skip
    return d_z, d_shown, d_h0, d_c0


def on_device_of(tensor: Tensor) -> AbstractContextManager[Any]:
    """Inside, kernels start on the tensor's GPU; nothing on a CPU, where Triton can interpret them."""
    return torch.cuda.device(tensor.device) if tensor.device.type == "cuda" else nullcontext()
