"""Attention: the weights that a variant gives to the steps of a window, read while it forecasts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from zoo.errors import InputError
from zoo.explanation.seen import Seen
from zoo.train.predict import EVALUATION_BATCH


@dataclass(frozen=True)
class Attention:
    """weights_KL: the mean weight of each step, the oldest first, of each of K times that the variant attends."""

    weights_KL: np.ndarray

    @property
    def by_lag(self) -> np.ndarray:
        """The mean weight of each lag, lag 1 first; the weights of all lags add up to 1."""
        return np.asarray(self.weights_KL.mean(axis=0)[::-1])

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each time that the variant attends, from 1, and lag: weight."""
        times, lookback = self.weights_KL.shape
        return pd.DataFrame(
            {"time": k + 1, "lag": lag, "weight": self.weights_KL[k, lookback - lag]}
            for k in range(times)
            for lag in range(1, lookback + 1)
        )


def attention_weights(seen: Seen) -> Attention:
    """The mean weights over windows and heads: of every softmax over the steps of a window, in order.

    Raises InputError for a variant that has none, and where steps cannot be told from channels.
    """
    lookback, channels = seen.inputs.shape[1:]
    sums: list[Tensor] = []
    with torch.no_grad():
        for part, window in zip(seen.inputs.split(EVALUATION_BATCH), seen.x.split(EVALUATION_BATCH), strict=True):
            with softmaxes() as weights:
                seen.forecasts(part, window)
            own = [_by_step(each, dim) for each, dim in weights if each.shape[dim] == lookback]
            sums = [total + each for total, each in zip(sums, own, strict=True)] if sums else own
    if not sums:
        raise InputError("this variant has no attention over the steps of a window")
    if lookback == channels and _count_in_shorter(seen) != len(sums):
        raise InputError(
            f"the lookback and the number of channels are both {lookback}, so that attention over steps cannot be told "
            "from attention over channels: choose another lookback"
        )
    return Attention((torch.stack(sums) / len(seen.x)).cpu().numpy())


def _count_in_shorter(seen: Seen) -> int | None:
    """How many of the softmaxes follow the length of the window; None where the variant takes no other length."""
    shorter = seen.inputs[:1, 1:]
    try:
        with softmaxes() as weights:
            seen.forecasts(shorter, seen.x[:1])
    except Exception:  # a variant may raise anything
        return None
    return sum(each.shape[dim] == shorter.shape[1] for each, dim in weights)


@contextmanager
def softmaxes() -> Iterator[list[tuple[Tensor, int]]]:
    """Inside, every softmax that torch computes comes into the list, with the axis that adds up to 1."""
    mode = _Recorder()
    with mode:
        yield mode.weights


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.weights: list[tuple[Tensor, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._softmax.default:
            self.weights.append((out, args[1] % out.ndim))
        return out


def _by_step(weights: Tensor, dim: int) -> Tensor:
    """Weights [B, ..., L, ...] summed over windows and averaged over all else: float64 [L]."""
    flat = weights.double().movedim(dim, -1)
    return flat.reshape(len(flat), -1, flat.shape[-1]).mean(dim=1).sum(dim=0)
