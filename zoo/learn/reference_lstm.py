"""The LSTM written from its six equations: slow, to read, and equal to torch.nn.LSTM.

For input x_t, state h_t-1 and cell c_t-1, with the logistic function s:

    i_t = s(W_ii x_t + b_ii + W_hi h_t-1 + b_hi)        input gate: how much of the candidate enters
    f_t = s(W_if x_t + b_if + W_hf h_t-1 + b_hf)        forget gate: how much of the cell stays
    g_t = tanh(W_ig x_t + b_ig + W_hg h_t-1 + b_hg)     candidate: what could enter
    o_t = s(W_io x_t + b_io + W_ho h_t-1 + b_ho)        output gate: how much of the cell shows
    c_t = f_t * c_t-1 + i_t * g_t                       cell: what is remembered
    h_t = o_t * tanh(c_t)                               state: what is shown;  with a projection: W_hr (o_t * tanh(c_t))

Source: Hochreiter & Schmidhuber 1997; the forget gate is of Gers, Schmidhuber & Cummins 2000; the projection of Sak,
Senior & Beaufays 2014. Two biases, as in cuDNN, add up to one.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Activations(NamedTuple):
    """What one layer and direction does: its gates and cell [B, H] and its state [B, H], [B, P] where projected.

    Of a sequence each is [B, L, ...]. input, forget and output lie between 0 and 1, the candidate between -1 and 1; the
    cell may grow beyond.
    """

    input: Tensor
    forget: Tensor
    candidate: Tensor
    output: Tensor
    cell: Tensor
    state: Tensor


Weights = tuple[Tensor, Tensor, Tensor | None, Tensor | None]  # W_i., W_h., b_ and W_hr, of all gates


def lstm_step(weights: Weights, x_BI: Tensor, state_BR: Tensor, cell_BH: Tensor) -> Activations:
    """One step by the six equations; state_BR and cell_BH are those of the step before."""
    w_input, w_state, bias, projection = weights
    driven_BG = x_BI @ w_input.T + state_BR @ w_state.T
    if bias is not None:
        driven_BG = driven_BG + bias
    i, f, g, o = driven_BG.chunk(4, dim=1)  # PyTorch stacks the gates in this order
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cell = f * cell_BH + i * g
    state = o * cell.tanh()
    if projection is not None:
        state = state @ projection.T
    return Activations(i, f, g, o, cell, state)


def steps_of(lstm: nn.LSTM, x_LBI: Tensor) -> dict[tuple[int, bool], list[Activations]]:
    """Every step of `lstm` over x [L, B, I], by (layer, is reverse), in the order of time.

    The reverse direction reads from the end: its first step in time is its last. Dropout between layers is left out.
    """
    steps_by_layer = {}
    for layer in range(lstm.num_layers):
        for reverse in (False, True) if lstm.bidirectional else (False,):
            weights = _weights(lstm, layer, reverse)
            state = x_LBI.new_zeros(x_LBI.shape[1], lstm.proj_size or lstm.hidden_size)
            cell = x_LBI.new_zeros(x_LBI.shape[1], lstm.hidden_size)
            steps = []
            for x_BI in x_LBI.flip(0) if reverse else x_LBI:
                steps.append(lstm_step(weights, x_BI, state, cell))
                state, cell = steps[-1].state, steps[-1].cell
            steps_by_layer[layer, reverse] = steps[::-1] if reverse else steps
        both = [steps for (number, _), steps in steps_by_layer.items() if number == layer]
        x_LBI = torch.stack([torch.cat([step.state for step in at_once], dim=1) for at_once in zip(*both, strict=True)])
    return steps_by_layer


def reference_lstm(lstm: nn.LSTM, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """What lstm(x) returns, computed by the six equations from the weights of `lstm`; gradients flow to them.

    x: [B, L, I] where lstm is batch_first, else [L, B, I]. Returns the top layer's states in x's order of axes, the
    directions side by side, and the final states and cells [layers * directions, B, H or P].
    """
    steps_by_layer = steps_of(lstm, x.transpose(0, 1) if lstm.batch_first else x)
    top = [steps for (layer, _), steps in steps_by_layer.items() if layer == lstm.num_layers - 1]
    out = torch.stack([torch.cat([step.state for step in at_once], dim=1) for at_once in zip(*top, strict=True)])
    last = [steps[0 if reverse else -1] for (_, reverse), steps in steps_by_layer.items()]
    final = torch.stack([step.state for step in last]), torch.stack([step.cell for step in last])
    return out.transpose(0, 1) if lstm.batch_first else out, final


def _weights(lstm: nn.LSTM, layer: int, reverse: bool) -> Weights:
    end = f"l{layer}{'_reverse' * reverse}"
    bias = getattr(lstm, f"bias_ih_{end}") + getattr(lstm, f"bias_hh_{end}") if lstm.bias else None
    projection = getattr(lstm, f"weight_hr_{end}") if lstm.proj_size else None
    return getattr(lstm, f"weight_ih_{end}"), getattr(lstm, f"weight_hh_{end}"), bias, projection
