"""The optimizer's update as compiled code: for a small model, calling PyTorch's takes longer than what it computes."""

from collections.abc import Sequence

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn

from zoo.layers.addresses import floats

# Rows of the table that the compiled code gets, a column for each weight: addresses, and its size.
WEIGHT, GRADIENT, FIRST, SECOND, STEPS, SIZE = range(6)


class CompiledAdam:
    """What zoo.train.optimizer does for adam and adamw, with clipping, in place.

    Weights without a gradient stay as they are. seen: [2], to which it adds the gradient's norm before clipping, and 1
    where it was clipped.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], moments: Sequence[Sequence[Tensor]], steps: Sequence[Tensor],
        seen: Tensor, *, room: float, decay: float, is_decoupled: bool, betas: tuple[float, float], epsilon: float,
    ) -> None:  # fmt: skip
        self.parameters, self.moments, self.steps, self.seen = list(parameters), moments, steps, seen
        self.settings = (room, decay, is_decoupled, *betas, epsilon)

    @staticmethod
    def takes(weight: Tensor) -> bool:
        """Whether this works on a weight: float32 on the CPU, one block of memory."""
        return weight.dtype == torch.float32 and weight.is_cpu and weight.is_contiguous()

    def __call__(self, rate: float, clip_norm: float) -> None:
        table = np.zeros((6, len(self.parameters)), np.int64)
        for place, weight in enumerate(self.parameters):
            gradient = weight.grad
            if gradient is None:
                continue
            if not gradient.is_contiguous():
                gradient = weight.grad = gradient.contiguous()
            state = (self.moments[0][place], self.moments[1][place], self.steps[place])
            table[:, place] = [*(each.data_ptr() for each in (weight, gradient, *state)), weight.numel()]
        _adam(table, self.seen.data_ptr(), rate, clip_norm, *self.settings)


@njit(cache=True, error_model="numpy")
def _adam(table, seen, rate, clip_norm, room, decay, is_decoupled, beta1, beta2, epsilon):  # type: ignore[no-untyped-def]
    total = 0.0
    for place in range(table.shape[1]):
        if table[GRADIENT, place]:
            total += _square(floats(table[GRADIENT, place], table[SIZE, place]))
    norm, sums, scale = np.sqrt(total), floats(seen, 2), 1.0
    sums[0] += norm
    if clip_norm > 0:
        sums[1] += norm > clip_norm
        scale = 1 / max((norm + room) / clip_norm, 1.0)
    for place in range(table.shape[1]):
        if not table[GRADIENT, place]:
            continue
        count, step = table[SIZE, place], floats(table[STEPS, place], 1)
        step[0] += 1
        own = (floats(table[WEIGHT, place], count), floats(table[GRADIENT, place], count))
        moments = (floats(table[FIRST, place], count), floats(table[SECOND, place], count))
        first, second = 1 - beta1 ** step[0], 1 - beta2 ** step[0]
        penalty, shrinkage = (0.0, 1 - rate * decay) if is_decoupled else (decay, 1.0)
        _move(
            *own,
            *moments,
            *_narrow(scale, penalty, shrinkage, rate / first, 1 / np.sqrt(second), beta1, beta2, epsilon),
        )


@njit(inline="always")
def _narrow(scale, penalty, shrinkage, rate, second, beta1, beta2, epsilon):  # type: ignore[no-untyped-def]
    f = np.float32
    return f(scale), f(penalty), f(shrinkage), f(rate), f(second), f(1 - beta1), f(beta2), f(1 - beta2), f(epsilon)


@njit(fastmath={"contract", "reassoc"}, error_model="numpy")
def _square(g):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for k in range(len(g)):
        total += g[k] * g[k]
    return total


@njit(fastmath={"contract"}, error_model="numpy")
def _move(p, g, m, v, scale, penalty, shrinkage, rate, second, to_first, beta2, to_second, epsilon):  # type: ignore[no-untyped-def]
    for k in range(len(p)):
        g[k] *= scale
        d = g[k] + penalty * p[k]
        m[k] += to_first * (d - m[k])
        v[k] = beta2 * v[k] + to_second * d * d
        p[k] = shrinkage * p[k] - rate * m[k] / (np.sqrt(v[k]) * second + epsilon)
