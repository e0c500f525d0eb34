"""Moves: whether a value fell, stayed flat or rose, by a size below which a change counts as none."""

from dataclasses import dataclass

import numpy as np

from zoo.data.scaling import MAPS, Units
from zoo.errors import InputError

MOVES = {"down": -1, "flat": 0, "up": 1}  # in the order of their probabilities


@dataclass(frozen=True)
class Flat:
    """The largest change that still counts as flat: in the data's units, or as a share of the last value's size."""

    size: float
    is_share: bool

    def limits(self, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values, shaped like `last`, below which a value has fallen and above which it has risen."""
        band = self.size * np.abs(last) if self.is_share else self.size
        return last - band, last + band

    def scaled_limits(self, last: np.ndarray, units: Units) -> np.ndarray:
        """The same of last values [rows, D], in scaled units: float32 [rows, D, 2]."""
        limits = np.stack(self.limits(last), axis=-1)
        if units.scaler in MAPS:
            with np.errstate(divide="ignore", invalid="ignore"):
                limits = MAPS[units.scaler][0](limits)
            limits = np.where(np.isnan(limits), -np.inf, limits)  # nothing lies below
        return np.asarray((limits - units.center[:, None]) / units.scale[:, None], dtype=np.float32)


def flat_of(text: str) -> Flat:
    """What `0.5%` (of the last value) or `2` (in the data's units) says; raises InputError for anything else."""
    number = text.strip().removesuffix("%")
    try:
        size = float(number)
    except ValueError:
        size = np.nan
    if not 0 < size < np.inf:
        raise InputError(
            f"flat must be a size above 0, such as 0.5% of the last value, or 2 in its units, got '{text}'"
        )
    is_share = number != text.strip()
    return Flat(size / 100 if is_share else size, is_share)
