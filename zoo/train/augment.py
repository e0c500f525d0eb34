"""Augment: training batches changed at random, so that a model learns less of them by heart."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.data.dataset import Samples
from zoo.data.windows import columns
from zoo.problem import Problem
from zoo.train.config import FitConfig

AUGMENTATIONS = ("jitter", "scaling", "masking", "channel_dropout", "slicing", "warping", "mixup")
SAMPLE = 1024  # windows from which a channel's usual change is measured
KNOTS = 4  # between which the speed of time changes evenly


class Augment:
    """Changes a training batch; draws from torch's own generator, as dropout does. Without settings it does nothing.

    jitter: noise on the lookback, in the channel's mean change from step to step; scaling: what a window does is made
    larger or smaller, and so is what follows, by factors of this deviation; masking: this share of steps is replaced by
    the window's mean; channel_dropout: this share of channels that are no targets is held at its last value; slicing:
    up to this share of the steps is cut off, of sequences on both sides, and what is left is stretched to the window's
    length, of a forecast's lookback the oldest, for which the oldest step that is left stands in; warping: time runs
    faster and slower inside a window, by factors of this deviation, between the same ends; mixup: windows and what
    follows are averaged in pairs, with weights from Beta(mixup, mixup) (Zhang et al. 2018, arXiv 1710.09412). The
    others: Um et al. 2017, arXiv 1706.00527; slicing: Le Guennec, Malinowski & Tavenard 2016; Srivastava et al. 2014
    for dropout.

    The last step of a forecast's lookback is neither noisy nor masked, since forecasts start from it. Calendars and
    marks of filled values are only mixed, and codes of categories stay.
    """

    def __init__(self, problem: Problem, windows: Samples, config: FitConfig) -> None:
        self.problem, self.config = problem, config
        self.is_needed = any(getattr(config, name) > 0 for name in AUGMENTATIONS)
        self.is_forecast = problem.task != "classify"
        device = windows.values.device
        self.can_change_C = torch.ones(problem.channels, dtype=torch.bool, device=device)
        self.can_change_C[list(problem.plain)] = False
        self.is_code_C = torch.zeros_like(self.can_change_C)
        self.is_code_C[[position for position, _ in problem.categories]] = True
        self.can_drop_C = self.can_change_C.clone()
        self.can_drop_C[list(problem.targets)] = False
        self.change_C = _usual_change(windows) if config.jitter > 0 else torch.zeros((), device=device)

    def __call__(self, x_BLC: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The changed batch: x [B, L, C] and the actual values y [B, T, D] (of classes [B, 1, K])."""
        config = self.config
        if not self.is_needed:
            return x_BLC, y
        base_B1C = x_BLC[:, -1:] if self.is_forecast else x_BLC.mean(dim=1, keepdim=True)
        is_last_1L1 = torch.zeros(1, x_BLC.shape[1], 1, dtype=torch.bool, device=x_BLC.device)
        is_last_1L1[:, -1:] = self.is_forecast
        can_change_1LC = self.can_change_C & ~is_last_1L1
        if config.jitter > 0:
            noise_BLC = config.jitter * self.change_C * torch.randn_like(x_BLC)
            x_BLC = torch.where(can_change_1LC, x_BLC + noise_BLC, x_BLC)
        if config.masking > 0:
            is_masked_BLC = (torch.rand_like(x_BLC[..., :1]) < config.masking) & can_change_1LC
            x_BLC = torch.where(is_masked_BLC, x_BLC.mean(dim=1, keepdim=True), x_BLC)
        if config.channel_dropout > 0:
            is_dropped_B1C = (torch.rand_like(base_B1C) < config.channel_dropout) & self.can_drop_C
            x_BLC = torch.where(is_dropped_B1C, base_B1C, x_BLC)
        if config.scaling > 0:
            factor_B11 = 1 + config.scaling * torch.randn_like(x_BLC[:, :1, :1])
            x_BLC = torch.where(self.can_change_C, base_B1C + factor_B11 * (x_BLC - base_B1C), x_BLC)
            if self.problem.is_of_values:
                last_B1D = columns(base_B1C, self.problem.targets)
                y = last_B1D + factor_B11 * (y - last_B1D)
        if config.slicing > 0:
            x_BLC = torch.where(self.can_change_C, _read_at(x_BLC, self._slice(x_BLC)), x_BLC)
        if config.warping > 0:
            x_BLC = torch.where(self.can_change_C, _read_at(x_BLC, self._warp(x_BLC)), x_BLC)
        if config.mixup > 0:
            concentration_B = torch.full_like(x_BLC[:, 0, 0], config.mixup)
            share_B11 = _beta(concentration_B)[:, None, None]
            mixed_BLC, y = (share_B11 * each + (1 - share_B11) * each.roll(1, dims=0) for each in (x_BLC, y))
            x_BLC = torch.where(self.is_code_C, x_BLC, mixed_BLC)
        return x_BLC, y

    def _slice(self, x_BLC: Tensor) -> Tensor:
        """The positions of a window's steps after a cut [B, L]."""
        last = x_BLC.shape[1] - 1
        share_B1, place_B1 = torch.rand(len(x_BLC), 2, device=x_BLC.device).split(1, dim=1)
        cut_B1 = self.config.slicing * share_B1 * last
        position_L = torch.arange(last + 1, device=x_BLC.device, dtype=x_BLC.dtype)
        if self.is_forecast:
            return torch.maximum(position_L, cut_B1.ceil())
        return place_B1 * cut_B1 + position_L * (1 - cut_B1 / max(last, 1))

    def _warp(self, x_BLC: Tensor) -> Tensor:
        """The positions of a window's steps where time has another speed [B, L]."""
        length = x_BLC.shape[1]
        speed_B1K = 1 + self.config.warping * torch.randn(len(x_BLC), 1, KNOTS, device=x_BLC.device)
        speed_BL = interpolate(speed_B1K.clamp(0.1), size=length, mode="linear", align_corners=True).squeeze(1)
        run_BL = speed_BL.cumsum(dim=1) - speed_BL[:, :1]
        return run_BL * (length - 1) / run_BL[:, -1:].clamp(min=1e-6)


def _read_at(x_BLC: Tensor, position_BL: Tensor) -> Tensor:
    """Windows at positions between their steps, on straight lines."""
    last = x_BLC.shape[1] - 1
    before_BL = position_BL.floor().clamp(0, last).long()
    share_BL1 = (position_BL - before_BL)[..., None]
    rows_B1 = torch.arange(len(x_BLC), device=x_BLC.device)[:, None]
    first_BLC, second_BLC = x_BLC[rows_B1, before_BL], x_BLC[rows_B1, (before_BL + 1).clamp(max=last)]
    return first_BLC + share_BL1 * (second_BLC - first_BLC)


def _beta(concentration_B: Tensor) -> Tensor:
    """Draws from Beta(c, c); unchecked, since a check waits for the device."""
    return torch.distributions.Beta(concentration_B, concentration_B, validate_args=False).sample()


def _usual_change(windows: Samples) -> Tensor:
    """The mean absolute change of each channel from step to step [C], of windows spread over the training part."""
    order = windows.order()
    first = windows.split(order[:: max(1, len(order) // SAMPLE)], SAMPLE)[0]
    x_BLC, _ = windows.gather(first)
    if x_BLC.shape[1] == 1:
        return x_BLC.std(dim=(0, 1), correction=0)
    return x_BLC.diff(dim=1).abs().mean(dim=(0, 1))
