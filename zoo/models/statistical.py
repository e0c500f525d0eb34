"""Exponential smoothing, the theta method and ARIMA, chosen and estimated by statsforecast.

They are estimated once, on the training series. With these parameters a forecast is a linear map of the window: the
states before it are those that are likeliest, so that no variant here sees more than a recurrent one. The maps are
kept, and a saved model needs no statsforecast.
"""

import warnings
from importlib.util import find_spec
from typing import Annotated

import numpy as np
import torch

from zoo.errors import InputError
from zoo.layers.head import OwnLookback
from zoo.layers.normalised import Batches
from zoo.layers.window_maps import Map, arima_map, smoothing_map
from zoo.problem import Problem
from zoo.registry import INSTALL, register
from zoo.space import Int

MOST_ROWS = 1_000  # of the training windows, the newest: a search over ARIMA models takes seconds for as many


class Estimated(OwnLookback):
    """A variant whose map follows from a model of the training series."""

    def __init__(self, problem: Problem, *, period: int | None) -> None:
        super().__init__(problem)
        if period is not None and period < 1:
            raise InputError(f"period must be >= 1, got {period}")
        self.horizon, self.lookback, self.normalise = problem.horizon, problem.lookback, problem.normalise
        # A season that a window does not show twice cannot be told from a trend.
        self.period = period if period is not None and 2 * period <= problem.lookback else 1

    def solve(self, train: Batches, valid: Batches | None) -> None:  # noqa: ARG002
        """Estimate the model of each target from consecutive windows, and set the weights."""
        if find_spec("statsforecast") is None:
            raise InputError(f"it is estimated by statsforecast, which is not installed: {INSTALL}")
        for d, target in enumerate(self.targets):
            series = _series(train, target, d, is_scaled=self.normalise == "instance")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the search, about models that it then drops
                try:
                    weight_TL, bias_T = self.estimated(series)
                except NotImplementedError as error:
                    raise InputError(f"{len(series)} training rows are too few ({error})") from error
            self.weight.data[d] = torch.from_numpy(weight_TL).to(self.weight)
            self.bias.data[d] = torch.from_numpy(bias_T).to(self.bias)

    def estimated(self, series: np.ndarray) -> Map:
        """The map that follows from the model of a series."""
        raise NotImplementedError


@register(
    "auto-ets",
    summary="exponential smoothing with the trend and season that AICc chooses",
    source="Hyndman et al. 2002, 'A state space framework for automatic forecasting', and Hyndman & Khandakar 2008, "
    "section 2, by statsforecast's AutoETS; additive models only, estimated on the newest 1,000 training windows",
    tags=("baseline", "deterministic"),
    limits={"parameters": "grow as lookback, one weight for each step"},
    needs="statsforecast",
)
class AutoETS(Estimated):
    """level, trend and season smoothed over the window, and continued.

    x_t = F x_t-1 + g (y_t - w x_t-1),   forecast_h = w F^(h-1) x_lookback
    """

    def __init__(self, problem: Problem, *, period: Annotated[int | None, Int(2, 24)] = None) -> None:
        super().__init__(problem, period=period)

    def estimated(self, series: np.ndarray) -> Map:
        from statsforecast.models import AutoETS as Search

        # Around zero, where multiplicative models do not exist.
        found = Search(season_length=self.period).fit(series - series.mean()).model_
        alpha, beta, gamma, phi = np.nan_to_num(found["par"][:4])
        has_trend, has_season, is_damped = (
            sign == yes for sign, yes in zip(found["components"][1:], "AAD", strict=True)
        )
        states = 1 + has_trend + self.period * has_season
        transition, seen, gain = np.zeros((states, states)), np.zeros(states), np.zeros(states)
        transition[0, 0], seen[0], gain[0] = 1.0, 1.0, alpha
        noise = np.sqrt(found["sigma2"]) or 1.0
        start = []
        if has_trend:
            damping = phi if is_damped else 1.0
            transition[:2, 1], seen[1], gain[1] = damping, damping, beta
            slopes = found["states"][:, 1]
            start.append((slopes.mean(), slopes.std() / noise))
        if has_season:  # the oldest of the season's states is seen, and becomes the newest
            first = 1 + has_trend
            transition[first:, first:] = np.roll(np.eye(self.period), 1, axis=0)
            seen[-1], gain[first] = 1.0, gamma
            start += [(0.0, found["states"][:, first:].std() / noise)] * self.period
        return smoothing_map(transition, seen, gain, start, self.lookback, self.horizon)


@register(
    "auto-theta",
    summary="simple exponential smoothing with the drift of the theta method",
    source="Fiorucci et al. 2016, 'Models for optimising the theta method', by statsforecast's AutoTheta; without "
    "season, and with the drift that a long series has, since a window does not tell its place in the series; "
    "estimated on the newest 1,000 training windows",
    tags=("baseline", "deterministic"),
    limits={"parameters": "grow as lookback, one weight for each step"},
    needs="statsforecast",
)
class AutoTheta(Estimated):
    """forecast_h = level_lookback + (1 - 1 / theta) slope (h - 1 + 1 / alpha),   level_t smoothed with alpha."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, period=None)

    def estimated(self, series: np.ndarray) -> Map:
        from statsforecast.models import AutoTheta as Search

        found = Search(season_length=1).fit(series - series.mean()).model_
        alpha, theta, slope = found["par"]["alpha"], found["par"]["theta"], found["states"][-1, 3]
        one = np.ones(1)
        weight_TL, _ = smoothing_map(one[None], one, one * alpha, [], self.lookback, self.horizon)
        return weight_TL, (1 - 1 / theta) * slope * (np.arange(self.horizon) + 1 / alpha)


@register(
    "auto-arima",
    summary="ARIMA of the orders that AICc chooses",
    source="Hyndman & Khandakar 2008, 'Automatic time series forecasting: the forecast package for R', section 3, by "
    "statsforecast's AutoARIMA; differenced at least once where normalise takes the level from each window; "
    "estimated on the newest 1,000 training windows",
    tags=("baseline", "deterministic"),
    limits={"parameters": "grow as lookback, one weight for each step"},
    needs="statsforecast",
)
class AutoARIMA(Estimated):
    """The best linear forecast of an ARMA process from the window's differences, and of the values from that.

    forecast_h = G_h G^-1 z - sum over i of d_i y_lookback+h-i,   z = d(B) y,   G: autocovariances of z
    """

    def __init__(self, problem: Problem, *, period: Annotated[int | None, Int(2, 24)] = None) -> None:
        super().__init__(problem, period=period)

    def estimated(self, series: np.ndarray) -> Map:
        from statsforecast.models import AutoARIMA as Search

        centre = 0.0 if self.normalise == "none" else series.mean()
        found = Search(season_length=self.period).fit(series - centre).model_
        if self.normalise != "none" and found["arma"][5] + found["arma"][6] == 0:
            found = Search(season_length=self.period, d=1).fit(series - centre).model_
        return arima_map(found, self.lookback, self.horizon)


def _series(batches: Batches, target: int, d: int, *, is_scaled: bool) -> np.ndarray:
    """The newest stretch of consecutive values of a target, MOST_ROWS or fewer windows of it; up to a constant where
    windows come without their level, and in units of a usual window where each is divided by its own scale.

    batches: consecutive windows (x [B, L, C], y [B, T, D]) in their order; target: its place among the channels, d:
    among the targets.
    """
    pairs = [(x[..., target].cpu().double(), y[:, 0, d].cpu().double()) for x, y in batches()]
    own_NL, next_N = (torch.cat(parts).numpy()[-MOST_ROWS:] for parts in zip(*pairs, strict=True))
    # A window without its first value and with the next one is the window after it, but for level and scale.
    after_NL = np.column_stack([own_NL[:, 1:], next_N])
    after_NL, from_last_NL = after_NL - after_NL[:, -1:], own_NL - own_NL[:, -1:]
    ratio_N = np.ones(len(own_NL))
    if is_scaled:
        spread_N, own_spread_N = np.linalg.norm(after_NL[:-1], axis=1), np.linalg.norm(from_last_NL[1:], axis=1)
        np.divide(spread_N, own_spread_N, out=ratio_N[1:], where=(spread_N > 0) & (own_spread_N > 0))
    is_next = np.isclose(after_NL[:-1], ratio_N[1:, None] * from_last_NL[1:], rtol=1e-3, atol=1e-4).all(axis=1)
    begin = 0 if is_next.all() else int(np.flatnonzero(~is_next)[-1]) + 1
    ratio_N[begin] = 1.0
    scale_N = np.cumprod(ratio_N[begin:])
    scale_N /= scale_N.mean()
    first_L = own_NL[begin] * scale_N[0]
    return np.concatenate([first_L, first_L[-1] + np.cumsum(scale_N * (next_N - own_NL[:, -1])[begin:])])
