"""WindowRegressor: a variant as an estimator of scikit-learn; make_windows: the windows of a table as its X and y."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from zoo.data.cases import Cases
from zoo.data.dataset import check_count
from zoo.data.one_series import choose_columns
from zoo.data.scaling import Units, fit_scaler
from zoo.data.sources import SOURCES, Source, load
from zoo.data.table import Table, clean
from zoo.data.windows import Windows
from zoo.errors import Diverged, InputError, expect
from zoo.frames import windows_before
from zoo.problem import LOOKBACK, Problem
from zoo.registry import check_forecast, create
from zoo.train.config import FitConfig
from zoo.train.fit import fit
from zoo.train.predict import EVALUATION_BATCH, predict


def make_windows(
    data: Table | Source,
    target: str | None = None,
    *,
    lookback: int = LOOKBACK,
    horizon: int = 1,
    channels: Sequence[str] | None = None,
    time: str | None = None,
    missing: str | None = None,
) -> tuple[pd.DataFrame, Any]:
    """X and y for scikit-learn: in each row of X the last `lookback` rows of a table, and in y what follows.

    X: columns `open t-6`, `close t-6`, ..., `close t`, oldest step first, in each step the target last. y: a Series, or
    with horizon > 1 a DataFrame with a column for each step. The index of both is the time (or number) of the last row
    that a window sees. horizon 0: y is None, and the last row of X is the newest window, to forecast from. data,
    channels, time, missing: as zoo.prepare takes them; target: needed where there are several columns. Nothing is
    scaled. Raises InputError.
    """
    if not isinstance(data, Table):
        expect("data", data, SOURCES, "what zoo.load takes or returns")
        loaded = load(data, time=time)
        if isinstance(loaded, Cases):
            raise InputError(f"{loaded.source} holds sequences to classify, which are no windows of one series")
        data = loaded
    if data.series is not None:
        raise InputError("make_windows takes one series: call it for each of them, and join X and y")
    check_count("lookback", lookback)
    if horizon != 0:
        check_count("horizon", horizon)
    chosen, (name,) = choose_columns(data, channels, () if target is None else (target,))
    names = [*(each for each in chosen if each != name), name]
    cleaned = clean(data.select(names), tuple(names), missing or data.missing, data.source)
    values, rows = cleaned.values, len(cleaned.values)
    if rows < lookback + horizon:
        raise InputError(
            f"too few rows: {data.source} has {rows}, one window needs {lookback} + {horizon} (lookback + horizon)"
        )
    ends = np.arange(lookback, rows - horizon + 1)
    if horizon:
        filled = np.lib.stride_tricks.sliding_window_view(cleaned.is_filled[:, -1], horizon)[ends]
        ends = ends[~filled.any(axis=1)]  # a fill is no truth
    if (missing or data.missing) == "skip":
        gaps = np.lib.stride_tricks.sliding_window_view(cleaned.is_filled.any(axis=1), lookback)[ends - lookback]
        ends = ends[~gaps.any(axis=1)]
    when = np.arange(rows) if data.time is None else data.time[cleaned.is_used]
    steps = [f"t-{lag}" if lag else "t" for lag in range(lookback - 1, -1, -1)]
    columns = [f"{each} {step}" for step in steps for each in names]
    index = pd.Index(when[ends - 1], name="row" if data.time is None else "time")
    windows = windows_before(values, ends, lookback).reshape(len(ends), -1)
    x = pd.DataFrame(windows, index=index, columns=columns)
    if horizon == 0:
        return x, None
    ahead = np.lib.stride_tricks.sliding_window_view(values[:, -1], horizon)[ends]
    if horizon == 1:
        return x, pd.Series(ahead[:, 0], index=index, name=name)
    return x, pd.DataFrame(ahead, index=index, columns=[f"{name} t+{step}" for step in range(1, horizon + 1)])


class WindowRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A variant that forecasts y from windows, one in each row of X, as scikit-learn's estimators do.

    X is [n, lookback * channels]: each row is a window, oldest step first, as make_windows gives it. So a forecast
    depends on its own row alone, and rows may be split and shuffled as any others (by TimeSeriesSplit where they follow
    each other). y is [n], or [n, horizon].

    variant: its name; lookback: steps in a row of X (None: as many as columns, one channel). normalise: none, or last
    and instance (see Problem), which take y as what follows on channel `target`, in the same units as this channel has
    in X. params: of the variant; max_epochs to patience, fit_settings: see FitConfig. validation_share: of the rows,
    the last ones, on which training stops early; 0, or less than one row: none. random_state: of weights and order.

    X and y are standardised by the training rows. model_: the trained PyTorch module; history_: its epochs.
    """

    def __init__(
        self,
        variant: str = "lstm",
        *,
        lookback: int | None = None,
        normalise: str = "none",
        target: int = -1,
        params: Mapping[str, Any] | None = None,
        max_epochs: int = 200,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        patience: int = 16,
        fit_settings: Mapping[str, Any] | None = None,
        validation_share: float = 0.1,
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.variant = variant
        self.lookback = lookback
        self.normalise = normalise
        self.target = target
        self.params = params
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.patience = patience
        self.fit_settings = fit_settings
        self.validation_share = validation_share
        self.device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Train on the rows of X and y; returns the estimator. Raises ValueError, and Diverged."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2)
        problem = self._problem(X.shape[1], 1 if y.ndim == 1 else y.shape[1])
        config = FitConfig.of(
            {
                "max_epochs": self.max_epochs, "learning_rate": self.learning_rate, "batch_size": self.batch_size,
                "patience": self.patience, "device": self.device, **dict(self.fit_settings or {}),
            }
        )  # fmt: skip
        share = self.validation_share
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
            raise InputError(f"validation_share must be a share from 0 to below 1, got {share!r}")
        count = len(X) - int(share * len(X))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        windows = X.reshape(len(X), problem.lookback, problem.channels)
        self.scaler_ = fit_scaler("standard", windows[:count].reshape(-1, problem.channels))
        ahead = y.astype(np.float64).reshape(len(X), -1)
        of_target = self.scaler_.center[problem.targets[0]], self.scaler_.scale[problem.targets[0]]
        of_y = fit_scaler("standard", ahead[:count].reshape(-1, 1))
        center, scale = (of_y.center[0], of_y.scale[0]) if self.normalise == "none" else of_target
        self.y_center_, self.y_scale_ = float(center), float(scale)
        every = self._windows(problem, windows, ahead)
        train = replace(every, starts=every.starts[:count])
        valid = replace(every, starts=every.starts[count:]) if count < len(X) else None
        model = create(self.variant, problem, seed=seed, **dict(self.params or {}))
        self.history_ = fit(model, train, valid, config, seed=seed)
        self.model_, self.is_flat_ = model.cpu().double(), y.ndim == 1
        first = torch.from_numpy(self._scaled(windows[:2]))
        check_forecast(self.model_, first, f"variant '{self.variant}' in float64")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The forecast of each row, [n], or [n, horizon] where y had several columns. Raises ValueError, and Diverged.

        Runs on the CPU in float64: in float32 the last digits would depend on the rows beside it.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        problem = self.model_.problem
        windows = torch.from_numpy(self._scaled(X.reshape(len(X), problem.lookback, problem.channels)))
        forecast = predict(self.model_, windows.split(EVALUATION_BATCH))
        restored = forecast[..., 0].numpy() * self.y_scale_ + self.y_center_
        if not np.isfinite(restored).all():
            raise Diverged("the model's forecasts are not finite numbers")
        return np.asarray(restored[:, 0] if self.is_flat_ else restored)

    def _problem(self, width: int, horizon: int) -> Problem:
        lookback = width if self.lookback is None else self.lookback
        check_count("lookback", lookback)
        if width % lookback:
            raise InputError(
                f"X must have a multiple of lookback = {lookback} columns, one for each channel, got {width}"
            )
        channels = width // lookback
        if not isinstance(self.target, int) or not -channels <= self.target < channels:
            raise InputError(f"target must be the position of one of {channels} channels, got {self.target!r}")
        if self.normalise not in ("none", "last", "instance"):
            raise InputError(f"normalise must be none, last or instance, got {self.normalise!r}")
        return Problem(lookback, channels, (self.target % channels,), (horizon, 1), self.normalise)  # type: ignore[arg-type]

    def _scaled(self, windows: np.ndarray) -> np.ndarray:
        return self.scaler_.transform(windows.reshape(-1, windows.shape[2])).reshape(windows.shape)

    def _windows(self, problem: Problem, windows: np.ndarray, ahead: np.ndarray) -> Windows:
        """The rows as windows of a table in which they lie one behind the other, each followed by its y."""
        (target,), horizon, count = problem.targets, problem.horizon, len(windows)
        steps = problem.lookback + horizon
        raw = np.zeros((count, steps, problem.channels))
        raw[:, : problem.lookback], raw[:, problem.lookback :, target] = windows, ahead
        scaled = np.zeros_like(raw)
        scaled[:, : problem.lookback] = self._scaled(windows)
        scaled[:, problem.lookback :, target] = (ahead - self.y_center_) / self.y_scale_
        center, scale = np.array([self.y_center_]), np.array([self.y_scale_])
        units = Units(("y",), center, scale, deviation=scale, step=scale)
        values = torch.from_numpy(scaled.reshape(-1, problem.channels).astype(np.float32))
        starts = torch.arange(count) * steps
        return Windows(values, starts, problem.lookback, horizon, (target,), raw.reshape(-1, problem.channels), units)
