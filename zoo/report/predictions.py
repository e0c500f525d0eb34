"""Predictions: the stored test forecasts of rows, read when a report needs them."""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from zoo.report.board import Row


@dataclass(frozen=True)
class Stored:
    """What a cell forecast and what came, for n test windows in time order.

    forecast, truth: float64 [n, T, D] and last: [n, D], in the data's units; target_row: [n], the row of each window's
    first step; time: [n], when that was, None where the data have no time column; deviation: [D], the unit of scaled
    errors, train_loss: [E] and valid_loss: [E + 1] of each epoch, the first from before training; None where an older
    run did not keep them.
    """

    forecast: np.ndarray
    truth: np.ndarray
    last: np.ndarray
    target_row: np.ndarray
    deviation: np.ndarray | None = None
    time: np.ndarray | None = None
    train_loss: np.ndarray | None = None
    valid_loss: np.ndarray | None = None

    def losses(self) -> np.ndarray | None:
        """[n]: the mean squared error of each window over its steps and targets, as skill weighs them."""
        return self._losses(self.forecast)

    def naive_losses(self) -> np.ndarray | None:
        """[n]: the same of repeating the last values."""
        return self._losses(self.last[:, None])

    def _losses(self, forecast: np.ndarray) -> np.ndarray | None:
        unit: np.ndarray | float = 1.0  # skill of one target has no unit
        if self.truth.shape[2] > 1:
            if self.deviation is None:
                return None
            unit = self.deviation
        return np.asarray((((forecast - self.truth) / unit) ** 2).mean(axis=(1, 2)))


Load = Callable[[Row], Stored | None]


def nothing_stored(_: Row) -> Stored | None:
    """A Load for rows whose predictions are not at hand."""
    return None


def stored_in(folder: Path) -> Load:
    """Reads a row's predictions from its folder; None where a file is missing or damaged."""

    @lru_cache(maxsize=4)
    def truth_of(name: str) -> dict[str, np.ndarray] | None:
        return _arrays(folder / name)

    def load(row: Row) -> Stored | None:
        if not row.get("predictions") or not row.get("truth"):
            return None
        truth, own = truth_of(row["truth"]), _arrays(folder / row["predictions"])
        if truth is None or own is None:
            return None
        try:
            found = Stored(
                own["forecast"].astype(np.float64),
                truth["truth"],
                truth["last"],
                truth["target_row"],
                deviation=truth.get("deviation"),
                time=truth.get("time"),
                train_loss=own.get("train_loss"),
                valid_loss=own.get("valid_loss"),
            )
        except KeyError:
            return None
        return found if found.forecast.shape == found.truth.shape else None

    return load


def _arrays(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None
