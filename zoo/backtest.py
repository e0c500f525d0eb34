"""Backtest: past forecasts of models beside actual values and naive's forecasts, and what they are worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zoo.data.dataset import Data
from zoo.data.moves import MOVES
from zoo.data.scaling import Units
from zoo.data.sequences import Sequences
from zoo.layers.model import Model
from zoo.metrics import points_of
from zoo.run.worker import naive_of
from zoo.train.evaluate import forecast, metrics_of


@dataclass(frozen=True, eq=False)
class Backtest:
    """Past forecasts and what they are worth.

    forecasts: a row for each window, step and target. Columns: fold (where there are several), series (where there are
    several), row and time (of the step), step, target, actual, forecast, naive, and the quantiles (q10, ...) where they
    are forecast. Of directions forecast is the probability of a rise, and actual 1 or 0; of moves it is the mean of -1,
    0 and 1 by their probabilities, which are in down, flat and up. Of sequences that are classified: case, actual,
    forecast, and p_NAME for each class. scores: the metrics of all of them together, as zoo.evaluate gives them;
    fold_scores: those of each fold.
    """

    forecasts: pd.DataFrame
    scores: dict[str, Any]
    fold_scores: tuple[dict[str, Any], ...]

    def __repr__(self) -> str:
        plain = {name: value for name, value in self.scores.items() if isinstance(value, float)}
        scores = ", ".join(f"{name} {value:.5g}" for name, value in plain.items())
        folds = f" in {len(self.fold_scores)} folds" if len(self.fold_scores) > 1 else ""
        return f"Backtest of {len(self.forecasts):,} forecasts{folds}: {scores}"


def backtest_of(parts: Sequence[tuple[Model, Data]]) -> Backtest:
    """The test forecasts of models on their data, one after the other."""
    frames, arrays, units = [], [], []
    for number, (model, data) in enumerate(parts, start=1):
        own, truth, last = forecast(model, data.test), data.test.truth(), data.test.last()
        if data.problem.task == "forecast":
            naive = np.broadcast_to(last[:, None], truth.shape)
        else:
            naive = forecast(naive_of(data), data.test)
        arrays.append((own, naive, truth, last))
        units.append(data.test.units)
        frame = _classes_of(data, own) if data.classes else _frame_of(data, own, naive)
        if len(parts) > 1:
            frame.insert(0, "fold", number)
        frames.append(frame)
    problem = parts[0][0].problem
    own, naive, truth, last = (np.concatenate(each) for each in zip(*arrays, strict=True))
    return Backtest(
        pd.concat(frames, ignore_index=True),
        metrics_of(problem, own, naive, truth, last, _joined(units)),
        tuple(metrics_of(problem, *each, unit) for each, unit in zip(arrays, units, strict=True)),
    )


def _joined(units: Sequence[Units]) -> Units:
    """The units of all windows; those of one series are the same in every fold, but for its scaler."""
    first = units[0]
    if first.deviation.ndim == 1:
        return first
    parts = {name: np.concatenate([getattr(each, name) for each in units]) for name in ("deviation", "step")}
    return Units(first.names, parts["deviation"], parts["deviation"], **parts, scaler=first.scaler)


def _frame_of(data: Data, own: np.ndarray, naive: np.ndarray) -> pd.DataFrame:
    """A row for each window, step and target of the test part."""
    truth, rows, levels = data.test.truth(), data.test.target_rows(), data.problem.quantiles
    window, step, target = (part.ravel() for part in np.indices(truth.shape))
    columns: dict[str, Any] = {}
    if data.panel is not None:
        columns["series"] = np.array(data.panel.names)[data.panel.of_test[window]]
    columns["row"] = rows[window] + step
    if data.time is not None:
        columns["time"] = data.time[columns["row"]]
    columns |= {"step": step + 1, "target": np.array(data.targets)[target], "actual": truth.ravel()}
    columns |= {"forecast": points_of(own, levels).ravel(), "naive": points_of(naive, levels).ravel()}
    for place, level in enumerate(levels):
        columns[f"q{100 * level:g}"] = own[..., place].ravel()
    for place, name in enumerate(MOVES if data.problem.flat else ()):
        columns[name] = own[..., place].ravel()
    return pd.DataFrame(columns)


def _classes_of(data: Data, own: np.ndarray) -> pd.DataFrame:
    """A row for each test case."""
    assert isinstance(data.test, Sequences)
    names = np.array(data.classes)
    actual, chosen = (names[each[:, 0].argmax(axis=1)] for each in (data.test.truth(), own))
    frame = pd.DataFrame({"case": data.test.names, "actual": actual, "forecast": chosen})
    return frame.assign(**{f"p_{name}": own[:, 0, place] for place, name in enumerate(data.classes)})
