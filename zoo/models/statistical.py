"""Exponential smoothing, the theta method and ARIMA, chosen and estimated by statsforecast.

They are estimated once, on the training series. With these parameters a forecast is a linear map of the window and,
for them, of nothing else: the initial states are those that fit the window best, so that no variant here sees more than
a recurrent one. The maps are kept, and a saved model needs no statsforecast.
"""

import warnings
from importlib.util import find_spec
from typing import Annotated, Any

import numpy as np
import torch

from zoo.errors import InputError
from zoo.layers.head import OwnLookback
from zoo.layers.normalised import Batches
from zoo.problem import Problem
from zoo.registry import INSTALL, register
from zoo.space import Int

MOST_ROWS = 1_000  # of the training windows, the newest: a search over ARIMA models takes seconds for as many
Map = tuple[np.ndarray, np.ndarray]  # weight [T, L] and bias [T] of one target


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
                weight_TL, bias_T = self.estimated(series)
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
        trend, season, is_damped = found["components"][1] == "A", found["components"][2] == "A", found["components"][3]
        states = 1 + trend + self.period * season
        transition, seen, gain = np.zeros((states, states)), np.zeros(states), np.zeros(states)
        transition[0, 0], seen[0], gain[0] = 1.0, 1.0, alpha
        if trend:
            damping = phi if is_damped == "D" else 1.0
            transition[:2, 1], seen[1], gain[1] = damping, damping, beta
        if season:  # the oldest of the season's states is seen, and becomes the newest
            first = 1 + trend
            transition[first:, first:] = np.roll(np.eye(self.period), 1, axis=0)
            seen[-1], gain[first] = 1.0, gamma
        return smoothing_map(transition, seen, gain, self.lookback, self.horizon), np.zeros(self.horizon)


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
        weight_TL = smoothing_map(one[None], one, one * alpha, self.lookback, self.horizon)
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


def smoothing_map(
    transition_SS: np.ndarray, seen_S: np.ndarray, gain_S: np.ndarray, lookback: int, horizon: int
) -> np.ndarray:
    """Weights [T, L] of the forecasts of y_t = w x_t-1 + e_t, x_t = F x_t-1 + g e_t, whose first state is the one
    with the least squared errors over the window."""
    closed_SS = transition_SS - np.outer(gain_S, seen_S)  # x_t = closed x_t-1 + g y_t
    of_start_SS, of_window_SL = np.eye(len(seen_S)), np.zeros((len(seen_S), lookback))
    errors_LS, errors_LL = np.zeros((lookback, len(seen_S))), np.eye(lookback)
    for t in range(lookback):
        errors_LS[t] = seen_S @ of_start_SS
        errors_LL[t] -= seen_S @ of_window_SL
        of_start_SS, of_window_SL = closed_SS @ of_start_SS, closed_SS @ of_window_SL
        of_window_SL[:, t] += gain_S
    last_SL = of_window_SL + of_start_SS @ np.linalg.pinv(errors_LS, rcond=1e-10) @ errors_LL
    ahead = [seen_S @ np.linalg.matrix_power(transition_SS, h) @ last_SL for h in range(horizon)]
    return np.stack(ahead)


def arima_map(found: dict[str, Any], lookback: int, horizon: int) -> Map:
    """Weights [T, L] and bias [T] of statsforecast's ARIMA `found` (its model_)."""
    from statsmodels.tsa.arima_process import arma_acovf

    p, q, seasonal_p, seasonal_q, period, d, seasonal_d = found["arma"]
    coefficients = {name: float(value) for name, value in found["coef"].items()}

    def polynomial(short: str, order: int, seasonal_order: int, sign: float) -> np.ndarray:
        """1 + sign * (c_1 B + ...), times its seasonal part."""
        own = np.array([1.0, *(sign * coefficients[f"{short}{i + 1}"] for i in range(order))])
        seasonal = np.zeros(1 + seasonal_order * period)
        seasonal[0] = 1.0
        for i in range(seasonal_order):
            seasonal[(i + 1) * period] = sign * coefficients[f"s{short}{i + 1}"]
        return np.polymul(own, seasonal)

    ar, ma = polynomial("ar", p, seasonal_p, -1.0), polynomial("ma", q, seasonal_q, 1.0)
    difference = np.ones(1)
    for lag, times in ((1, d), (period, seasonal_d)):
        for _ in range(times):
            difference = np.polymul(difference, np.array([1.0, *np.zeros(lag - 1), -1.0]))
    lost = len(difference) - 1
    if lost >= lookback:
        raise InputError(f"auto-arima takes {lost} differences, for which a lookback of {lookback} is too short")
    differenced_NL = np.stack([np.convolve(row, difference)[lost:lookback] for row in np.eye(lookback)], axis=1)
    count = len(differenced_NL)
    covariance = arma_acovf(ar, ma, nobs=count + horizon)
    lags = np.arange(count)
    inside_NN = covariance[abs(lags[:, None] - lags)]
    ahead_TN = covariance[count - lags + np.arange(horizon)[:, None]]
    changes_TL = ahead_TN @ np.linalg.pinv(inside_NN, hermitian=True) @ differenced_NL
    rows = list(np.eye(lookback))  # of y: those of the window, then the forecasts
    for change_L in changes_TL:
        rows.append(change_L - sum(difference[i] * rows[-i] for i in range(1, lost + 1)))
    weight_TL = np.stack(rows[lookback:])
    # Around its mean, and its drift.
    mean, drift = coefficients.get("intercept", 0.0), coefficients.get("drift", 0.0)
    around = mean + drift * np.arange(lookback + horizon)
    return weight_TL, around[lookback:] - weight_TL @ around[:lookback]


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
