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
    found, seen = [], set[int]()
    for name, layer in model.named_modules():
        own = [parameter for parameter in layer.parameters(recurse=False) if id(parameter) not in seen]
        seen |= {id(parameter) for parameter in own}
        if own:
            count, usual = sum(parameter.numel() for parameter in own), _formula(layer)
            shapes = " + ".join(" * ".join(map(str, parameter.shape)) or "1" for parameter in own)
            is_usual = usual is not None and usual[1] == count  # not where weights are shared or made of others
            found.append(Counted(name or "itself", usual[0] if usual is not None and is_usual else shapes, count))
    return found


def _formula(layer: nn.Module) -> tuple[str, int] | None:
    """The arithmetic of a layer of a common kind, and what it gives."""
    if isinstance(layer, nn.RNNBase):
        return _recurrent(layer)
    if isinstance(layer, nn.Linear):
        inputs, outputs, has_bias = layer.in_features, layer.out_features, layer.bias is not None
        return f"{inputs} * {outputs}{f' + {outputs}' * has_bias}", outputs * (inputs + has_bias)
    if isinstance(layer, nn.Conv1d):
        inputs, outputs, has_bias = layer.in_channels // layer.groups, layer.out_channels, layer.bias is not None
        width = layer.kernel_size[0]
        return f"{inputs} * {width} * {outputs}{f' + {outputs}' * has_bias}", outputs * (inputs * width + has_bias)
    return None


def _recurrent(layer: nn.RNNBase) -> tuple[str, int]:
    """gates * H * (inputs + recurrent + 2 biases), and H * P of a projection, for each layer and direction."""
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
