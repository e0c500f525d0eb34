"""Advice: which settings a series asks for, each with its reason."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from zoo.data.spacing import spacing
from zoo.data.table import Table, match_columns
from zoo.problem import LOOKBACK

LOOKED_AT = 0.8  # of the rows: the usual test part gives no advice
MOST_ROWS = 3000  # the newest of these, for autoregressions and tests
FEWEST = 30  # rows, for any figure
MOST_LAGS = 100
STRONG_SEASON = 0.1  # of the variance beside the trend
LONG_GAP = 3  # rows, that a repeated value may stand for
MANY_MISSING = 0.05
ROOTS = 0.05  # level of the two tests
SPIKE = 5  # interquartile ranges beyond the quartiles
UNEVEN = 4.0  # how much larger steps may become before growth is asked for
OUTSIDE = 0.2  # of the newest values beyond the range of the others
CALM = 2.0  # how much the usual step may change


@dataclass(frozen=True)
class Advice:
    """A setting of zoo bench by name, its value, and why; no option: only something to know."""

    option: str
    value: str
    reason: str


def advice_on(values: np.ndarray, season: int | None) -> list[Advice]:
    """What the target's values [rows], NaN where missing, say about settings; season: what the spacing suggests.

    Lookback, level and scaler come from the first 80 % of the rows, which leaves out the usual test part.
    """
    gaps = np.isnan(values)
    on_gaps = _missing(gaps) if gaps.any() else []
    known = values[: int(LOOKED_AT * len(values))]
    known = known[np.isfinite(known)]
    if len(known) < FEWEST or np.ptp(known) == 0:
        return on_gaps
    newest = known[-MOST_ROWS:]
    growth = _growth(known)
    series = _without_spikes(np.log(newest) if growth else newest)
    return [*on_gaps, *growth, _level(series, season), _lookback(series, season, len(values)), *_drift(values)]


def advised_settings(
    table: Table, targets: Sequence[str], channels: Sequence[str] | None, horizon: int
) -> tuple[dict[str, Any], dict[str, str]]:
    """What a table's first target asks for, lookback, normalise, scaler, channels and missing by name, and why.

    A logarithm leaves out channels with values that have none, or is left out itself where a target or a channel that
    is given has some; a lookback is at least the horizon, and how to treat missing values is advised for all channels
    where some have gaps. Raises InputError for a column that the table does not have, or that holds text.
    """
    targets = match_columns(targets, (*table.columns, *table.unusable), table.source)
    usable = [name for name in table.numeric if name not in table.unusable]
    inputs = match_columns(channels, (*table.columns, *table.unusable), table.source) if channels else usable
    usual = spacing(table.time)
    advice = advice_on(table.select(targets)[:, 0], usual.season if usual else None)
    settings: dict[str, Any] = {each.option: each.value for each in advice if each.option}
    reasons = {each.option: each.reason for each in advice}
    if "lookback" in settings:
        settings["lookback"] = max(int(settings["lookback"]), horizon)
    values = table.select(inputs)
    without = [name for name, column in zip(inputs, values.T, strict=True) if not np.nanmin(column) > 0]
    if "scaler" in settings and without:
        if channels or set(without) & set(targets):
            del settings["scaler"]
        else:
            settings["channels"] = [name for name in inputs if name not in without]
            reasons["channels"] = f"{', '.join(without)} cannot be read as logarithms (a value of 0 or below)"
            values = table.select(settings["channels"])
    if "missing" not in settings and np.isnan(values).any():
        settings["missing"], reasons["missing"] = "ffill", "other channels have gaps: their last value stands in"
    if table.missing != "refuse":  # the source says it already
        settings.pop("missing", None)
    return settings, reasons


def season_strength(series: np.ndarray, season: int) -> float:
    """The share of the variance beside a moving mean that the position in the season explains, adjusted for the number
    of positions: 0 where there is no season, 1 where nothing else moves."""
    windows = np.lib.stride_tricks.sliding_window_view(series, season).mean(axis=1)
    beside = series[season // 2 : season // 2 + len(windows)] - windows
    phase = np.arange(len(beside)) % season
    means = np.bincount(phase, beside, minlength=season) / np.bincount(phase, minlength=season)
    total = float(np.sum((beside - beside.mean()) ** 2))
    if total == 0 or len(beside) <= season + 1:
        return 0.0
    left = float(np.sum((beside - means[phase]) ** 2))
    return max(0.0, 1 - (left / (len(beside) - season)) / (total / (len(beside) - 1)))


def autoregressive_order(series: np.ndarray, most: int) -> int:
    """The order of the autoregression with the lowest BIC (Schwarz 1978), by the Levinson-Durbin recursion."""
    centred = series - series.mean()
    count = len(centred)
    covariances = np.array([centred[: count - lag] @ centred[lag:] / count for lag in range(most + 1)])
    if covariances[0] <= 0:
        return 0
    weights, error = np.zeros(0), covariances[0]
    best, lowest = 0, count * np.log(error)
    for order in range(1, most + 1):
        reflection = (covariances[order] - weights @ covariances[order - 1 : 0 : -1]) / error
        weights = np.append(weights - reflection * weights[::-1], reflection)
        error *= 1 - reflection**2
        if error <= 1e-12 * covariances[0]:
            return order
        criterion = count * np.log(error) + order * np.log(count)
        if criterion < lowest:
            best, lowest = order, criterion
    return best


def _without_spikes(series: np.ndarray) -> np.ndarray:
    """The series with its far outliers drawn in: one of them would hide every season."""
    low, high = np.percentile(series, [25, 75])
    reach = SPIKE * (high - low)
    return np.clip(series, low - reach, high + reach) if reach > 0 else series


def _missing(gaps: np.ndarray) -> list[Advice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gaps, [0]])))
    longest, share = int((edges[1::2] - edges[::2]).max()), float(gaps.mean())
    counts = f"{int(gaps.sum())} of {len(gaps)} values are missing, at most {longest} in a row"
    if longest > LONG_GAP or share > MANY_MISSING:
        return [Advice("missing", "mask", f"{counts}: a model should know which values are only repeated")]
    return [Advice("missing", "ffill", f"{counts}: the last known value stands in for a while")]


def _growth(series: np.ndarray) -> list[Advice]:
    """The logarithm, where steps grow with the level."""
    if series.min() <= 0 or series.max() < UNEVEN * series.min():
        return []

    def unevenness(values: np.ndarray) -> float:
        sizes = [float(np.median(np.abs(part))) for part in np.array_split(np.diff(values), 5)]
        return max(sizes) / min(sizes) if min(sizes) > 0 else np.inf

    plain, relative = unevenness(series), unevenness(np.log(series))
    if plain < UNEVEN or relative > plain / 2:
        return []
    reason = f"the usual step grows {plain:.0f}-fold with the level, the usual growth changes {relative:.1f}-fold"
    return [Advice("scaler", "log", reason)]


def _level(series: np.ndarray, season: int | None) -> Advice:
    """Whether the series returns to a level, by ADF and KPSS; needs statsmodels."""
    if find_spec("statsmodels") is None:
        return Advice("", "", "whether it returns to a level is not tested: pip install 'lstm-zoo[data]'")
    from statsmodels.tsa.stattools import adfuller, kpss

    lags = min(max(season or 0, int(12 * (len(series) / 100) ** 0.25)), len(series) // 4, MOST_LAGS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # p-values beyond the ends of a table
        root = float(adfuller(series, maxlag=lags, autolag=None)[1])
        level = float(kpss(series, nlags="auto")[1])
    tests = f"ADF p = {root:.2f}, KPSS p = {level:.2f}"
    if root < ROOTS and level > ROOTS:
        return Advice("normalise", "none", f"it returns to its level ({tests}): the level itself tells something")
    if root >= ROOTS and level <= ROOTS:
        return Advice("normalise", "last", f"it wanders ({tests}): forecast the change since the last value")
    return Advice("normalise", "last", f"the tests disagree on whether it returns to a level ({tests}); also try none")


def _lookback(series: np.ndarray, season: int | None, rows: int) -> Advice:
    most = min(MOST_LAGS, len(series) // 10)
    order = autoregressive_order(np.diff(series), most) + 1
    reason = f"an autoregression of {order} step{'s' * (order > 1)} describes it best (BIC)"
    lookback = max(LOOKBACK, order)
    if season is not None and 2 * season < len(series):
        strength = season_strength(series, season)
        share = f"a season of {season} steps explains {100 * strength:.0f} % of what is beside the trend"
        reason += f"; {share}"
        if strength >= STRONG_SEASON:
            lookback = season * -(-lookback // season)
    longest = max(LOOKBACK, rows // 10)
    if lookback > longest:
        lookback, reason = longest, f"{reason}; a tenth of the rows is the most"
    return Advice("lookback", str(lookback), reason)


def _drift(values: np.ndarray) -> list[Advice]:
    """How the newest 20 % of the rows differ from those before, which a model learns from."""
    before, after = (part[np.isfinite(part)] for part in np.split(values, [int(LOOKED_AT * len(values))]))
    if len(after) < FEWEST:
        return []
    changes = []
    outside = float(np.mean((after < before.min()) | (after > before.max())))
    if outside > OUTSIDE:
        changes.append(f"{100 * outside:.0f} % of the newest fifth of the values lie outside the range of the others")
    steps = [float(np.percentile(np.abs(np.diff(part)), 75)) for part in (before, after)]
    if min(steps) > 0 and max(steps) / min(steps) > CALM:
        changes.append(f"its larger steps are {steps[1] / steps[0]:.1f} times as large as before")
    return [Advice("", "", f"drift: {' and '.join(changes)}; what was learned before may not hold")] if changes else []
