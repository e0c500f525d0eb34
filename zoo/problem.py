"""Problem: all that a model may know of the data."""

from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, Literal

Normalise = Literal["last", "none", "instance"]
LOOKBACK = 7  # where nothing else is asked for
NORMALISE: tuple[Normalise, ...] = ("last", "none", "instance")


@dataclass(frozen=True)
class Problem:
    """The shape of one task.

    lookback: steps that the model sees (L); channels: input columns (C); targets: positions of the forecast columns
    among the channels (D of them); output_shape: (horizon, D) for a point forecast, (horizon, D, Q) for quantiles,
    (horizon, D, 3) for moves; normalise: the level that the wrapper of every variant removes from each window and
    restores in its forecast; task: forecast, quantile, direction, move (it falls, stays flat or rises) or classify;
    flat: of moves, the largest change that is none, such as 0.5%; quantiles: the Q levels of the task quantile, rising;
    is_conformal: whether they are calibrated on the validation part; is_adaptive: whether they follow their own hits
    and misses, from forecast to forecast; plain: positions of channels that normalising leaves as they are: a calendar,
    which holds in each row what is known of the row `horizon` steps later, marks of values that were missing, and codes
    of categories; categories: the positions of these codes, each with the number of names that it tells apart, see
    zoo.layers.embedded.

    To classify is to tell to which of K classes a whole sequence belongs: output_shape is (1, K), there are no targets,
    and lookback is the length of the longest sequence; shortest: that of the shortest one, None: all are equally long.
    """

    lookback: int
    channels: int
    targets: tuple[int, ...]
    output_shape: tuple[int, ...]
    normalise: Normalise = "last"
    task: str = "forecast"
    quantiles: tuple[float, ...] = ()
    is_conformal: bool = False
    is_adaptive: bool = False
    plain: tuple[int, ...] = ()
    categories: tuple[tuple[int, int], ...] = ()
    shortest: int | None = None
    flat: str = ""

    def __repr__(self) -> str:
        values = [(field.name, getattr(self, field.name), field.default) for field in fields(self)]
        shown = (f"{name}={value!r}" for name, value, usual in values if usual is MISSING or value != usual)
        return f"Problem({', '.join(shown)})"

    def of_model(self, model: Any) -> str:
        """One line about a model of it: its variant's class, the shapes of input and output, its number of weights."""
        weights = sum(parameter.numel() for parameter in model.parameters())
        output = ", ".join(map(str, self.output_shape))
        shapes = f"[B, {self.lookback}, {self.channels}] -> [B, {output}]"
        return f"{type(model.variant).__name__}: {self.task}, {shapes}, {weights:,} weights, normalise {self.normalise}"

    @property
    def horizon(self) -> int:
        """Steps that the model forecasts (T)."""
        return self.output_shape[0]

    @property
    def is_of_values(self) -> bool:
        """Whether values are forecast, and no probabilities."""
        return self.task in ("forecast", "quantile")

    def of_points(self, copies: int = 1) -> "Problem":
        """The same problem as a point forecast, in which each target stands `copies` times.

        Each class is then a target that stands for the first channel, and no level is removed.
        """
        if self.task == "classify":
            return replace(self, targets=(0,) * self.output_shape[1], normalise="none", task="forecast", shortest=None)
        targets = tuple(target for target in self.targets for _ in range(copies))
        shape = (self.horizon, len(targets))
        points = replace(self, targets=targets, output_shape=shape, task="forecast", quantiles=(), flat="")
        return replace(points, is_conformal=False, is_adaptive=False)


EXAMPLE = Problem(lookback=7, channels=5, targets=(3,), output_shape=(1, 1))  # the next close of daily prices
