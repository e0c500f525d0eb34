"""Integrated gradients: the parts of a forecast's distance from a baseline that each input brings.

Source: Sundararajan, Taly & Yan 2017, Axiomatic attribution for deep networks, section 3, by captum. The parts of a
window add up to the forecast minus that of the baseline (completeness).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.explanation.lags import Group, rows_of
from zoo.explanation.seen import Seen, fed
from zoo.train.predict import full_float32

STEPS = 64  # points on the way from the baseline
BATCH = 64  # windows
INSTALL = "integrated gradients need captum: pip install 'lstm-zoo[explain]'"


@dataclass(frozen=True)
class Attributions:
    """The parts of the forecasts of n windows that each channel brings at each lag, in scaled units or in log-odds.

    targets: what is forecast, each the mean over its steps; size_DLC: the mean size of the parts, slope_DLC: how much
    an input adds for each scaled unit above the baseline, both with the oldest step of a window first; gap: by how much
    the parts miss completeness, as a share of the mean distance of a forecast from the baseline's.
    """

    channels: tuple[str, ...]
    targets: tuple[str, ...]
    unit: str
    size_DLC: np.ndarray
    slope_DLC: np.ndarray
    gap: float

    def map_CG(self, groups: Sequence[Group]) -> np.ndarray:
        """The sizes by channel and group of lags, added up over the lags of a group, averaged over targets."""
        size_LC = self.size_DLC.mean(axis=0)
        return np.stack([size_LC[rows_of(group, len(size_LC))].sum(axis=0) for group in groups], axis=1)

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each target, channel and lag: size and slope, in the unit named."""
        targets, lookback, channels = self.size_DLC.shape
        rows = [(d, c, lag) for d in range(targets) for c in range(channels) for lag in range(1, lookback + 1)]
        return pd.DataFrame(
            {
                "target": self.targets[d],
                "channel": self.channels[c],
                "lag": lag,
                "size": self.size_DLC[d, lookback - lag, c],
                "slope": self.slope_DLC[d, lookback - lag, c],
                "unit": self.unit,
            }
            for d, c, lag in rows
        )


def integrated_gradients(seen: Seen, channels: Sequence[str], targets: Sequence[str]) -> Attributions:
    """The attributions of every window's forecast, or of the log-odds of the class that the model chooses.

    The baseline is no change since the last value where normalise is last, and otherwise the mean of each channel over
    the windows; of channels that are known in advance always the mean. Raises InputError without captum, and for a
    variant through which no gradient flows.
    """
    if find_spec("captum") is None:
        raise InputError(INSTALL)
    from captum.attr import IntegratedGradients

    model, problem = seen.model.eval(), seen.model.problem
    baseline_1LC = baseline_of(seen)
    chosen = None
    if problem.task == "classify":
        chosen = seen.forecasts(seen.inputs)[:, 0].argmax(dim=1)

    def explained(inputs: Tensor, x: Tensor) -> Tensor:
        """What is explained: [B, D], or [B, K] of classes."""
        with fed(model.variant, inputs):
            forecast = model(x)
        if problem.quantiles:
            forecast = forecast[..., list(problem.quantiles).index(0.5)]
        if problem.task == "move":
            forecast = forecast[..., 2] - forecast[..., 0]  # of a rise against a fall
        return forecast.mean(dim=1)

    # cuDNN's recurrences have gradients in training mode alone.
    with full_float32(seen.x.device), torch.backends.cudnn.flags(enabled=False), torch.enable_grad():
        one = seen.inputs[:1].clone().requires_grad_()
        forecast = explained(one, seen.x[:1]).sum()
        if not forecast.requires_grad or torch.autograd.grad(forecast, one, allow_unused=True)[0] is None:
            raise InputError("integrated gradients need a variant through which gradients flow, and this one has none")
        method, parts_of_targets, gaps, distances = IntegratedGradients(explained), [], [], []
        for d in range(1 if chosen is not None else len(targets)):
            parts = []
            for place in torch.arange(len(seen.x)).split(BATCH):
                goal = d if chosen is None else chosen[place]
                own, gap = method.attribute(
                    seen.inputs[place], baseline_1LC, target=goal, additional_forward_args=(seen.x[place],),
                    n_steps=STEPS, return_convergence_delta=True,
                )  # fmt: skip
                parts.append(own.detach())
                gaps.append(gap.detach().abs())
                distances.append((own.sum(dim=(1, 2)) - gap).detach().abs())
            parts_of_targets.append(torch.cat(parts))
    attributions_DnLC = torch.stack(parts_of_targets).double()
    away_nLC = (seen.inputs - baseline_1LC).double()
    slope_DLC = (attributions_DnLC * away_nLC).sum(dim=1) / away_nLC.square().sum(dim=0).clamp(min=1e-12)
    return Attributions(
        channels=tuple(channels),
        targets=tuple(targets),
        unit="scaled units" if problem.is_of_values else "log-odds",
        size_DLC=attributions_DnLC.abs().mean(dim=1).cpu().numpy(),
        slope_DLC=slope_DLC.cpu().numpy(),
        gap=float(torch.cat(gaps).mean() / torch.cat(distances).mean().clamp(min=1e-12)),
    )


def baseline_of(seen: Seen) -> Tensor:
    """The inputs of the forecast that attributions start from: [1, L, C]."""
    problem = seen.model.problem
    mean_11C = seen.inputs.mean(dim=(0, 1), keepdim=True)
    if problem.normalise == "last":
        has_level_C = torch.ones(mean_11C.shape[2], dtype=torch.bool, device=mean_11C.device)
        has_level_C[list(problem.plain)] = False
        mean_11C = mean_11C.masked_fill(has_level_C, 0.0)
    return mean_11C.expand(1, seen.inputs.shape[1], -1).clone()
