"""Scalers: scikit-learn's, fitted on training rows, kept as one centre and one scale per column."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from zoo.errors import unknown

ScalerName = Literal["standard", "minmax", "robust", "none"]
SCALERS: tuple[ScalerName, ...] = ("standard", "minmax", "robust", "none")


@dataclass(frozen=True)
class Scaler:
    """An affine map per column, scaled = (value - center) / scale; center and scale are float64 [columns]."""

    name: str
    center: np.ndarray
    scale: np.ndarray

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Values [rows, columns] in scaled units."""
        return (values - self.center) / self.scale


def fit_scaler(name: str, train_values: np.ndarray) -> Scaler:
    """A scaler fitted on training rows [rows, columns]; a constant column keeps scale 1.

    standard: mean and deviation; minmax: minimum and range; robust: median and interquartile range;
    none: values as they are.
    """
    from sklearn import preprocessing

    columns = train_values.shape[1]
    if name == "none":
        return Scaler(name, np.zeros(columns), np.ones(columns))
    if name == "standard":
        standard = preprocessing.StandardScaler().fit(train_values)
        return Scaler(name, standard.mean_, standard.scale_)
    if name == "minmax":
        minmax = preprocessing.MinMaxScaler().fit(train_values)
        return Scaler(name, minmax.data_min_, 1 / minmax.scale_)
    if name == "robust":
        robust = preprocessing.RobustScaler().fit(train_values)
        return Scaler(name, robust.center_, robust.scale_)
    raise unknown("scaler", name, SCALERS)
