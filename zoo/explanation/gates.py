"""Gates: what the gates of a variant's LSTMs do from step to step of a window."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.explanation.seen import Seen
from zoo.learn.gates import trace_gates

PARTS = ("input", "forget", "output")


@dataclass(frozen=True)
class Gates:
    """The mean opening, from 0 to 1, over windows and units of one layer and direction of an LSTM.

    name: of the layer; openings_PL: of the input, forget and output gate at each step, the oldest first.
    """

    name: str
    openings_PL: np.ndarray

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each lag: lstm, lag, input, forget, output."""
        lookback = self.openings_PL.shape[1]
        lags = np.arange(1, lookback + 1)
        columns = {part: row[::-1] for part, row in zip(PARTS, self.openings_PL, strict=True)}
        return pd.DataFrame({"lstm": self.name, "lag": lags, **columns})


def gates_over_time(seen: Seen) -> tuple[Gates, ...]:
    """The gates of every torch.nn.LSTM in the variant that reads the window step by step.

    Raises InputError for a variant without one.
    """
    variant, lookback = seen.model.variant, seen.inputs.shape[1]
    layers = {name: module for name, module in variant.named_modules() if isinstance(module, nn.LSTM)}
    inputs: dict[str, list[Tensor]] = {name: [] for name in layers}
    handles = [
        layer.register_forward_pre_hook(lambda _, arguments, own=inputs[name]: own.append(arguments[0]))
        for name, layer in layers.items()
    ]
    try:
        seen.forecasts(seen.inputs)
    finally:
        for handle in handles:
            handle.remove()
    gates: list[Gates] = []
    for name, lstm in layers.items():
        steps = 1 if lstm.batch_first else 0
        if inputs[name] and all(x.shape[steps] == lookback for x in inputs[name]):
            gates += _of_lstm(lstm, name, torch.cat(inputs[name], dim=1 - steps))
    if not gates:
        raise InputError("this variant has no torch.nn.LSTM that reads a window step by step")
    return tuple(gates)


def _of_lstm(lstm: nn.LSTM, name: str, x: Tensor) -> list[Gates]:
    gates = []
    for layer in range(lstm.num_layers):
        for reverse in (False, True) if lstm.bidirectional else (False,):
            traced = trace_gates(lstm, x, layer=layer, reverse=reverse)
            openings = torch.stack([getattr(traced, part).double().mean(dim=(0, 2)) for part in PARTS])
            several = f", layer {layer + 1}" * (lstm.num_layers > 1) + ", in reverse" * reverse
            gates.append(Gates(f"{name}{several}", openings.cpu().numpy()))
    return gates
