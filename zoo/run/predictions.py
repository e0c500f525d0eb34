"""Predictions: the test forecasts of a cell, stored beside its row and read when a report needs them.

OUT/predictions/<key>.npz holds forecast, train_loss and valid_loss in float32. The arrays that all cells of a problem
share are stored once, in truth-<hash>.npz: of another task than forecast also what naive forecasts, and levels.
Stored lists their shapes and units.
"""

import hashlib
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from zoo.cell import Cell
from zoo.files import write_atomically
from zoo.metrics import move_losses, pinball, points_of

if TYPE_CHECKING:  # a report reads predictions without torch
    from zoo.data.dataset import Data
    from zoo.train.descent import History


@dataclass(frozen=True)
class Stored:
    """The forecasts of one cell and the actual values, for n test windows in time order.

    forecast, truth: float64 [n, T, D] and last: [n, D], in the data's units; target_row: [n], the row of each window's
    first step; time: [n], its time, None where the data have no time column; deviation: [D], the unit of scaled errors;
    train_loss: [E] and valid_loss: [E + 1] of each epoch, the first from before training (empty without validation).
    None where an older version did not store them. Of a forecast of quantiles, forecast is the median; levels: [Q];
    quantiles: [n, T, D, Q], all of them. Of directions, forecast is the probability of a rise, truth 1 or 0. Of moves,
    truth is -1, 0 or 1, moves: [n, T, D, 3], the probabilities of these, and forecast their mean. series, series_names:
    [n] and [S], the series of each window; deviation is then [n, 1, D]; None for one series. naive: what naive
    forecasts, like quantiles, moves or forecast; None: the last values. classes: the K names of classes, of sequences
    to classify: forecast is then their probabilities [n, 1, K], truth 1 or 0, target_row the number of the case, and
    the cases are in no order of time; cases: their names, [n].
    """

    forecast: np.ndarray
    truth: np.ndarray
    last: np.ndarray
    target_row: np.ndarray
    deviation: np.ndarray | None = None
    time: np.ndarray | None = None
    train_loss: np.ndarray | None = None
    valid_loss: np.ndarray | None = None
    levels: tuple[float, ...] = ()
    quantiles: np.ndarray | None = None
    moves: np.ndarray | None = None
    naive: np.ndarray | None = None
    series: np.ndarray | None = None
    series_names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    cases: np.ndarray | None = None

    def losses(self) -> np.ndarray | None:
        """[n]: the loss of each window that skill is made of, over its steps and targets: the mean squared error, of
        quantiles the mean pinball loss, of moves the ranked probability score, of classes 1 for a wrong one."""
        return self._over_time(self._losses(self._whole()))

    def naive_losses(self) -> np.ndarray | None:
        """[n]: the same for naive, which repeats the last values."""
        return self._over_time(self._losses(self.last[:, None] if self.naive is None else self.naive))

    def naive_points(self) -> np.ndarray:
        """[n, T, D]: what naive forecasts: the last value, of quantiles its median, of directions the usual share."""
        if self.naive is None:
            return np.broadcast_to(self.last[:, None], self.truth.shape)
        return points_of(self.naive, self.levels)

    def skills_of_series(self) -> np.ndarray:
        """[S]: the skill in each series, NaN where naive makes no error."""
        assert self.series is not None
        own = self._losses(self._whole())
        base = self._losses(self.last[:, None] if self.naive is None else self.naive)
        assert own is not None and base is not None
        count = len(self.series_names)
        errors, naive = (np.bincount(self.series, weights=each, minlength=count) for each in (own, base))
        ratios = np.divide(errors, naive, out=np.full(count, np.nan), where=naive > 0)
        return np.asarray(1 - (ratios if self.naive is not None else np.sqrt(ratios)))

    def of_series(self, number: int) -> "Stored":
        """The windows of one series."""
        if self.series is None:
            return self
        own = self.series == number
        names = ("forecast", "truth", "last", "target_row", "time", "quantiles", "moves", "naive", "deviation")
        arrays = {name: getattr(self, name) for name in names}
        return replace(self, **{name: each[own] for name, each in arrays.items() if each is not None})

    def _over_time(self, losses: np.ndarray | None) -> np.ndarray | None:
        """The losses themselves; of several series those of each time together, in time order, with the same mean: what
        happens to many series on one day is one event."""
        if losses is not None and self.classes:  # stored by length: neighbours are alike, and time order means nothing
            return losses[np.random.default_rng(0).permutation(len(losses))]
        if losses is None or self.series is None:
            return losses
        when = self.time
        if when is None:  # the windows of each series from its end, since all may end today
            counts = np.bincount(self.series)
            when = np.concatenate([np.arange(count) - count for count in counts])
        _, place = np.unique(when, return_inverse=True)
        sums = np.bincount(place, weights=losses)
        return np.asarray(sums * (len(sums) / len(losses)))

    def _whole(self) -> np.ndarray:
        """All that was forecast: the quantiles, the probabilities of moves, or the forecast itself."""
        if self.moves is not None:
            return self.moves
        return self.forecast if self.quantiles is None else self.quantiles

    def _losses(self, forecast: np.ndarray) -> np.ndarray | None:
        if self.moves is not None:
            return np.asarray(move_losses(forecast, self.truth).mean(axis=(1, 2)))
        if self.classes:
            return np.asarray(forecast[:, 0].argmax(axis=1) != self.truth[:, 0].argmax(axis=1), dtype=float)
        unit: np.ndarray | float = 1.0  # skill of one target has no unit
        is_mixed = self.truth.shape[2] > 1 or self.series is not None
        if is_mixed and (self.naive is None or self.levels):
            if self.deviation is None:
                return None
            unit = self.deviation
        if self.levels:
            return np.asarray((pinball(forecast, self.truth, self.levels) / unit).mean(axis=(1, 2)))
        return np.asarray((((forecast - self.truth) / unit) ** 2).mean(axis=(1, 2)))


def stored(folder: Path, predictions: str | None, truth: str | None) -> Stored | None:
    """The predictions that a row of `folder` names; None where it names none, or a file is missing or damaged."""
    if not isinstance(predictions, str) or not isinstance(truth, str):
        return None
    try:
        shared = _shared(folder / truth, (folder / truth).stat().st_mtime_ns)
        own = _arrays(folder / predictions)
        whole, levels = own["forecast"].astype(np.float64), tuple(shared.get("levels", ()))
        predicted = Stored(
            forecast=points_of(whole, levels),
            truth=shared["truth"],
            last=shared["last"],
            target_row=shared["target_row"],
            deviation=shared.get("deviation"),
            time=shared.get("time"),
            train_loss=own.get("train_loss"),
            valid_loss=own.get("valid_loss"),
            levels=levels,
            quantiles=whole if levels else None,
            moves=whole if whole.ndim == 4 and not levels else None,
            naive=shared.get("naive"),
            series=shared.get("series"),
            series_names=tuple(map(str, shared.get("series_names", ()))),
            classes=tuple(map(str, shared.get("classes", ()))),
            cases=shared.get("cases"),
        )
    except (OSError, LookupError, ValueError, EOFError, AttributeError, NotImplementedError, BadZipFile, zlib.error):
        return None
    return predicted if predicted.forecast.shape == predicted.truth.shape and predicted.truth.ndim == 3 else None


def joined(parts: Sequence[Stored]) -> Stored:
    """The forecasts of several test parts, one after the other; the losses are those of the first."""

    whole: dict[str, Any] = {}
    names = ["forecast", "truth", "last", "target_row", "time", "quantiles", "moves", "naive", "series"]
    for name in [*names, *(["deviation"] if parts[0].series is not None else [])]:
        values = [getattr(part, name) for part in parts]
        whole[name] = None if any(value is None for value in values) else np.concatenate(values)
    return replace(parts[0], **whole)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@lru_cache(maxsize=4)
def _shared(path: Path, _: int) -> dict[str, np.ndarray]:
    """The arrays of a file that several rows name; the second argument is the time of its last change."""
    return _arrays(path)


def store(
    folder: Path, cell: Cell, data: "Data", forecasts: np.ndarray, naive: np.ndarray | None, history: "History"
) -> dict[str, str]:
    """Write the forecasts [n, *output_shape] of a cell, and naive's where they are quantiles; returns the file names
    for its row."""
    from zoo.data.sequences import Sequences  # imports torch, which reports do without

    directory = folder / "predictions"
    directory.mkdir(parents=True, exist_ok=True)
    problem = json.dumps([cell.data.fingerprint, cell.problem.model_dump(mode="json")], sort_keys=True)
    shared_path = directory / f"truth-{hashlib.sha256(problem.encode()).hexdigest()[:16]}.npz"
    if not shared_path.exists() or b"deviation.npy" not in shared_path.read_bytes():  # an earlier version stored less
        rows = data.test.target_rows()
        arrays = {"truth": data.test.truth(), "last": data.test.last(), "target_row": rows}
        arrays["deviation"] = data.test.units.deviation
        if naive is not None:
            arrays |= {"naive": naive.astype(np.float32)}
            arrays |= {"levels": np.array(data.problem.quantiles)} if data.problem.quantiles else {}
        if data.panel is not None:
            arrays |= {"series": data.panel.of_test.astype(np.int32), "series_names": np.array(data.panel.names)}
        if isinstance(data.test, Sequences):
            arrays |= {"classes": np.array(data.classes), "cases": data.test.names}
        if data.time is not None:
            arrays["time"] = data.time.to_numpy()[rows]
        write_atomically(shared_path, _npz(arrays))
    valid = [history.initial_valid_loss, *(epoch.valid_loss for epoch in history.epochs)]
    losses = {
        "train_loss": [epoch.train_loss for epoch in history.epochs],
        "valid_loss": [loss for loss in valid if loss is not None],
    }
    arrays = {"forecast": forecasts, **{name: np.array(values) for name, values in losses.items()}}
    own_path = directory / f"{cell.key}.npz"
    write_atomically(own_path, _npz({name: values.astype(np.float32) for name, values in arrays.items()}))
    return {"predictions": f"predictions/{own_path.name}", "truth": f"predictions/{shared_path.name}"}


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
