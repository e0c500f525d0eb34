"""The states of an LSTM with a recurrent projection, faster on CPU than PyTorch's own path.

With proj_size PyTorch leaves oneDNN for a loop of small operations. This loop computes the same function with
fewer and cheaper ones: bias, input and state enter each step in one matrix product, one sigmoid serves all gates
(tanh(z) = 2 sigmoid(2z) - 1, and sigmoid is several times cheaper here), and the gradients of the weights are
summed in place. Measured by benchmarks/bench_projected.py.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from zoo.layers.batched import one_projected_layer

CHUNK = 8  # steps whose derivatives are made at once: enough to spare calls, few enough to stay in the cache


def projected_states(lstm: nn.LSTM, x: Tensor) -> Tensor:
    """What lstm(x)[0] returns: states [B, L, P] of x [B, L, C], for one batch-first layer with proj_size P.

    In float32 and float64 on CPU by the loop here, on CUDA by zoo.layers.batched; both can be differentiated once.
    Elsewhere, while a graph is traced, and in a stack of models, by lstm itself.
    """
    kind = x.device.type
    is_plain = kind in ("cpu", "cuda") and x.dtype in (torch.float32, torch.float64)
    is_stacked = "forward" in vars(lstm)
    is_own = is_plain and not torch.is_autocast_enabled(kind) and not is_stacked and not torch.compiler.is_compiling()
    if is_own and kind == "cuda":
        return one_projected_layer(lstm, x)
    if not is_own:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
            states: Tensor = lstm(x)[0]
        return states
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0")
    weights: list[Tensor] = [getattr(lstm, name) for name in names]
    if torch.is_grad_enabled():
        return _Recurrence.apply(x, *weights)
    stream, *_ = _run(x, *weights, is_kept=False)
    return stream[1:, : lstm.proj_size].permute(2, 0, 1)


def _run(
    x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, w_hr: Tensor, *, is_kept: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The recurrence over L steps, the batch along the last axis so that each gate is one block of memory.

    Returns stream [L + 1, P + C + 1, B] (what each step multiplies: the state before it, its input, 1), gates
    [L, 4H, B] in PyTorch's order i, f, g, o with g as tanh / 2, doubled cells [L + 1, H, B], and the weights
    [4H, P + C + 1] of the stream. Without is_kept gates and cells are those of the last step alone.
    """
    length, size = x.shape[1], w_hr.shape[1]
    projected, batch, channels = w_hr.shape[0], x.shape[0], x.shape[2]
    weights = torch.cat([w_hh, w_ih, (b_ih + b_hh)[:, None]], dim=1)
    doubled = weights.clone()
    doubled[2 * size : 3 * size] *= 2  # for tanh by sigmoid
    w_out, half = 2 * w_hr, x.new_tensor(0.5)
    stream = x.new_empty(length + 1, projected + channels + 1, batch)
    stream[:length, projected:-1] = x.permute(1, 2, 0)
    stream[:, -1] = 1
    stream[0, :projected] = 0
    steps, states = stream.unbind(), stream[1:, :projected].unbind()
    kept = length if is_kept else 1
    gates, cells = x.new_empty(kept, 4 * size, batch), x.new_empty(kept + is_kept, size, batch)
    cells[0] = 0
    out = x.new_empty(size, batch)
    if is_kept:
        i, f, g, o = (gate.unbind() for gate in gates.split(size, dim=1))
        each = zip(steps, states, gates.unbind(), i, f, g, o, cells.unbind(), cells[1:].unbind(), strict=False)
        for step, state, all_t, i_t, f_t, g_t, o_t, before, cell in each:
            all_t.addmm_(doubled, step, beta=0).sigmoid_()
            g_t.sub_(half)
            torch.mul(before, f_t, out=cell).addcmul_(i_t, g_t, value=4)
            torch.sigmoid(cell, out=out).sub_(half).mul_(o_t)
            state.addmm_(w_out, out, beta=0)
    else:
        all_t, cell = gates[0], cells[0]
        i_t, f_t, g_t, o_t = all_t.split(size)
        for step, state in zip(steps, states, strict=False):
            all_t.addmm_(doubled, step, beta=0).sigmoid_()
            g_t.sub_(half)
            cell.mul_(f_t).addcmul_(i_t, g_t, value=4)
            torch.sigmoid(cell, out=out).sub_(half).mul_(o_t)
            state.addmm_(w_out, out, beta=0)
    return stream, gates, cells, weights


class _Recurrence(torch.autograd.Function):
    """The recurrence with its gradient by backpropagation through time, written out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        stream, gates, cells, joined = _run(x, *weights, is_kept=True)
        ctx.save_for_backward(stream, gates, cells, joined, weights[-1])
        return stream[1:, : weights[-1].shape[0]].permute(2, 0, 1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        stream, gates, cells, weights, w_hr = ctx.saved_tensors
        (length, _, batch), (projected, size) = gates.shape, w_hr.shape
        back_to_state = weights[:, :projected].T.contiguous()
        back_to_input = weights[:, projected:-1].T.contiguous()
        back_to_cell = (2 * w_hr).T.contiguous()
        d_states = gates.new_empty(length, projected, batch).copy_(gradients[0].permute(1, 2, 0))
        d_input = gates.new_empty(length, len(back_to_input), batch) if ctx.needs_input_grad[0] else None
        d_weights, d_w_hr = weights.new_zeros(weights.T.shape), torch.zeros_like(w_hr)
        d_cell, d_out = cells.new_zeros(size, batch), cells.new_empty(size, batch)
        room = gates.new_empty(CHUNK, 4, size, batch)
        slopes, outs = cells.new_empty(2, CHUNK, size, batch).unbind()
        later: Tensor | None = None  # the gates' gradient one step later
        times = torch.ops.aten.sigmoid_backward.grad_input  # (a, s) -> a * s * (1 - s)
        for end in range(length, 0, -CHUNK):
            start = max(0, end - CHUNK)
            i, f, g, o = gates[start:end].split(size, dim=1)
            d_gates, slope, out = room[: end - start], slopes[: end - start], outs[: end - start]
            # All that does not wait for the gradient of a later step: d out / d cell, and of each gate the
            # factor beside d cell (i, f, g) or d out (o).
            torch.sigmoid(cells[start + 1 : end + 1], out=out)
            times(o, out, grad_input=slope)
            out.sub_(0.5)
            times(g, i, grad_input=d_gates[:, 0])
            times(cells[start:end], f, grad_input=d_gates[:, 1])
            torch.mul(g, g, out=d_gates[:, 2]).mul_(-2).add_(0.5).mul_(i)
            d_gates[:, 0:3:2].mul_(4)
            times(out, o, grad_input=d_gates[:, 3])
            flat = d_gates.view(end - start, 4 * size, batch)
            backwards = (flat, d_states[start:end], d_gates[:, :3], d_gates[:, 3], slope, f)
            for all_t, d_state, ifg_t, o_t, slope_t, f_t in zip(*(v.unbind()[::-1] for v in backwards), strict=True):
                if later is not None:
                    d_state.addmm_(back_to_state, later)
                d_out.addmm_(back_to_cell, d_state, beta=0)
                d_cell.addcmul_(d_out, slope_t)
                o_t.mul_(d_out)
                ifg_t.mul_(d_cell)
                d_cell.mul_(f_t)
                later = all_t
            later = flat[0].clone()  # its room is the next chunk's
            d_weights.addbmm_(stream[start:end], flat.transpose(1, 2))
            d_w_hr.addbmm_(d_states[start:end], out.mul_(o).transpose(1, 2), alpha=2)
            if d_input is not None:
                torch.matmul(back_to_input, flat, out=d_input[start:end])
        d_w_hh, d_w_ih, d_bias = d_weights.T.split([projected, len(back_to_input), 1], dim=1)
        d_x = d_input.permute(2, 0, 1) if d_input is not None else None
        return d_x, d_w_ih, d_w_hh, d_bias[:, 0], d_bias[:, 0], d_w_hr
