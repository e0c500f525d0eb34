"""Window maps: the forecasts of a linear model of a series as a linear map of a window, and of nothing before it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.errors import InputError

Map = tuple[np.ndarray, np.ndarray]  # weight [T, L] and bias [T]


def smoothing_map(
    transition_SS: np.ndarray,
    seen_S: np.ndarray,
    gain_S: np.ndarray,
    start: Sequence[tuple[float, float]],
    lookback: int,
    horizon: int,
) -> Map:
    """Forecasts of y_t = w x_t-1 + e_t, x_t = F x_t-1 + g e_t.

    The first state is the likeliest: that with the least sum of squares of errors and of its distances from what is
    known of it. start: mean and deviation of each state but the first, the level, of which nothing is known; in the
    units of y and of the errors' deviation.
    """
    closed_SS = transition_SS - np.outer(gain_S, seen_S)  # x_t = closed x_t-1 + g y_t
    of_start_SS, of_window_SL = np.eye(len(seen_S)), np.zeros((len(seen_S), lookback))
    errors_LS, errors_LL = np.zeros((lookback, len(seen_S))), np.eye(lookback)
    for t in range(lookback):
        errors_LS[t] = seen_S @ of_start_SS
        errors_LL[t] -= seen_S @ of_window_SL
        of_start_SS, of_window_SL = closed_SS @ of_start_SS, closed_SS @ of_window_SL
        of_window_SL[:, t] += gain_S
    mean_S = np.array([0.0, *(mean for mean, _ in start)])
    # Distances from the mean in units of the deviation; almost none is allowed where a state never changed.
    known_PS = np.diag([0.0, *(1 / max(deviation, 1e-6) for _, deviation in start)])[1:]
    solved_SX = np.linalg.pinv(np.concatenate([errors_LS, known_PS]), rcond=1e-12)
    start_SL, start_S = solved_SX[:, :lookback] @ errors_LL, solved_SX[:, lookback:] @ known_PS @ mean_S
    last_SL, last_S = of_window_SL + of_start_SS @ start_SL, of_start_SS @ start_S
    ahead_TS = np.stack([seen_S @ np.linalg.matrix_power(transition_SS, h) for h in range(horizon)])
    return ahead_TS @ last_SL, ahead_TS @ last_S


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
    if lost > lookback:
        raise InputError(
            f"the ARIMA of least AICc takes {lost} differences: lengthen the lookback, which is {lookback}"
        )
    count = lookback - lost
    differenced_NL = np.zeros((count, lookback))
    for n in range(count):
        differenced_NL[n, n : n + lost + 1] = difference[::-1]
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
