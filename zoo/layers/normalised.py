"""Normalised: takes a level (and a scale) from each window before the variant, and gives it back after."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from zoo.data.columns import columns
from zoo.data.windows import Windows
from zoo.layers.head import Head
from zoo.problem import Problem

EPSILON = 1e-5


class Normalised(nn.Module):
    """A variant between two inverse maps, chosen by problem.normalise.

    last: each channel's last observed value is subtracted from its window, and the targets' are added to
    the forecast. instance: each window is standardised by its own mean and deviation, with a learned
    affine map per channel (RevIN, Kim et al. 2022). none: as it is.
    With last and instance the variant's heads start at zero, so that an untrained model forecasts exactly
    what is given back (with last, persistence) and training has to earn every departure from it.
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
        # What learns nothing, or is solved, has no use for an affine map: it would be trained alone.
        learns = any(True for _ in variant.parameters()) and not hasattr(variant, "solve")
        self.is_affine = problem.normalise == "instance" and learns
        if self.is_affine:
            self.weight = nn.Parameter(torch.ones(problem.channels))
            self.bias = nn.Parameter(torch.zeros(problem.channels))

    def forward(self, x_BLC: Tensor) -> Tensor:
        if self.problem.normalise == "last":
            last_B1C = x_BLC[:, -1:]
            return self.variant(x_BLC - last_B1C) + columns(last_B1C, self.targets)
        if self.problem.normalise == "instance":
            mean_B1C, deviation_B1C = self._moments(x_BLC)
            standard_BLC = (x_BLC - mean_B1C) / deviation_B1C
            if self.is_affine:
                inside_BTD = self.variant(standard_BLC * self.weight + self.bias)
                forecast_BTD = (inside_BTD - columns(self.bias, self.targets)) / columns(self.weight, self.targets)
            else:
                forecast_BTD = self.variant(standard_BLC)
            return forecast_BTD * columns(deviation_B1C, self.targets) + columns(mean_B1C, self.targets)
        return self.variant(x_BLC)

    def inside(self, windows: Windows, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches (x [B, L, C], y [B, T, D]) as the variant sees them: what `solve` learns from."""
        for x_BLC, y_BTD in windows.batches(batch_size):
            if self.problem.normalise == "last":
                last_B1C = x_BLC[:, -1:]
                yield x_BLC - last_B1C, y_BTD - columns(last_B1C, self.targets)
            elif self.problem.normalise == "instance":
                mean_B1C, deviation_B1C = self._moments(x_BLC)
                level, spread = columns(mean_B1C, self.targets), columns(deviation_B1C, self.targets)
                yield (x_BLC - mean_B1C) / deviation_B1C, (y_BTD - level) / spread
            else:
                yield x_BLC, y_BTD

    @staticmethod
    def _moments(x_BLC: Tensor) -> tuple[Tensor, Tensor]:
        variance_B1C, mean_B1C = torch.var_mean(x_BLC, dim=1, correction=0, keepdim=True)
        return mean_B1C, (variance_B1C + EPSILON).sqrt()
