"""ModelFile: what a saved model says of itself, in its folder or in an exported file; nothing here needs torch."""

import operator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, JsonValue, NaiveDatetime, model_validator

from zoo.data.outliers import Outliers, Policy
from zoo.data.scaling import Scaler, ScalerName
from zoo.data.table import check_policy
from zoo.migration import MODEL_FORMAT
from zoo.plugins import Code
from zoo.problem import Normalise
from zoo.records import Record, Setting

Count = Annotated[int, Field(ge=1, le=2**31)]
Position = Annotated[int, Field(ge=0)]


class ModelProblem(Record):
    """The fields of Problem."""

    lookback: Count
    channels: Count
    targets: tuple[Position, ...]
    output_shape: tuple[Count, Count] | tuple[Count, Count, Count]
    normalise: Normalise
    task: Literal["forecast", "quantile", "direction", "move", "classify"]
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    is_conformal: bool = False
    is_adaptive: bool = False
    plain: tuple[Position, ...] = ()
    categories: tuple[tuple[Position, Position], ...] = ()
    shortest: Count | None = None
    flat: str = ""

    @property
    def horizon(self) -> int:
        """Steps that the model forecasts."""
        return self.output_shape[0]


class ModelScaler(Record):
    """The fields of Scaler."""

    name: ScalerName
    center: tuple[float, ...]
    scale: tuple[Annotated[float, Field(gt=0)], ...]


class ModelOutliers(Record):
    """The fields of Outliers."""

    policy: Policy
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Fitted:
    """What was fitted to one series, which has this place among those of the model."""

    place: int
    scaler: Scaler
    outliers: Outliers | None
    known_scaler: Scaler | None


class ModelFile(Record):
    """model.json, or what an exported file says of itself.

    code: of the variant, None for the zoo's own in a model of format 1; channels, targets: column names in the model's
    order; source, fingerprint: of the data of the fit; about: how the model came about, for the user to read;
    series: the scaler of each series by its name, where there are several (scaler is then the first one's), which
    series_column tells apart; only: the one that it was fitted to; known:
    columns whose coming values it needs, with scalers of their own; categories: columns that name kinds, and the names
    that it has learned; classes: their names, of a model that classifies,
    whose one target is what they are called; seen: of a model whose quantiles adapt, the time of the last row that it
    has seen, or the number of rows; outliers, series_outliers: what cleans the inputs, and those of each series, absent
    where nothing does; checksum: SHA-256 of everything else.
    """

    format: Literal[2] = MODEL_FORMAT
    variant: str
    code: Code | None
    params: dict[str, Setting]
    problem: ModelProblem
    channels: tuple[str, ...]
    targets: tuple[str, ...]
    scaler: ModelScaler
    missing: Annotated[str, AfterValidator(check_policy)]
    calendar: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    known_scaler: ModelScaler | None = None
    masked: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] = Field(default={})
    series_column: str | None = None
    only: str | None = None
    series: dict[str, ModelScaler] = Field(default={})
    known_series: dict[str, ModelScaler] = Field(default={})
    classes: tuple[str, ...] = ()
    seen: NaiveDatetime | int | None = None
    outliers: ModelOutliers | None = Field(default=None, exclude_if=operator.not_)
    series_outliers: dict[str, ModelOutliers] = Field(default={}, exclude_if=operator.not_)
    source: str
    fingerprint: str
    versions: dict[str, str]
    about: dict[str, JsonValue]
    weights_sha256: str
    checksum: str = ""

    @property
    def reading(self) -> dict[str, Any]:
        """How zoo.load has to read a table for the model."""
        return {"series": self.series_column, "only": self.only, "categories": list(self.categories) or None}

    @property
    def fitted(self) -> dict[str, Fitted]:
        """What was fitted to each series, by its name; to one series itself, under no name."""
        scalers = self.series or {"": self.scaler}
        outliers = self.series_outliers if self.series else {"": self.outliers}
        known = self.known_series if self.series else {"": self.known_scaler}
        return {
            name: Fitted(place, scaler_of(scaler), outliers_of(outliers.get(name)), _known_of(known.get(name)))
            for place, (name, scaler) in enumerate(scalers.items())
        }

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        shape, count = self.problem, len(self.channels)
        if not shape.channels - len(shape.plain) == count == len(self.scaler.center) == len(self.scaler.scale):
            raise ValueError(f"problem.channels and scaler must have one entry for each of the {count} channels")
        if [number for _, number in shape.categories] != [len(names) for names in self.categories.values()]:
            raise ValueError("problem.categories must count the names of each of the categories")
        cleaned = self.outliers
        if cleaned and (len(cleaned.low), len(cleaned.high)) != (
            (count, count) if cleaned.policy == "clip" else (0, 0)
        ):
            raise ValueError("outliers must have two limits for each channel with clip, and none with hampel")
        if shape.task == "classify":
            if shape.output_shape != (1, len(self.classes)) or shape.targets or len(self.targets) != 1:
                raise ValueError("a model that classifies has no targets but the class, and one output for each class")
            return self
        if not shape.targets or shape.output_shape[1] != len(shape.targets) or max(shape.targets) >= count:
            raise ValueError("problem.targets must be positions of channels, as many as problem.output_shape has")
        if bool(shape.flat) != (shape.task == "move"):
            raise ValueError("problem.flat belongs to the task move, and to no other")
        inside = len(shape.quantiles) or (3 if shape.flat else 0)
        if shape.output_shape[2:] != ((inside,) if inside else ()):
            raise ValueError("problem.output_shape must end with the number of problem.quantiles, or 3 for moves")
        if shape.is_adaptive and (0.5 not in shape.quantiles or self.seen is None):
            raise ValueError("adaptive quantiles need 0.5 among problem.quantiles, and what the model has seen")
        if self.targets != tuple(self.channels[position] for position in shape.targets):
            raise ValueError("targets must be the channels at the positions problem.targets")
        return self


def outliers_of(fields: ModelOutliers | None) -> Outliers | None:
    return None if fields is None else Outliers(fields.policy, np.array(fields.low), np.array(fields.high))


def scaler_of(fields: ModelScaler) -> Scaler:
    return Scaler(fields.name, np.array(fields.center), np.array(fields.scale))


def _known_of(fields: ModelScaler | None) -> Scaler | None:
    return None if fields is None else scaler_of(fields)
