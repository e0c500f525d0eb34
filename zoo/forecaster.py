"""Forecaster: one variant from settings to forecasts, past forecasts, pictures and a saved model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from zoo.backtest import Backtest, backtest_of
from zoo.data.cases import Cases
from zoo.data.sources import SOURCES, Source, load
from zoo.data.table import Table
from zoo.errors import InputError, expect
from zoo.inline import is_watched, listed, plain_value
from zoo.registry import named, variant
from zoo.report.chart import Chart, Series, canvas_of
from zoo.run.best_row import best_row, shares_of, suite_settings
from zoo.run.serving import THREADS
from zoo.run.single import Fitted, fitted
from zoo.run.worker import trained
from zoo.space import resolve
from zoo.suite import Suite, expand, prepare_from, suite_of
from zoo.tracking.tracking import tracking_of
from zoo.train.classify import classify
from zoo.train.config import FitConfig
from zoo.train.descent import Epoch
from zoo.train.forecast_next import forecast_next
from zoo.train.step import torch_threads
from zoo.train.store import SavedModel, load_model, write_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAST = 60  # actual values that a picture shows, at least
READING = ("time", "series", "only", "case", "label", "categories")  # how data are read
USUAL = {"horizon": 1, "scaler": "standard", "conformal": False, "adaptive": False, "direction": False}


class Forecaster:
    """A variant with its settings, which fits, forecasts, looks back and is saved.

    name: a variant, or a file with one: "./mine.py"; targets: what to forecast, needed where the data have several
    columns; fit: settings of FitConfig; params: of the variant; all others: as zoo.prepare takes them. The figures and
    the weights are those of the command zoo fit with the same settings, and the saved folder is the same.
    Raises InputError.

    table: the data of the last fit, None before it and after `load`.
    """

    def __init__(
        self,
        name: str,
        *,
        lookback: int | None = None,
        horizon: int = 1,
        targets: str | Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
        time: str | None = None,
        series: str | None = None,
        only: str | None = None,
        case: str | None = None,
        label: str | None = None,
        categories: str | Sequence[str] | None = None,
        missing: str | None = None,
        outliers: str | None = None,
        split: Sequence[Any] | None = None,
        scaler: str = "standard",
        normalise: str | None = None,
        quantiles: Sequence[float] = (),
        conformal: bool = False,
        adaptive: bool = False,
        direction: bool | str = False,
        calendar: str | Sequence[str] = (),
        known: str | Sequence[str] = (),
        fit: Mapping[str, Any] | None = None,
        device: str = "auto",
        **params: Any,
    ) -> None:
        expect("name", name, str, "the name of a variant")
        expect("fit", fit, (Mapping, None), "a dict of settings such as {'max_epochs': 20}")
        expect("targets", targets, (str, list, tuple, None), "a column, or several in a list")
        known_to_fit = {field.name for field in fields(FitConfig)}
        chosen = named(name)
        if len(chosen) > 1:
            raise InputError(f"{name} registers several variants ({', '.join(chosen)}): name one of them")
        if misplaced := known_to_fit.intersection(params) - variant(chosen[0]).parameters.keys():
            setting = sorted(misplaced)[0]
            raise InputError(f"{setting} is a setting of training: give fit={{'{setting}': {params[setting]!r}}}")
        resolve(variant(chosen[0]).build, params, f"variant '{chosen[0]}'")
        FitConfig.of(dict(fit or {}))
        self.name, self.params, self.fit_settings, self.device = chosen[0], params, dict(fit or {}), device
        self.data_settings = {
            "channels": channels, "time": time, "series": series, "only": only, "case": case, "label": label,
            "categories": listed(categories) or None, "missing": missing, "outliers": outliers,
            "targets": listed(targets),
        }  # fmt: skip
        self.problem_settings = {
            "lookback": lookback, "horizon": horizon, "split": split, "scaler": scaler, "normalise": normalise,
            "quantiles": quantiles, "conformal": conformal, "adaptive": adaptive, "direction": direction,
            "calendar": listed(calendar), "known": listed(known),
        }  # fmt: skip
        self.table: Table | Cases | None = None
        self._fitted: Fitted | None = None
        self._saved: SavedModel | None = None

    @classmethod
    def load(cls, folder: str | Path) -> "Forecaster":
        """The forecaster that `save` or the command zoo fit wrote; `fit` trains it anew with its settings."""
        saved = load_model(folder)
        file, problem, about = saved.file, saved.file.problem, saved.file.about
        split: Any = about.get("split")
        shares = shares_of(tuple(split)) if isinstance(split, list) else None
        fit: Any = about.get("fit")
        settings: dict[str, Any] = {
            "channels": list(file.channels), "series": file.series_column, "only": file.only,
            "scaler": file.scaler.name, "normalise": problem.normalise, "quantiles": problem.quantiles,
            "conformal": problem.is_conformal, "adaptive": problem.is_adaptive,
            "direction": problem.flat or problem.task == "direction", "fit": fit if isinstance(fit, Mapping) else None,
            "split": about.get("split_of_each") or shares, **file.params,
        }  # fmt: skip
        if not file.classes:
            settings |= {
                "lookback": problem.lookback, "horizon": problem.output_shape[0], "targets": list(file.targets),
                "calendar": list(file.calendar), "known": list(file.known), "missing": file.missing,
                "categories": list(file.categories), "outliers": file.outliers and file.outliers.policy,
            }  # fmt: skip
        own = cls(file.variant, **settings)
        own._saved = saved
        return own

    @classmethod
    def from_run(cls, folder: str | Path, name: str | None = None) -> "Forecaster":
        """The settings that served validation rows best in a run of zoo bench, as zoo fit --from takes them; of the
        variant `name` where it is given. For other data than the run's the split has the same shares."""
        row = best_row(Path(folder), None if name is None else named(name)).row
        settings = suite_settings(row, "data")
        of_data = {key: settings["data"].get(key) for key in (*READING, "channels", "missing", "outliers", "targets")}
        return cls(row.variant, **of_data, **settings["problem"], fit=settings["fit"], **row.params)

    def fit(
        self,
        data: Table | Cases | Source,
        *,
        seed: int = 0,
        refit: bool = False,
        progress: bool = True,
        track: str | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> "Forecaster":
        """Train on the data's training rows, stop by their validation rows, score the test rows once; returns itself.

        data: what zoo.load takes or returns; refit: train once more on all rows, for as many epochs as were best
        (what needs validation rows takes the newest 10 % for them); progress: show the epochs in a terminal or
        notebook; track: `tensorboard:DIR` or `mlflow:URI`, which gets each epoch and the scores; on_epoch: called with
        each Epoch. `scores` are of the first training. Raises InputError for data or settings that cannot be used, and
        Diverged.
        """
        table = self._loaded(data)
        suite = self._suite(table, seed)
        from rich.progress import Progress

        with (
            Progress(disable=not (progress and is_watched()), transient=True) as bar,
            tracking_of(track, suite.name) as tracking,
        ):
            task = bar.add_task(self.name, total=self.fit_settings.get("max_epochs", FitConfig().max_epochs))

            def listen(epoch: Epoch) -> None:
                bar.update(task, advance=1, description=f"{self.name}, train loss {epoch.train_loss:.4g}")
                if on_epoch is not None:
                    on_epoch(epoch)

            how: dict[str, Any] = {"table": table, "device": self.device, "refit": refit}
            outcome = fitted(suite, **how, tracking=tracking, on_epoch=listen)
            outcome.end_tracking()
        self._fitted, self._saved, self.table = outcome, outcome.saved, table
        return self

    @property
    def model(self) -> SavedModel:
        """The fitted model, as zoo.load_model gives it; raises InputError before a fit."""
        if self._saved is None:
            raise InputError(f"{self!r}: call fit(data) first, or Forecaster.load(folder)")
        return self._saved

    @property
    def scores(self) -> dict[str, Any] | None:
        """The metrics of the test part, None where the split leaves none."""
        metrics: Any = self.model.file.about.get("metrics")
        return metrics if isinstance(metrics, dict) else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the data and the training."""
        notes: Any = self.model.file.about.get("notes")
        return tuple(map(str, notes if isinstance(notes, list) else ()))

    def predict(self, data: Table | Cases | Source | None = None, *, origin: Any = None) -> pd.DataFrame:
        """The horizon after the last row of the data (None: those of the fit), see zoo.forecast_next; of sequences
        their classes, see zoo.classify. origin: a time, or "all": after earlier rows, beside the actual values."""
        table, saved = self._known(data), self.model
        if isinstance(table, Cases):
            if origin is not None:
                raise InputError("origin is a time of a series to forecast: leave it out for sequences to classify")
            return classify(saved, table, device=self.device)
        return forecast_next(saved, table, origin=origin, device=self.device)

    def backtest(
        self,
        data: Table | Cases | Source | None = None,
        *,
        folds: int = 1,
        sliding: bool = False,
        seed: int | None = None,
    ) -> Backtest:
        """Forecasts of the test part of the data (None: those of the fit) beside actual values and naive's forecasts.

        folds: cut the test part into blocks and train anew before each, on all rows until then, or with `sliding` on as
        many as before the first. seed: of the training, None: that of the fit, else 0. Of the data of the fit without
        folds nothing is trained again. The fitted model stays as it is. The figures are those of zoo bench.
        """
        if data is None and folds == 1 and seed is None and self._fitted is not None:
            parts = [self._fitted.tested]
        else:
            table = self._known(data)
            usual = self._fitted.cell.seed if self._fitted is not None else 0
            suite = self._suite(table, usual if seed is None else seed, folds=folds, sliding=sliding)
            cells, _ = expand(suite, device=self.device, table=table)
            with torch_threads(THREADS):
                parts = []
                for cell in cells:
                    fields_of = cell.data.model_dump(mode="json"), cell.problem.model_dump(mode="json")
                    prepared = prepare_from(*fields_of, table)
                    parts.append((trained(cell, prepared, None)[0], prepared))
        if not len(parts[0][1].test):
            raise InputError("the split leaves no test rows to forecast: choose another, such as split=(0.7, 0.1, 0.2)")
        return backtest_of(parts)

    def plot(self, data: Table | Source | None = None) -> "Figure":
        """The last actual values and the forecasts after them, a panel for each target (of the first series)."""
        table = self._known(data)
        if isinstance(table, Cases):
            raise InputError("plot draws forecasts of a series, and these are sequences to classify")
        forecasts, saved = self.predict(table), self.model
        if saved.file.series:
            first = str(forecasts[saved.file.series_column].iloc[0])
            forecasts = forecasts[forecasts[saved.file.series_column] == first]
            table = table.of_each_series()[first]
        panels = []
        for target in saved.targets:
            values = table.select([next(name for name in table.columns if name.casefold() == target.casefold())])[:, 0]
            rows = np.flatnonzero(np.isfinite(values))[-max(LAST, 4 * len(forecasts)) :]
            is_timed = "time" in forecasts and table.time is not None
            when = table.time.to_numpy() if is_timed and table.time is not None else np.arange(len(table))
            ahead = forecasts["time"].to_numpy() if is_timed else len(table) + np.arange(len(forecasts))
            levels = [name for name in forecasts if str(name).startswith(f"{target}_q")]
            band = (forecasts[levels[0]], forecasts[levels[-1]]) if levels else None
            name = f"{target}_up" if f"{target}_up" in forecasts else target
            series = [
                Series("actual", when[rows], values[rows], colour="ink"),
                Series("forecast", ahead, forecasts[name], "lines+markers", band=band),
            ]
            panels.append([Chart(f"{self.name}: {target} of {table.source}", "", target, series, height=2.8)])
        figure: Figure = canvas_of(panels)
        return figure

    def save(self, folder: str | Path) -> None:
        """Write the fitted model, as the command zoo fit does, for zoo predict, zoo export and Forecaster.load."""
        write_model(self.model, folder)

    def __repr__(self) -> str:
        usual = {name: parameter.default for name, parameter in variant(self.name).parameters.items()}
        fit = {name: value for name, value in self.fit_settings.items() if value != getattr(FitConfig, name)}
        params = {name: value for name, value in self.params.items() if value != usual[name]}
        given = {**self.problem_settings, **self.data_settings, "fit": fit, **params}
        shown = [
            f"{name}={_short(value)!r}"
            for name, value in given.items()
            if value is not None and value != USUAL.get(name) and not (hasattr(value, "__len__") and len(value) == 0)
        ]
        text = f"Forecaster({', '.join([repr(self.name), *shown])})"
        if self._saved is None:
            return f"{text}, not fitted"
        skill = (self.scores or {}).get("skill")
        test = f", test skill {round(100 * skill, 2) + 0.0:+.2f} %" if skill is not None else ""
        return f"{text}, fitted on {self._saved.file.source}{test}"

    def _loaded(self, data: Any) -> Table | Cases:
        if isinstance(data, Table | Cases):
            return data
        expect("data", data, SOURCES, "what zoo.load takes or returns")
        how: dict[str, Any] = {name: self.data_settings[name] for name in READING}
        return load(data, **how)

    def _known(self, data: Any) -> Table | Cases:
        if data is not None:
            return self._loaded(data)
        if self.table is None:
            raise InputError("there are no data here: give them, or call fit(data) first")
        return self.table

    def _suite(self, table: Table | Cases, seed: int, **more: Any) -> Suite:
        """The suite of one, with which the command zoo fit would train."""
        settings = {name: plain_value(value) for name, value in self.data_settings.items() if value is not None}
        if isinstance(table, Cases):
            settings.pop("missing", None)
        elif not settings.get("targets") and len(table.numeric) == 1:
            settings["targets"] = list(table.numeric)
        problem = {name: plain_value(value) for name, value in {**self.problem_settings, **more}.items()}
        whole = {
            "name": "forecaster",
            "data": {**settings, "source": table.source},
            "problem": problem,
            "run": {"models": [self.name], "seeds": [seed]},
            "fit": self.fit_settings,
            "models": {self.name: {name: plain_value(value) for name, value in self.params.items()}},
        }
        return suite_of(whole, "zoo.Forecaster")


def _short(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
