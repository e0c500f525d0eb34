"""Permutation importance: how much worse forecasts are when an input comes from another window.

Source: Breiman, Random forests, Machine Learning 45 (2001), section 10; Fisher, Rudin & Dominici 2019, All models are
wrong, but many are useful, section 3. The values of one channel in one group of lags are shuffled between the windows,
together, so that they keep their course and lose their relation to all else and to what follows.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from zoo.data.dataset import Samples
from zoo.errors import Diverged
from zoo.explanation.lags import Group, rows_of
from zoo.explanation.seen import Seen
from zoo.layers.model import WITH_TASK
from zoo.train.evaluate import scores

ERRORS = {
    "forecast": "rmse",
    "quantile": "crps",
    "direction": "brier",
    "move": "rps",
    "classify": "log_loss",
}  # by task
LEAST = 0.005  # of the error: a smaller rise does not matter
EVERYTHING, LEVEL = "all inputs", "level of the window"


@dataclass(frozen=True)
class Importance:
    """The error of the forecasts, and by how much it rises, in each of R repeats.

    error: its name; increases_RCG: where one channel is shuffled in one group of lags; channels_RC: in all lags;
    everything_R: all channels in all lags; level_R: the level and scale that normalising restores, None where there is
    none.
    """

    channels: tuple[str, ...]
    groups: tuple[Group, ...]
    error: str
    base: float
    increases_RCG: np.ndarray
    channels_RC: np.ndarray
    everything_R: np.ndarray
    level_R: np.ndarray | None

    @property
    def map_CG(self) -> np.ndarray:
        """The mean increase by channel and group of lags."""
        return np.asarray(self.increases_RCG.mean(axis=0))

    @property
    def is_clear_CG(self) -> np.ndarray:
        """Whether each of these increases is clear."""
        return np.apply_along_axis(is_clear, 0, self.increases_RCG, self.base)

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each thing that was shuffled: channel, first_lag, last_lag, error (without shuffling), increase
        (the mean over repeats), deviation (of one repeat), low and high (the 95 % interval of the mean)."""
        whole = (self.groups[0][0], self.groups[-1][1])
        lines: list[tuple[str, Group, np.ndarray]] = []
        for c, channel in enumerate(self.channels):
            lines += [(channel, group, self.increases_RCG[:, c, g]) for g, group in enumerate(self.groups)]
            lines.append((channel, whole, self.channels_RC[:, c]))
        lines.append((EVERYTHING, whole, self.everything_R))
        if self.level_R is not None:
            lines.append((LEVEL, whole, self.level_R))
        return pd.DataFrame(
            {"channel": channel, "first_lag": first, "last_lag": last, "error": self.base, **spread_of(increases)}
            for channel, (first, last), increases in lines
        )


def spread_of(increases: np.ndarray) -> dict[str, float]:
    """The mean of repeats, their deviation, and the 95 % interval of the mean (Student's t)."""
    from scipy import special

    count, mean = len(increases), float(increases.mean())
    deviation = float(increases.std(ddof=1)) if count > 1 else math.nan
    half = float(special.stdtrit(count - 1, 0.975)) * deviation / count**0.5 if count > 1 else math.nan
    return {"increase": mean, "deviation": deviation, "low": mean - half, "high": mean + half}


def is_clear(increases: np.ndarray, base: float) -> bool:
    """Whether the interval of the mean lies above zero, and the mean is large enough to matter."""
    spread = spread_of(increases)
    return spread["low"] > 0 and spread["increase"] >= LEAST * base


def permutation_importance(
    seen: Seen,
    windows: Samples,
    channels: Sequence[str],
    groups: Sequence[Group],
    *,
    repeats: int,
    seed: int,
    on_step: Callable[[], None] = lambda: None,
) -> Importance:
    """The increase of the error of these windows' forecasts for every channel and group of lags.

    All are shuffled by the same permutations, one for each repeat, so that they differ by the input alone. on_step is
    called after each of channels * (groups + 1) + 1 steps. Raises Diverged where a forecast is no finite number.
    """
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(len(windows), generator=generator).to(seen.x.device) for _ in range(repeats)]
    task, lookback = seen.model.problem.task, seen.inputs.shape[1]

    def error_of(inputs: Tensor, x: Tensor | None = None) -> float:
        scaled = seen.forecasts(inputs, x).cpu().numpy()
        model, units = seen.model, windows.units
        restored = model.restored(scaled, units) if isinstance(model, WITH_TASK) else units.restore(scaled)
        if not np.isfinite(restored).all():
            raise Diverged("the model's forecasts are not finite numbers")
        return float(scores(restored, None, windows, model)[ERRORS[task]])

    base = error_of(seen.inputs)

    def increases(rows: slice, chosen: slice) -> list[float]:
        parts = []
        for order in orders:
            shuffled = seen.inputs.clone()
            shuffled[:, rows, chosen] = seen.inputs[order][:, rows, chosen]
            parts.append(error_of(shuffled) - base)
        on_step()
        return parts

    places = [slice(c, c + 1) for c in range(len(channels))]
    every = slice(None)
    has_level = seen.model.problem.normalise != "none" and seen.model.problem.is_of_values
    return Importance(
        channels=tuple(channels),
        groups=tuple(groups),
        error=ERRORS[task],
        base=base,
        increases_RCG=np.array(
            [[increases(rows_of(group, lookback), place) for group in groups] for place in places]
        ).transpose(2, 0, 1),
        channels_RC=np.array([increases(every, place) for place in places]).T,
        everything_R=np.array(increases(every, every)),
        level_R=np.array([error_of(seen.inputs, seen.x[order]) - base for order in orders]) if has_level else None,
    )
