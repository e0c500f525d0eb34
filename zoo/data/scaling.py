"""Scaling, fitted on training rows alone: scalers of the channels, and the units that forecasts are brought back to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zoo.data.pieces import pieces
from zoo.errors import InputError, unknown

ScalerName = Literal["standard", "log", "log1p", "minmax", "robust", "none"]
FARTHEST = 1e30  # squares of errors must stay finite in float64, and forecasts in float32
SCALERS: tuple[ScalerName, ...] = ("standard", "log", "log1p", "minmax", "robust", "none")
MAPS: dict[str, tuple[np.ufunc, np.ufunc]] = {"log": (np.log, np.exp), "log1p": (np.log1p, np.expm1)}  # and back


@dataclass(frozen=True)
class Scaler:
    """An affine map per column, scaled = (value - center) / scale; center and scale are float64 [columns].

    The scaler called log maps the logarithm of each value, log1p that of 1 + the value.
    """

    name: str
    center: np.ndarray
    scale: np.ndarray

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Values [rows, columns] in scaled units; raises InputError where they are too large for float32."""
        scaled: np.ndarray = (self.mapped(values) - self.center) / self.scale
        if scaled.size and (farthest := float(np.abs(scaled).max())) > FARTHEST:
            raise InputError(
                f"a value lies {farthest:.2g} units of its scaler from the training rows, too far to compute with "
                f"({FARTHEST:g}): correct it, or choose another split"
            )
        return scaled

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """The same as float32, as models take them."""
        scaled = np.empty(values.shape, dtype=np.float32)
        for piece in pieces(len(values)):
            scaled[piece] = self.transform(values[piece])
        return scaled

    def mapped(self, values: np.ndarray) -> np.ndarray:
        """The values, or their logarithms; raises InputError where these do not exist."""
        return logarithms(self.name, values) if self.name in MAPS else values

    def restore(self, scaled: np.ndarray, columns: Sequence[int]) -> np.ndarray:
        """Scaled values [..., len(columns)] of these columns in the data's units."""
        chosen = list(columns)
        values = scaled * self.scale[chosen] + self.center[chosen]
        return np.asarray(MAPS[self.name][1](values) if self.name in MAPS else values)


def logarithms(scaler: str, values: np.ndarray) -> np.ndarray:
    """The logarithms that this scaler takes of values [rows, columns]; raises InputError where there is none."""
    check_positive(scaler, values, ["a channel"] * values.shape[1])
    return np.asarray(MAPS[scaler][0](values))


def check_positive(scaler: str, values: np.ndarray, names: Sequence[str]) -> None:
    """Raise InputError, with a column's name, for values [rows, columns] of which this scaler takes no logarithm."""
    for name, column in zip(names, values.T, strict=True):
        least = float(column.min()) if column.size else np.inf
        if not (least >= 0 if scaler == "log1p" else least > 0):
            needs = "0 or more" if scaler == "log1p" else "above 0"
            other = "log1p, which takes 0, or another scaler" if scaler == "log" and least == 0 else "another scaler"
            raise InputError(
                f"the scaler {scaler} needs values {needs}, and {name} holds {least:g}: choose {other}, or leave that "
                "channel out with --channels"
            )


def fit_scaler(name: str, train_values: np.ndarray) -> Scaler:
    """A scaler of that name, fitted as scikit-learn's on training rows [rows, columns]; a constant column has scale 1.

    standard: mean and deviation; log: those of the logarithms; log1p: those of the logarithms of 1 + the value, for
    counts and volumes with zeros; minmax: minimum and range; robust: median and interquartile range; none: no scaling.
    """
    columns = train_values.shape[1]
    if name == "none":
        return Scaler(name, np.zeros(columns), np.ones(columns))
    if name == "standard" or name in MAPS:
        return Scaler(name, *_mean_and_deviation(name, train_values))
    from sklearn import preprocessing

    if name == "minmax":
        minmax = preprocessing.MinMaxScaler()
        for piece in pieces(len(train_values)):
            minmax.partial_fit(train_values[piece].astype(np.float64, copy=False))
        return Scaler(name, minmax.data_min_, 1 / minmax.scale_)
    if name == "robust":
        robust = preprocessing.RobustScaler().fit(train_values)
        return Scaler(name, *(np.asarray(each, dtype=np.float64) for each in (robust.center_, robust.scale_)))
    raise unknown("scaler", name, SCALERS)


def _mean_and_deviation(name: str, train_values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """mean_ and scale_ of scikit-learn's StandardScaler to the last bit, without its import, which takes 0.7 seconds.

    Pieces are joined as in Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983). A deviation
    that is rounding error is 1.
    """
    rows, mean, variance = 0, np.zeros(train_values.shape[1]), np.zeros(train_values.shape[1])
    for piece in pieces(len(train_values)):
        raw = train_values[piece].astype(np.float64, copy=False)
        values = logarithms(name, raw) if name in MAPS else raw
        count, total, earlier = len(values), values.sum(axis=0), mean * rows
        apart = values - total / count
        squares = (apart**2).sum(axis=0) - apart.sum(axis=0) ** 2 / count
        if rows:
            share = rows / count
            squares = variance * rows + squares + share / (rows + count) * (earlier / share - total) ** 2
        rows += count
        mean, variance = (earlier + total) / rows, squares / rows
    epsilon = np.finfo(np.float64).eps
    is_constant = variance <= rows * epsilon * variance + (rows * mean * epsilon) ** 2
    return mean, np.where(is_constant, 1.0, np.sqrt(variance))


@dataclass(frozen=True)
class Units:
    """One entry per target (D), all float64, all fitted on training rows; of several series [n, 1, D], for each window.

    center, scale undo the scaler, and scaler names it, for its logarithm; deviation is the target's standard deviation
    over training rows, the unit of scaled errors; step is its mean absolute change between training rows, the unit of
    MASE.
    """

    names: tuple[str, ...]
    center: np.ndarray
    scale: np.ndarray
    deviation: np.ndarray
    step: np.ndarray
    scaler: str = "standard"

    def restore(self, scaled: np.ndarray) -> np.ndarray:
        """Scaled forecasts [..., D] in the data's units, each target by its own parameters."""
        values = scaled.astype(np.float64) * self.scale + self.center
        return np.asarray(MAPS[self.scaler][1](values)) if self.scaler in MAPS else values


def fit_units(names: tuple[str, ...], positions: tuple[int, ...], scaler: Scaler, train_values: np.ndarray) -> Units:
    """The units of the targets at `positions`, from training rows [rows, C] in the data's units."""
    chosen, rows = list(positions), len(train_values)

    def part(first: int, end: int) -> np.ndarray:
        return train_values[first:end][:, chosen].astype(np.float64, copy=False)

    every = list(pieces(rows))
    mean = sum(part(each.start, each.stop).sum(axis=0) for each in every) / rows
    squares = sum(((part(each.start, each.stop) - mean) ** 2).sum(axis=0) for each in every)
    steps = sum(np.abs(np.diff(part(each.start, each.stop + 1), axis=0)).sum(axis=0) for each in every)
    return Units(
        names,
        scaler.center[chosen],
        scaler.scale[chosen],
        np.sqrt(squares / rows),
        steps / (rows - 1),
        scaler=scaler.name,
    )
