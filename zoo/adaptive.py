"""adapted: quantiles of forecasts that follow their own hits and misses as actual values become known."""

from collections.abc import Sequence

import numpy as np

RATE = 0.05  # of the window's band, one step ahead; chosen on validation rows, see results/adaptive


def adapted(
    quantiles_nTDQ: np.ndarray,
    actual_nTD: np.ndarray,
    rows_n: np.ndarray,
    levels: Sequence[float],
    *,
    rate: float = RATE,
) -> np.ndarray:
    """Quantiles [n, T, D, Q] moved so that in the long run each one's share of the actual values lies below it.

    rows_n: int [n], rising: the row of each window's first forecast step. A forecast is moved by what was known at its
    origin, rows_n - 1, alone: after every actual value above a quantile, that quantile of its step and target rises by
    rate * level of the band between the outer quantiles, after every other one it falls by rate * (1 - level). What is
    forecast k steps ahead is known k rows later, so that all move too far before it tells; its rate is divided by
    sqrt(k) (Quanrud & Khashabi 2015, Online learning with adversarial delays). NaN stands for an actual value that is
    not known, and moves nothing. The median stays where it is: the point of a
    forecast does not change. Source: the quantile tracker of Angelopoulos, Candès & Tibshirani 2023 (Conformal PID
    control for time series prediction, section 2.2), which follows Gibbs & Candès 2021 (Adaptive conformal inference);
    here one quantile at a time, and in proportion to each window's own band.
    """
    horizon = actual_nTD.shape[1]
    steps_T = np.arange(horizon)
    rates_T = rate / np.sqrt(steps_T + 1)
    level_Q = np.asarray(levels)
    is_moved_Q = level_Q != 0.5
    median = int(np.flatnonzero(~is_moved_Q)[0])
    moves_TDQ = np.zeros(quantiles_nTDQ.shape[1:])
    learned_T = np.zeros(horizon, dtype=int)  # windows whose outcome at a step has moved its quantiles
    result_nTDQ = np.empty_like(quantiles_nTDQ)
    for number, row in enumerate(rows_n):
        while True:
            is_known_T = (learned_T < number) & (rows_n[learned_T] + steps_T < row)
            if not is_known_T.any():
                break
            steps, windows = steps_T[is_known_T], learned_T[is_known_T]
            actual_KD1 = actual_nTD[windows, steps][..., None]
            is_below_KDQ = actual_KD1 <= result_nTDQ[windows, steps]
            moves_KDQ = rates_T[steps, None, None] * (level_Q - is_below_KDQ) * is_moved_Q
            moves_TDQ[steps] += np.where(np.isnan(actual_KD1), 0.0, moves_KDQ)
            learned_T[is_known_T] += 1
        forecast_TDQ = quantiles_nTDQ[number]
        band_TD1 = forecast_TDQ[..., -1:] - forecast_TDQ[..., :1]
        moved_TDQ = forecast_TDQ + moves_TDQ * band_TD1
        middle_TD1 = forecast_TDQ[..., median : median + 1]
        below = np.sort(np.minimum(moved_TDQ[..., :median], middle_TD1), axis=-1)
        above = np.sort(np.maximum(moved_TDQ[..., median + 1 :], middle_TD1), axis=-1)
        result_nTDQ[number] = np.concatenate([below, middle_TD1, above], axis=-1)
    return result_nTDQ
