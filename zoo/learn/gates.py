"""Gates: the weights of a torch.nn.LSTM by gate and by name - to read, write, initialise, freeze, load and watch."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from zoo.errors import InputError, unknown
from zoo.learn.reference_lstm import Activations, steps_of

GATES = ("input", "forget", "candidate", "output")  # PyTorch's order, in which each weight is stacked
PARTS = {  # what a weight connects, and PyTorch's name for it
    "input": "weight_ih",  # [H, I] of a gate: from the layer's input
    "state": "weight_hh",  # [H, H or P]: from the state before
    "input_bias": "bias_ih",  # [H]
    "state_bias": "bias_hh",  # [H]
    "projection": "weight_hr",  # [P, H], of no gate: from the hidden units to the state
}


def get_weight(lstm: nn.LSTM, gate: str | None, part: str, *, layer: int = 0, reverse: bool = False) -> Tensor:
    """One gate's rows of a weight, as a view that gradients flow through; of all gates where gate is None.

    gate: input, forget, candidate or output; part: input, state, input_bias, state_bias or projection (which has no
    gates). Raises UnknownName for other names, InputError for what this LSTM does not have.
    """
    whole: Tensor = getattr(lstm, _name(lstm, part, layer, reverse))
    return whole if gate is None else whole[_rows(lstm, gate, part)]


@torch.no_grad()
def set_weight(
    lstm: nn.LSTM, gate: str | None, part: str, value: Tensor | float, *, layer: int = 0, reverse: bool = False
) -> None:
    """Write one gate's rows of a weight in place: a tensor of their shape, or one number for all of them.

    Raises InputError for another shape, and as get_weight.
    """
    _place(lstm, gate, part, value, layer, reverse).copy_(torch.as_tensor(value))


def forget_bias(lstm: nn.LSTM, value: float = 1.0) -> None:
    """Set every forget gate's bias to `value` in all: a gate that starts open lets gradients pass.

    Source: Gers, Schmidhuber & Cummins 2000; Jozefowicz, Zaremba & Sutskever 2015, section 2.2, on 1. The state's bias
    takes the value, the input's becomes zero. Raises InputError for an LSTM without biases.
    """
    for layer, reverse in _each(lstm):
        set_weight(lstm, "forget", "input_bias", 0.0, layer=layer, reverse=reverse)
        set_weight(lstm, "forget", "state_bias", value, layer=layer, reverse=reverse)


@torch.no_grad()
def orthogonal_state(lstm: nn.LSTM, gain: float = 1.0) -> None:
    """Make each gate's matrix from the state orthogonal, so that repeating it neither grows nor shrinks a signal.

    Source: Saxe, McClelland & Ganguli 2014. Draws from torch's default generator.
    """
    for layer, reverse in _each(lstm):
        for gate in GATES:
            drawn = torch.empty_like(get_weight(lstm, gate, "state", layer=layer, reverse=reverse))
            set_weight(lstm, gate, "state", nn.init.orthogonal_(drawn, gain), layer=layer, reverse=reverse)


def freeze(lstm: nn.LSTM, parts: Iterable[str]) -> None:
    """Leave the named parts, of every layer and direction, out of training: input, state, input_bias, ..."""
    for part in parts:
        for layer, reverse in _each(lstm):
            getattr(lstm, _name(lstm, part, layer, reverse)).requires_grad_(False)


@contextmanager
def frozen_gates(lstm: nn.LSTM, gates: Iterable[str]) -> Iterator[None]:
    """Inside, backward passes leave no gradient on the rows of the named gates.

    Enter it before the optimizer's first step and without weight decay, and they keep their values: an optimizer with
    moments carries earlier gradients on, and decay shrinks what has none.
    """
    chosen = list(gates)
    hooks = []
    for layer, reverse in _each(lstm):
        for part in ("input", "state", *(("input_bias", "state_bias") if lstm.bias else ())):
            rows = [_rows(lstm, gate, part) for gate in chosen]
            weight: Tensor = getattr(lstm, _name(lstm, part, layer, reverse))
            if weight.requires_grad:
                hooks.append(weight.register_hook(lambda gradient, rows=rows: _without(gradient, rows)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def load_weights(
    lstm: nn.LSTM, weights: Mapping[tuple[str, str], Tensor], *, layer: int = 0, reverse: bool = False
) -> None:
    """Write weights of your own by (gate, part), each of the gate's shape; those that are not named stay.

    All are checked before any is written. Raises as set_weight.
    """
    places = [_place(lstm, gate, part, value, layer, reverse) for (gate, part), value in weights.items()]
    for place, value in zip(places, weights.values(), strict=True):
        place.copy_(value)


@torch.no_grad()
def trace_gates(lstm: nn.LSTM, x: Tensor, *, layer: int = 0, reverse: bool = False) -> Activations:
    """What the gates of one layer and direction do while `lstm` reads x: [B, L, I] where it is batch_first, else
    [L, B, I].

    In the order of time, for the reverse direction too. Dropout between layers is left out. Raises InputError for a
    layer or direction that this LSTM does not have.
    """
    _name(lstm, "input", layer, reverse)
    steps = steps_of(lstm, x.transpose(0, 1) if lstm.batch_first else x)[layer, reverse]
    return Activations(*(torch.stack(parts, dim=1) for parts in zip(*steps, strict=True)))


def _place(lstm: nn.LSTM, gate: str | None, part: str, value: Tensor | float, layer: int, reverse: bool) -> Tensor:
    """The rows that a value goes to; raises InputError where it has another shape."""
    place, shape = get_weight(lstm, gate, part, layer=layer, reverse=reverse), torch.as_tensor(value).shape
    if shape and shape != place.shape:
        of = f"the {gate} gate's {part}" if gate else part
        raise InputError(f"{of} has shape {list(place.shape)}, got {list(shape)}")
    return place


def _each(lstm: nn.LSTM) -> list[tuple[int, bool]]:
    """Every layer and direction."""
    directions = (False, True) if lstm.bidirectional else (False,)
    return [(layer, reverse) for layer in range(lstm.num_layers) for reverse in directions]


def _name(lstm: nn.LSTM, part: str, layer: int, reverse: bool) -> str:
    if part not in PARTS:
        raise unknown("part", part, PARTS)
    if (layer, reverse) not in _each(lstm):
        layers = f"{lstm.num_layers} layer{'s' * (lstm.num_layers > 1)}"
        has = f"{layers} and {'two directions' if lstm.bidirectional else 'one direction'}"
        raise InputError(f"this LSTM has {has}: no layer {layer}{' in reverse' * reverse}")
    if (part == "projection" and not lstm.proj_size) or (part.endswith("bias") and not lstm.bias):
        raise InputError(f"this LSTM has no {part.replace('_', ' ')}")
    return f"{PARTS[part]}_l{layer}{'_reverse' * reverse}"


def _rows(lstm: nn.LSTM, gate: str, part: str) -> slice:
    if gate not in GATES:
        raise unknown("gate", gate, GATES)
    if part == "projection":
        raise InputError("the projection belongs to no gate: leave the gate None")
    first = GATES.index(gate) * lstm.hidden_size
    return slice(first, first + lstm.hidden_size)


def _without(gradient: Tensor, rows: list[slice]) -> Tensor:
    gradient = gradient.clone()
    for each in rows:
        gradient[each] = 0
    return gradient
