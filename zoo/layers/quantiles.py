"""Quantiles: the quantiles of a forecast, by the pinball loss or from the residuals of a point forecast."""

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from zoo.data.scaling import Units
from zoo.data.windows import Windows, columns
from zoo.layers.committee import Committee
from zoo.layers.embedded import normalised
from zoo.layers.normalised import Normalised
from zoo.problem import Problem

SHARES = (0.0, 0.25, 0.5, 0.75)  # of a window's own steps in the scale of its residuals; the usual step has the rest
LEAST = 1e-3  # of that scale, whose usual value is 1


class Quantiles(nn.Module):
    """A model of quantiles: scaled x [B, L, C] -> [B, T, D, Q], which never cross.

    A variant that gradient descent trains forecasts each quantile as if it were a target of its own, and learns them by
    the pinball loss; the quantiles of a forecast are then sorted (Chernozhukov, Fernández-Val & Galichon 2010,
    Quantile and probability curves without crossing). Any other variant (one that is solved, a committee, one map for
    all targets) forecasts the point, and its quantiles are that point plus the quantiles of its residuals, by step and
    target. These are wider where the window was restless: `calibrate` weighs that.
    """

    learns_by = "the pinball loss"

    def __init__(self, build: Callable[[Problem], nn.Module], problem: Problem) -> None:
        super().__init__()
        self.problem, self.levels = problem, problem.quantiles
        self.model = normalised(build, problem.of_points())
        self.is_trained = False
        if self.model.is_trainable and not isinstance(self.model.variant, Committee):
            each = normalised(build, problem.of_points(copies=len(self.levels)))
            if tells_copies_apart(each):
                self.model, self.is_trained = each, True
        self.levels_Q: Tensor
        self.offsets_TDQ: Tensor
        self.usual_D: Tensor
        self.share: Tensor
        self.register_buffer("levels_Q", torch.tensor(self.levels), persistent=False)
        self.register_buffer("offsets_TDQ", torch.zeros(problem.output_shape))
        self.register_buffer("usual_D", torch.ones(len(problem.targets)))
        self.register_buffer("share", torch.zeros(()))

    def __repr__(self) -> str:
        return self.problem.of_model(self)

    @property
    def variant(self) -> nn.Module:
        """The variant inside."""
        return self.model.variant

    @property
    def is_trainable(self) -> bool:
        """Whether gradient descent trains the variant."""
        return self.model.is_trainable

    def forward(self, x_BLC: Tensor) -> Tensor:
        forecast_BTD = self.model(x_BLC)
        copies = len(self.levels) if self.is_trained else 1
        forecast_BTDQ = forecast_BTD.unflatten(2, (len(self.problem.targets), copies))
        if self.needs_residuals():
            scale_BD = self._scale(self._steps(x_BLC), self.share)
            forecast_BTDQ = forecast_BTDQ + self.offsets_TDQ * scale_BD[:, None, :, None]
        return forecast_BTDQ.sort(dim=3).values

    def _steps(self, x_BLC: Tensor) -> Tensor:
        """The mean absolute step of each target in a window, [B, D]."""
        return columns(x_BLC, self.problem.targets).diff(dim=1).abs().sum(dim=1) / max(self.problem.lookback - 1, 1)

    def _scale(self, steps_BD: Tensor, share: Tensor | float) -> Tensor:
        """What the residuals of a window are in proportion to, [B, D]: 1 is usual; share: how much its steps count."""
        return (1 + share * (steps_BD / self.usual_D - 1)).clamp(min=LEAST)

    def loss(self, forecast_BTDQ: Tensor, actual_BTD: Tensor) -> Tensor:
        """The pinball loss [], averaged over everything (Koenker & Bassett 1978, Regression quantiles)."""
        above = actual_BTD.unsqueeze(-1) - forecast_BTDQ
        return torch.maximum(self.levels_Q * above, (self.levels_Q - 1) * above).mean()

    def needs_residuals(self) -> bool:
        """Whether `calibrate` belongs to its training."""
        return not self.is_trained or self.problem.is_conformal

    def begin(self, train: Windows) -> None:
        """Before training there is nothing to do."""

    def finish(self, windows: Windows, batch_size: int) -> None:
        """Calibrate on these windows, where that belongs to its training."""
        if self.needs_residuals():
            self.calibrate(windows, batch_size)

    @staticmethod
    def restored(scaled: np.ndarray, units: Units) -> np.ndarray:
        """Scaled quantiles [n, T, D, Q] in the data's units."""
        return np.moveaxis(units.restore(np.moveaxis(scaled, -1, 0)), 0, -1)

    @torch.no_grad()
    def calibrate(self, windows: Windows, batch_size: int) -> None:
        """Move each quantile so that its share of the actual values of these windows lies below it, by step and target.

        The move is in proportion to how restless a window is: to its mean absolute step, the usual one, or a mean of
        both, whichever has the least pinball loss here. Source: split conformal prediction, one quantile at a time,
        with residuals scaled by a spread that the window tells (Lei et al. 2018, Distribution-free predictive
        inference, section 5.2; Romano, Patterson & Candès 2019, Conformalized quantile regression).
        """
        self.eval()
        self.offsets_TDQ.zero_()
        batches = list(windows.batches(batch_size))
        forecast_nTDQ = torch.cat([self(x) for x, _ in batches])
        actual_nTD = torch.cat([y for _, y in batches])
        steps_nD = torch.cat([self._steps(x) for x, _ in batches])
        usual_D = steps_nD.mean(dim=0)
        self.usual_D.copy_(torch.where(usual_D > 0, usual_D, torch.ones_like(usual_D)))
        residuals_nTDQ = actual_nTD.unsqueeze(-1) - forecast_nTDQ
        lowest = math.inf
        for share in SHARES if usual_D.min() > 0 else SHARES[:1]:
            scale_n1D1 = self._scale(steps_nD, share)[:, None, :, None]
            ordered_nTDQ = (residuals_nTDQ / scale_n1D1).sort(dim=0).values
            places = enumerate(ranks(self.levels, len(actual_nTD)))
            offsets_TDQ = torch.stack([ordered_nTDQ[rank, ..., place] for place, rank in places], dim=-1)
            loss = float(self.loss((forecast_nTDQ + offsets_TDQ * scale_n1D1).sort(dim=3).values, actual_nTD))
            if loss < lowest:
                lowest = loss
                self.share.fill_(share)
                self.offsets_TDQ.copy_(offsets_TDQ)


def ranks(levels: Sequence[float], count: int) -> list[int]:
    """The place of each quantile among `count` sorted values, rounded away from the median."""
    places = [(count + 1) * level for level in levels]
    rounded = [
        math.ceil(place - 1e-9) if level >= 0.5 else math.floor(place + 1e-9)
        for place, level in zip(places, levels, strict=True)
    ]
    return [min(max(place, 1), count) - 1 for place in rounded]


@torch.no_grad()
def tells_copies_apart(model: Normalised) -> bool:
    """Whether targets that stand for the same column can get different forecasts: not by one map for all targets."""
    generator = torch.Generator().manual_seed(0)
    twin = copy.deepcopy(model).eval()
    for parameter in twin.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    forecast_BTD = twin(torch.randn(2, model.problem.lookback, model.problem.channels, generator=generator))
    return not torch.allclose(forecast_BTD[..., 0], forecast_BTD[..., 1], atol=1e-5)
