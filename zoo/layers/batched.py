"""LSTM layers of many models at once: what each step needs of all of them is one product and one pointwise kernel.

cuDNN runs one model's layer; K small ones after another leave a GPU almost idle. Here the weights carry a leading axis
K, so that a step of all models is one batched product and one fused cell. It also runs a single LSTM with a
recurrent projection, for which cuDNN takes a slow path.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def stackable_lstm(lstm: nn.LSTM, x: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Any]:
    """What lstm(x, hx) returns for batched x, by operations that torch.vmap can run over a leading axis of models."""
    below_LBC = x.transpose(0, 1) if lstm.batch_first else x
    directions = 2 if lstm.bidirectional else 1
    out_size = lstm.proj_size or lstm.hidden_size
    shape = below_LBC.shape[1]
    last_states, last_cells = [], []
    for layer in range(lstm.num_layers):
        outs = []
        for direction in range(directions):
            suffix = f"_l{layer}" + ("_reverse" if direction else "")
            place = layer * directions + direction
            h0 = x.new_zeros(shape, out_size) if hx is None else hx[0][place]
            c0 = x.new_zeros(shape, lstm.hidden_size) if hx is None else hx[1][place]
            z = _product(below_LBC, lstm, suffix)
            projection = getattr(lstm, f"weight_hr{suffix}") if lstm.proj_size else None
            z = z.flip(0) if direction else z
            states, cell = _UnderVmap.apply(z, h0, c0, getattr(lstm, f"weight_hh{suffix}"), projection)
            last_states.append(states[-1])
            last_cells.append(cell)
            outs.append(states.flip(0) if direction else states)
        below_LBC = torch.cat(outs, dim=-1) if directions == 2 else outs[0]
        if lstm.dropout > 0 and layer + 1 < lstm.num_layers:
            below_LBC = functional.dropout(below_LBC, lstm.dropout, lstm.training)
    out = below_LBC.transpose(0, 1) if lstm.batch_first else below_LBC
    return out, (torch.stack(last_states), torch.stack(last_cells))


def _product(x_LBC: Tensor, lstm: nn.LSTM, suffix: str) -> Tensor:
    """The inputs' product with its bias, which is a weight of an input of ones: so both gradients are one product."""
    weight = getattr(lstm, f"weight_ih{suffix}")
    if not lstm.bias:
        return functional.linear(x_LBC, weight)
    bias = getattr(lstm, f"bias_ih{suffix}") + getattr(lstm, f"bias_hh{suffix}")
    ones = x_LBC.new_ones(*x_LBC.shape[:2], 1)
    return functional.linear(torch.cat([x_LBC, ones], dim=2), torch.cat([weight, bias[:, None]], dim=1))


def one_projected_layer(lstm: nn.LSTM, x: Tensor) -> Tensor:
    """The states [B, L, P] of one batch-first layer with proj_size P, which starts at zero."""
    z = _product(x.transpose(0, 1), lstm, "_l0")
    w_hh, w_hr = map(lstm.get_parameter, ("weight_hh_l0", "weight_hr_l0"))
    zeros = x.new_zeros(1, len(x), lstm.hidden_size)
    states, _ = ManyLayers.apply(z[None], zeros[..., : lstm.proj_size], zeros, w_hh[None], w_hr[None])
    return states[0].transpose(0, 1)


class ManyLayers(torch.autograd.Function):
    """One layer of K models: states [K, L, B, P] and the last cells [K, B, H] of z [K, L, B, 4H].

    z: the inputs' product with its bias, gates in PyTorch's order i, f, g, o. h0 [K, B, P], c0 [K, B, H], w_hh
    [K, 4H, P], w_hr [K, P, H], or None where P = H. Can be differentiated once.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, h0: Tensor, c0: Tensor, w_hh: Tensor, w_hr: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        own = persistent(z)
        run: Any = own.forward if own is not None else _forward
        out, hiddens, cells, gates = run(z.contiguous(), h0, c0, w_hh, w_hr)
        ctx.save_for_backward(h0, w_hh, w_hr, out, hiddens, cells, gates)
        return out, cells[:, -1]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        h0, w_hh, w_hr, out, hiddens, cells, gates = ctx.saved_tensors
        own = persistent(gates)
        run: Any = own.backward if own is not None else _backward
        d_z, d_shown, d_h0, d_c0 = run(*gradients, w_hh, w_hr, cells, gates)
        d_w_hh = torch.bmm(d_z[:, 0].transpose(1, 2), h0)
        d_w_hh.baddbmm_(d_z[:, 1:].flatten(1, 2).transpose(1, 2), out[:, :-1].flatten(1, 2))
        d_w_hr = None if d_shown is None else torch.bmm(d_shown.flatten(1, 2).transpose(1, 2), hiddens.flatten(1, 2))
        return d_z, d_h0, d_c0, d_w_hh, d_w_hr


def persistent(z: Tensor) -> Any:
    """The module of kernels that run a whole window, where there is one for layers of this size; else None."""
    if z.device.type != "cuda" or z.dtype != torch.float32:
        return None
    try:
        from zoo.layers import persistent as kernels
    except ImportError:  # no Triton
        return None
    return kernels if z.shape[-1] <= 4 * kernels.LARGEST else None


def _forward(
    z: Tensor, h0: Tensor, c0: Tensor, w_hh: Tensor, w_hr: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """States [K, L, B, P], hidden states before the projection, cells [K, L + 1, B, H] and gates [K, L, B, 4H]."""
    models, _, batch, width = z.shape
    recurrent = w_hh.transpose(1, 2)
    project = w_hr.transpose(1, 2) if w_hr is not None else None
    state, cell = h0, c0.reshape(models * batch, width // 4)
    states, hiddens, cells, gates = [], [], [cell], []
    for z_t in z.unbind(1):
        product = torch.bmm(state, recurrent).view(models * batch, width)
        hidden, cell, gate = _cell(z_t.reshape(models * batch, width), product, cell)
        state = hidden.view(models, batch, -1)
        hiddens.append(state)
        if project is not None:
            state = torch.bmm(state, project)
        states.append(state)
        cells.append(cell)
        gates.append(gate)
    kept = torch.stack(hiddens, 1) if w_hr is not None else None
    cells_KLBH, gates_KLBZ = (
        torch.stack(parts).unflatten(1, (models, batch)).transpose(0, 1) for parts in (cells, gates)
    )
    return torch.stack(states, 1), kept, cells_KLBH, gates_KLBZ


def _backward(
    d_states: Tensor, d_last: Tensor, w_hh: Tensor, w_hr: Tensor | None, cells: Tensor, gates: Tensor
) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """The gradients of z, of the states with all that came from later steps (None: no projection), of h0 and c0."""
    models, length, batch, _ = d_states.shape
    cells_LNH, gates_LNZ = (part.transpose(0, 1).flatten(1, 2) for part in (cells, gates))
    d_cell = d_last.reshape(cells_LNH[0].shape)
    d_state = d_states[:, -1]
    d_gates: list[Tensor] = []
    d_shown = []
    for t in range(length - 1, -1, -1):
        if d_gates:
            d_state = torch.baddbmm(d_states[:, t], d_gates[-1], w_hh)
        d_shown.append(d_state)
        d_hidden = d_state if w_hr is None else torch.bmm(d_state, w_hr)
        d_gate, d_cell = _cell_backward(
            d_hidden.reshape(d_cell.shape), d_cell, cells_LNH[t], cells_LNH[t + 1], gates_LNZ[t]
        )
        d_gates.append(d_gate.view(models, batch, -1))
    d_h0 = torch.bmm(d_gates[-1], w_hh)
    shown = torch.stack(d_shown[::-1], 1) if w_hr is not None else None
    return torch.stack(d_gates[::-1], 1), shown, d_h0, d_cell.view(models, batch, -1)


class _UnderVmap(torch.autograd.Function):
    """ManyLayers for a model under torch.vmap, which sees its own layer alone."""

    @staticmethod
    def forward(*_: Tensor | None) -> tuple[Tensor, Tensor]:
        raise RuntimeError("stackable_lstm runs under torch.vmap only")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, *tensors: Tensor | None) -> tuple[Any, Any]:
        z, h0, c0, w_hh, w_hr = (
            None if tensor is None else _leading(tensor, dim, info.batch_size)
            for tensor, dim in zip(tensors, in_dims, strict=True)
        )
        assert z is not None
        return ManyLayers.apply(z, h0, c0, w_hh, w_hr), (0, 0)


def _leading(tensor: Tensor, dim: int | None, count: int) -> Tensor:
    """The tensor with its axis of models first; one that all models share is seen by each."""
    return tensor.expand(count, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _cell(z: Tensor, product: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The hidden state [N, H], the cell [N, H] and the gates [N, 4H] after a step."""
    if z.device.type == "cuda":
        result: tuple[Tensor, Tensor, Tensor] = torch.ops.aten._thnn_fused_lstm_cell(z, product, cell, None, None)
        return result
    i, f, g, o = (z + product).chunk(4, dim=1)
    gates = torch.cat([i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()], dim=1)
    i, f, g, o = gates.chunk(4, dim=1)
    after = f * cell + i * g
    return o * after.tanh(), after, gates


def _cell_backward(
    d_hidden: Tensor, d_cell: Tensor, before: Tensor, after: Tensor, gates: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of z [N, 4H] and of the cell before the step [N, H]."""
    if gates.device.type == "cuda":
        d_z, d_before, _ = torch.ops.aten._thnn_fused_lstm_cell_backward_impl(
            d_hidden, d_cell, before, after, gates, False
        )
        return d_z, d_before
    i, f, g, o = gates.chunk(4, dim=1)
    squashed = after.tanh()
    d_cell = d_cell + d_hidden * o * (1 - squashed**2)
    d_o = d_hidden * squashed * o * (1 - o)
    d_i, d_f, d_g = d_cell * g * i * (1 - i), d_cell * before * f * (1 - f), d_cell * i * (1 - g**2)
    return torch.cat([d_i, d_f, d_g, d_o], dim=1), d_cell * f
