"""Problem: all that a model may know of the data."""

from dataclasses import dataclass
from typing import Literal

Normalise = Literal["last", "none", "instance"]
NORMALISE: tuple[Normalise, ...] = ("last", "none", "instance")


@dataclass(frozen=True)
class Problem:
    """The shape of one task.

    lookback: steps that the model sees (L); channels: input columns (C); targets: positions of the
    forecast columns among the channels (D of them); output_shape: (horizon, D) for a point forecast;
    normalise: the level that the wrapper of every variant removes from each window and restores in its forecast.
    """

    lookback: int
    channels: int
    targets: tuple[int, ...]
    output_shape: tuple[int, ...]
    normalise: Normalise = "last"
    task: str = "forecast"

    @property
    def horizon(self) -> int:
        """Steps that the model forecasts (T)."""
        return self.output_shape[0]


EXAMPLE = Problem(lookback=7, channels=5, targets=(3,), output_shape=(1, 1))  # the next close of daily prices
