"""Units: what brings scaled forecasts of the targets back to the data's units, and standardises errors."""

from dataclasses import dataclass

import numpy as np

from zoo.data.scaling import Scaler


@dataclass(frozen=True)
class Units:
    """One entry per target (D), all float64, all fitted on training rows.

    center, scale undo the scaler; deviation is the target's standard deviation over training rows, the
    unit of scaled errors; step is its mean absolute change between training rows, the unit of MASE.
    """

    names: tuple[str, ...]
    center: np.ndarray
    scale: np.ndarray
    deviation: np.ndarray
    step: np.ndarray

    def restore(self, scaled: np.ndarray) -> np.ndarray:
        """Scaled forecasts [..., D] in the data's units, each target by its own parameters."""
        return scaled.astype(np.float64) * self.scale + self.center


def fit_units(names: tuple[str, ...], positions: tuple[int, ...], scaler: Scaler, train_values: np.ndarray) -> Units:
    """The units of the targets at `positions`, from training rows [rows, C] in the data's units."""
    chosen = train_values[:, list(positions)]
    return Units(
        names,
        scaler.center[list(positions)],
        scaler.scale[list(positions)],
        chosen.std(axis=0),
        np.abs(np.diff(chosen, axis=0)).mean(axis=0),
    )
