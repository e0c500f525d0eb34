"""Count: how many parameters each layer of a model has, as arithmetic to follow."""

from dataclasses import dataclass

from torch import nn

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass(frozen=True)
class Counted:
    """A layer by its name in the model, the arithmetic of its parameters, and what that gives."""

    name: str
    formula: str
    count: int


def counted(model: nn.Module) -> list[Counted]:
    """Every layer that holds parameters itself, in the order of the model; a weight that several share counts once."""
    layers, seen = [], set[int]()
    for name, layer in model.named_modules():
        own = [parameter for parameter in layer.parameters(recurse=False) if id(parameter) not in seen]
        seen |= {id(parameter) for parameter in own}
        count = sum(parameter.numel() for parameter in own)
        formula = " + ".join(" * ".join(map(str, parameter.shape)) or "1" for parameter in own)
        if isinstance(layer, nn.RNNBase) and _recurrent(layer)[1] == count:  # it has no others, and shares none
            formula, _ = _recurrent(layer)
        if own:
            layers.append(Counted(name or "itself", formula, count))
    return layers


def _recurrent(layer: nn.RNNBase) -> tuple[str, int]:
    """gates * H * (inputs + recurrent + 2 biases), and H * P of a projection, for each layer and direction; and what
    that gives."""
    gates, hidden = GATES[layer.mode.split("_")[0]], layer.hidden_size
    recurrent, biases = layer.proj_size or hidden, " + 2" if layer.bias else ""
    projection = f" + {hidden} * {layer.proj_size}" if layer.proj_size else ""
    directions = 2 if layer.bidirectional else 1
    sums, count = [], 0
    for number in range(layer.num_layers):
        inputs = layer.input_size if number == 0 else directions * recurrent
        sums.append(f"{gates} * {hidden} * ({inputs} + {recurrent}{biases}){projection}")
        count += gates * hidden * (inputs + recurrent + 2 * layer.bias) + hidden * layer.proj_size
    text = " + ".join(sums)
    return (f"2 * ({text})", 2 * count) if layer.bidirectional else (text, count)
