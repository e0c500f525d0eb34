"""Normalised: removes a level and a scale from each window before the variant, and restores them in its forecast."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from zoo.data.windows import Windows, columns
from zoo.layers.head import Head
from zoo.problem import Problem

EPSILON = 1e-5
Batches = Callable[[], Iterable[tuple[Tensor, Tensor]]]


@runtime_checkable
class Solvable(Protocol):
    """A variant whose weights are computed from the data, not by gradient descent."""

    def solve(self, train: Batches, valid: Batches | None) -> None:
        """Set the weights; train() and valid() yield batches (x [B, L, C], y [B, T, D]) of normalised windows."""


class Normalised(nn.Module):
    """A variant between two inverse maps, chosen by problem.normalise.

    last: each channel's last observed value is subtracted from its window, and the targets' are added to
    the forecast. instance: each window is standardised by its own mean and deviation, with a learned
    affine map per channel (RevIN, Kim et al. 2022). none: values pass unchanged.
    With last and instance the variant's heads start at zero, so that an untrained model forecasts exactly
    the level that is restored (with last, persistence) and training has to earn every departure from it.
    forward maps scaled x [B, L, C] to a scaled forecast [B, *output_shape].
    """

    def __init__(self, variant: nn.Module, problem: Problem) -> None:
        super().__init__()
        self.variant = variant
        self.problem = problem
        self.targets = problem.targets
        if problem.normalise != "none":
            for module in variant.modules():
                if isinstance(module, Head):
                    module.start_at_zero()
        # Gradient descent must not train an affine map alone, around a variant that it does not train.
        self.is_affine = problem.normalise == "instance" and self.is_trainable
        if self.is_affine:
            self.weight = nn.Parameter(torch.ones(problem.channels))
            self.bias = nn.Parameter(torch.zeros(problem.channels))

    def __repr__(self) -> str:
        return self.problem.of_model(self)

    @property
    def is_trainable(self) -> bool:
        """Whether gradient descent trains the variant: it has weights to train, and no `solve`."""
        return not isinstance(self.variant, Solvable) and any(p.requires_grad for p in self.variant.parameters())

    def forward(self, x_BLC: Tensor) -> Tensor:
        level_B1C, scale_B1C = self._level_and_scale(x_BLC)
        inside_BLC = _standardised(x_BLC, level_B1C, scale_B1C)
        if self.is_affine:
            inside_BTD = self.variant(inside_BLC * self.weight + self.bias)
            forecast_BTD = (inside_BTD - columns(self.bias, self.targets)) / columns(self.weight, self.targets)
        else:
            forecast_BTD = self.variant(inside_BLC)
        if scale_B1C is not None:
            forecast_BTD = forecast_BTD * columns(scale_B1C, self.targets)
        return forecast_BTD if level_B1C is None else forecast_BTD + columns(level_B1C, self.targets)

    def inside(self, windows: Windows, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches (x [B, L, C], y [B, T, D]) as the variant sees them: what `solve` learns from."""
        for x_BLC, y_BTD in windows.batches(batch_size):
            level_B1C, scale_B1C = self._level_and_scale(x_BLC)
            of_targets = (None if part is None else columns(part, self.targets) for part in (level_B1C, scale_B1C))
            yield _standardised(x_BLC, level_B1C, scale_B1C), _standardised(y_BTD, *of_targets)

    def _level_and_scale(self, x_BLC: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The level to subtract from each window and the scale to divide it by, [B, 1, C] each; None: no such step."""
        if self.problem.normalise == "last":
            return x_BLC[:, -1:], None
        if self.problem.normalise == "instance":
            variance_B1C, mean_B1C = torch.var_mean(x_BLC, dim=1, correction=0, keepdim=True)
            return mean_B1C, (variance_B1C + EPSILON).sqrt()
        return None, None


def _standardised(values: Tensor, level: Tensor | None, scale: Tensor | None) -> Tensor:
    if level is not None:
        values = values - level
    return values if scale is None else values / scale
