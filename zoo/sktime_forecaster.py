"""SktimeForecaster: a variant as a forecaster of sktime."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from zoo.data.dataset import check_count
from zoo.data.table import Table
from zoo.errors import InputError, expect, plain
from zoo.forecaster import Forecaster
from zoo.registry import named, variant
from zoo.space import resolve
from zoo.train.forecast_next import forecast_next

try:
    from sktime.datatypes import update_data
    from sktime.forecasting.base import BaseForecaster, ForecastingHorizon
except ImportError as error:
    raise InputError(
        f'zoo.SktimeForecaster needs {error.name}, which is not installed: pip install "lstm-zoo[sktime]"'
    ) from error


class SktimeForecaster(BaseForecaster):  # type: ignore[misc]
    """A variant that forecasts every column of y as forecasters of sktime do, from one model for all steps.

    y: one column or several, without missing values; a panel or a hierarchy gets a model for each of its series. X:
    columns that are known in advance, such as promotions; `predict` needs them for each step up to the horizon, which
    is the largest step of fh in `fit`. Forecasts see the rows until the cutoff. Those of times that have been are one
    step ahead, by a model that learned from them; they are NaN where fewer than `lookback` rows lie before, or where X
    does not reach a horizon further.

    variant: a name, or a file with one; lookback: rows that a forecast sees (None: 7); horizon: steps to learn, for
    a `fit` without fh; normalise, scaler, conformal: see zoo.prepare. quantiles: levels such as (0.05, 0.5, 0.95), for
    predict_quantiles and predict_interval, which interpolate between them. params: of the variant; max_epochs to
    patience, fit_settings: see FitConfig. validation_share: of the rows, the last ones, on which training stops early;
    fewer than the horizon: none. refit: train once more on all rows, for as many epochs as were best. random_state: of
    weights and order.

    `update` trains anew on all rows, or with update_params=False only adds them. model_: what zoo.forecast_next takes;
    horizon_: its steps. Forecasts are those of zoo.Forecaster with the same settings. Raises InputError for data or
    settings that cannot be used, and Diverged.

    >>> import numpy as np
    >>> import zoo
    >>> forecaster = zoo.SktimeForecaster("naive", lookback=3)
    >>> forecaster.fit_predict(np.arange(20.0), fh=[1, 2]).ravel().round(4).tolist()
    [19.0, 19.0]
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": "lstm-zoo",
        "maintainers": "lstm-zoo",
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:categorical_in_X": False,
        "capability:non_contiguous_X": False,
        "capability:missing_values": False,
        "capability:insample": True,
        "capability:pred_int": True,
        "capability:pred_int:insample": True,
        "capability:update": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "requires-fh-in-fit": True,
    }
    # The rows are in _cur_y and _cur_X. Switched on, this keeps them here too, and warns with each instance.
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}
    _y = _X = None

    def __init__(
        self,
        variant: str = "lstm",
        lookback: int | None = None,
        horizon: int | None = None,
        normalise: str = "last",
        scaler: str = "standard",
        quantiles: Sequence[float] = (),
        conformal: bool = False,
        params: Mapping[str, Any] | None = None,
        max_epochs: int = 200,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        patience: int = 16,
        fit_settings: Mapping[str, Any] | None = None,
        validation_share: float = 0.1,
        refit: bool = False,
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.variant = variant
        self.lookback = lookback
        self.horizon = horizon
        self.normalise = normalise
        self.scaler = scaler
        self.quantiles = quantiles
        self.conformal = conformal
        self.params = params
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.patience = patience
        self.fit_settings = fit_settings
        self.validation_share = validation_share
        self.refit = refit
        self.device = device
        self.random_state = random_state
        super().__init__()
        self.set_tags(**{"capability:pred_int": bool(quantiles), "requires-fh-in-fit": horizon is None})

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:  # noqa: ARG003
        """Small settings with which sktime's own checks run."""
        levels = (0.05, 0.25, 0.5, 0.75, 0.95)
        small = {"params": {"hidden_size": 4}, "max_epochs": 1, "batch_size": 16, "random_state": 0}
        return [
            {"variant": "lstm", "lookback": 6, "quantiles": levels, "validation_share": 0.2, **small},
            {"variant": "ridge", "lookback": 5, "horizon": 5, "normalise": "none"},
        ]

    def _fit(self, y: pd.DataFrame, X: pd.DataFrame | None, fh: Any) -> "SktimeForecaster":
        self._cur_y, self._cur_X = y.copy(), None if X is None else X.copy()
        if self.horizon is not None:
            check_count("horizon", self.horizon)
        largest: Any = self.horizon if fh is None else self._steps_of(fh).max()
        self.horizon_ = max(int(largest), 1)
        return self._trained()

    def _update(self, y: pd.DataFrame, X: pd.DataFrame | None = None, update_params: bool = True) -> "SktimeForecaster":
        self._cur_y = update_data(self._cur_y, y)
        if self._cur_X is not None and X is not None:
            self._cur_X = update_data(self._cur_X, X)
        return self._trained() if update_params else self

    def _predict(self, fh: Any, X: pd.DataFrame | None) -> pd.DataFrame:
        levels = self.model_.file.problem.quantiles or (0.5,)
        values = self._forecasts(fh, X)[..., levels.index(0.5)]
        return pd.DataFrame(values, index=fh.to_absolute_index(self.cutoff), columns=self._cur_y.columns)

    def _predict_quantiles(self, fh: Any, X: pd.DataFrame | None, alpha: list[float]) -> pd.DataFrame:
        levels = self.model_.file.problem.quantiles
        for level in alpha:
            if not levels[0] - 1e-9 <= level <= levels[-1] + 1e-9:  # an interval of 90 % begins at 0.04999999999999999
                raise InputError(
                    f"the quantile {level:g} lies outside of those learned, {levels[0]:g} to {levels[-1]:g}: "
                    "give SktimeForecaster wider quantiles"
                )
        places = np.interp(alpha, levels, np.arange(len(levels)))
        below = np.minimum(places.astype(int), len(levels) - 2)
        learned = self._forecasts(fh, X)
        between = learned[..., below] + (places - below) * (learned[..., below + 1] - learned[..., below])
        columns = pd.MultiIndex.from_product([self._cur_y.columns, alpha])
        index = fh.to_absolute_index(self.cutoff)
        return pd.DataFrame(between.reshape(len(index), -1), index=index, columns=columns)

    def _trained(self) -> "SktimeForecaster":
        """Itself, with a model trained on the rows until the cutoff."""
        rows = self._cur_y.loc[: self.cutoff[0]]
        share = self.validation_share
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
            raise InputError(f"validation_share must be a share from 0 to below 1, got {share!r}")
        held_out = int(share * len(rows))
        held_out = held_out if held_out >= self.horizon_ else 0
        expect("variant", self.variant, str, "the name of a variant")
        expect("params", self.params, (Mapping, None), "a dict of the variant's parameters")
        expect("fit_settings", self.fit_settings, (Mapping, None), "a dict of settings such as {'loss': 'mse'}")
        settings: dict[str, Any] = {
            "lookback": self.lookback, "horizon": self.horizon_, "normalise": self.normalise, "scaler": self.scaler,
            "quantiles": self.quantiles, "conformal": self.conformal, "device": self.device,
            "split": (len(rows) - held_out, held_out, 0), "targets": _names(rows, "y"),
            "known": [] if self._cur_X is None else _names(self._cur_X, "X"),
            "fit": {
                "max_epochs": self.max_epochs, "learning_rate": self.learning_rate, "batch_size": self.batch_size,
                "patience": self.patience, **(self.fit_settings or {}),
            },
        }  # fmt: skip
        name = named(self.variant)[0]
        resolve(variant(name).build, self.params or {}, f"variant '{name}'")  # so that none is one of Forecaster
        seed = self.random_state
        seed = int(seed) if isinstance(seed, int | np.integer) else int(check_random_state(seed).randint(2**31 - 1))
        known = self._known(rows.index, None)
        if known is not None and (gaps := known.index[known.isna().any(axis=1)]).size:
            raise InputError(f"X must hold {', '.join(map(str, known))} for every row of y, and has none for {gaps[0]}")
        table = _table(rows, known, _times(rows.index))
        trained = Forecaster(self.variant, **settings, **(self.params or {}))
        self.model_ = trained.fit(table, seed=seed, refit=self.refit, progress=False).model
        return self

    def _forecasts(self, fh: Any, X: pd.DataFrame | None) -> np.ndarray:
        """The forecasts of the times in fh, float64 [len(fh), columns of y, quantiles], from rows until the cutoff."""
        problem, rows, steps = self.model_.file.problem, self._cur_y.loc[: self.cutoff[0]], self._steps_of(fh)
        lookback, horizon, last = problem.lookback, problem.horizon, len(rows)
        if steps.max() > horizon:
            raise InputError(
                f"fh reaches {steps.max()} steps ahead, and the forecaster has learned {horizon}: name the steps in "
                "fit, or give SktimeForecaster a larger horizon"
            )
        ahead = ForecastingHorizon(np.arange(1, horizon + 1), is_relative=True, freq=self.cutoff)
        known = self._known(rows.index.append(ahead.to_absolute_index(self.cutoff)), X)
        if known is not None:
            gaps = np.flatnonzero(known.isna().any(axis=1))
            last = (gaps[0] if len(gaps) else len(known)) - horizon
            if last < len(rows) and steps.max() > 0:
                raise InputError(
                    f"X must hold {', '.join(map(str, known))} until {horizon} steps after {self.cutoff[0]}, and has "
                    f"none for {known.index[gaps[0]]}"
                )
        before = np.where(steps > 0, len(rows), rows.index.get_indexer(fh.to_absolute_index(self.cutoff)))
        is_possible = (lookback <= before) & (before <= last)
        levels = problem.quantiles or (0.5,)
        forecasts = np.full((len(steps), len(rows.columns), len(levels)), np.nan)
        if is_possible.any():
            first, end = before[is_possible].min(), before[is_possible].max()
            span = slice(first - lookback, end)
            table = _table(rows[span], None if known is None else known[first - lookback : end + horizon])
            frame = forecast_next(self.model_, table, origin="all", device=self.device)
            own = frame.iloc[:, 2 : 2 + len(rows.columns) * len(levels)]  # between origin, step and the actual values
            of_each = own.to_numpy().reshape(-1, horizon, *forecasts.shape[1:])
            forecasts[is_possible] = of_each[before[is_possible] - first, np.maximum(steps[is_possible], 1) - 1]
        return forecasts

    def _steps_of(self, fh: Any) -> np.ndarray:
        """The steps from the cutoff to the times in fh: 1 for the first one after it."""
        if isinstance(self.cutoff, pd.DatetimeIndex) and self.cutoff.freq is None:
            raise InputError(
                "the times of y have no frequency: set one with y.asfreq, or number the rows with y.reset_index"
            )
        return np.asarray(fh.to_absolute(self.cutoff).to_relative(self.cutoff).to_numpy(), dtype=np.int64)

    def _known(self, index: pd.Index, X: pd.DataFrame | None) -> pd.DataFrame | None:
        """The known columns in the rows of an index, those of X before those seen earlier; NaN where there are none."""
        if self._cur_X is None:
            return None
        names = list(self._cur_X.columns)
        if X is not None and (missing := [str(name) for name in names if name not in X.columns]):
            raise InputError(f"X must have the columns of fit, and has no {', '.join(missing)}")
        every = self._cur_X if X is None else update_data(self._cur_X, X[names])
        return every.reindex(index).astype(np.float64)


def _names(frame: pd.DataFrame, what: str) -> list[str]:
    """Names for the columns of y and X, which differ where y and X have a column of the same name."""
    return [plain(f"{name} of {what}") for name in frame.columns]


def _table(y: pd.DataFrame, X: pd.DataFrame | None, time: pd.DatetimeIndex | None = None) -> Table:
    """The rows of y beside those of X, which may be more: y is then missing in the last ones."""
    names, values = _names(y, "y"), y.to_numpy(dtype=np.float64)
    if X is not None:
        names += _names(X, "X")
        later = np.full((len(X) - len(y), values.shape[1]), np.nan)
        values = np.concatenate([np.concatenate([values, later]), X.to_numpy(dtype=np.float64)], axis=1)
    if len(set(names)) < len(names):
        raise InputError(f"the columns {', '.join(names)} must differ when they are written as text")
    return Table("the data", tuple(names), np.ascontiguousarray(values), time)  # else sums differ in the last digit


def _times(index: pd.Index) -> pd.DatetimeIndex | None:
    if isinstance(index, pd.PeriodIndex):
        return index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex):
        return index.tz_convert("UTC").tz_localize(None) if index.tz is not None else index
    return None
