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
    """Every layer that holds parameters itself, in the order of the model."""
    found = []
    for name, layer in model.named_modules():
        own = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
        if own:
            found.append(Counted(name or "itself", _formula(layer), own))
    return found


def _formula(layer: nn.Module) -> str:
    if isinstance(layer, nn.RNNBase):
        return _recurrent(layer)
    if isinstance(layer, nn.Linear):
        bias = f" + {layer.out_features}" if layer.bias is not None else ""
        return f"{layer.in_features} * {layer.out_features}{bias}"
    if isinstance(layer, nn.Conv1d):
        bias = f" + {layer.out_channels}" if layer.bias is not None else ""
        return f"{layer.in_channels // layer.groups} * {layer.kernel_size[0]} * {layer.out_channels}{bias}"
    shapes = [" * ".join(map(str, parameter.shape)) or "1" for parameter in layer.parameters(recurse=False)]
    return " + ".join(shapes)


def _recurrent(layer: nn.RNNBase) -> str:
    """gates * H * (inputs + recurrent + 2 biases), and H * P of a projection, for each layer and direction."""
    gates, hidden = GATES[layer.mode.split("_")[0]], layer.hidden_size
    recurrent, biases = layer.proj_size or hidden, " + 2" if layer.bias else ""
    projection = f" + {hidden} * {layer.proj_size}" if layer.proj_size else ""
    directions = 2 if layer.bidirectional else 1
    sums = []
    for number in range(layer.num_layers):
        inputs = layer.input_size if number == 0 else directions * recurrent
        sums.append(f"{gates} * {hidden} * ({inputs} + {recurrent}{biases}){projection}")
    text = " + ".join(sums)
    return f"2 * ({text})" if layer.bidirectional else text
