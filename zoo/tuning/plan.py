"""Plan: a study that has been checked and can run, from its settings as the user gave them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from pydantic import Field, InstanceOf, field_validator

from zoo.data.prepare import Data
from zoo.errors import InputError, unknown
from zoo.plugins import Code
from zoo.records import Record
from zoo.registry import variant
from zoo.space import Choice, range_text
from zoo.suite import task_of
from zoo.train.config import FitConfig
from zoo.train.fit import resolve_device
from zoo.tuning.samplers import Samplers, pruner_for, samplers_for
from zoo.tuning.search import Search, known_keys, own_key, search_for
from zoo.tuning.trial import OBJECTIVES


class StudySettings(Record):
    """How a study searches, and its budget.

    trials: how many count, over all calls that go on with the study; timeout: seconds of running trials after which
    none begins. repeats: trainings of each trial, with other seeds; their mean loss is its value, and a trial is pruned
    during the first. objectives: of OBJECTIVES, all minimised. params, config: the settings to start from, which trial
    0 runs; fix, ranges: see search_for; queue: points to run first, instead of the start.
    """

    trials: int = Field(default=50, ge=1)
    timeout: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    repeats: int = Field(default=1, ge=1)
    sampler: str = "tpe"
    pruner: str | None = None
    objectives: tuple[str, ...] = ("valid_loss",)
    params: dict[str, Any] = Field(default={})
    config: InstanceOf[FitConfig] = FitConfig()
    fix: dict[str, Any] = Field(default={})
    ranges: dict[str, Any] = Field(default={})
    queue: tuple[dict[str, Any], ...] = ()

    @field_validator("objectives", "queue", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        if isinstance(value, str):
            return (value,)
        return tuple(value) if isinstance(value, list) else value

    @field_validator("params", "config", "fix", "ranges", mode="before")
    @classmethod
    def _none_is_default(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value is None else value


@dataclass(frozen=True)
class Plan:
    """A study that can run. queue: points by the search's own keys; repeats: 1 where nothing is learnt at random."""

    variant: str
    settings: StudySettings
    search: Search
    samplers: Samplers
    pruner: optuna.pruners.BasePruner
    trials: int
    repeats: int
    queue: tuple[dict[str, Any], ...]
    device: str

    @property
    def code(self) -> Code:
        """The variant's code, as rows record it."""
        return variant(self.variant).code.portable

    @property
    def pruner_name(self) -> str:
        """The name of Optuna's class."""
        return type(self.pruner).__name__

    def request(self, data: Data) -> dict[str, Any]:
        """What makes it this study and no other: a study in storage goes on only where all of it is the same."""
        search, settings = self.search, self.settings
        request = {
            "variant": self.variant,
            "code": self.code.sha256,
            "data": [data.fingerprint, data.missing],
            "problem": task_of(data).model_dump(),
            "settings": {name: value for name, value in search.base.items() if name not in search.ranges},
            "ranges": search.plain_ranges(),
            "objectives": settings.objectives,
            "sampler": settings.sampler,
            "pruner": self.pruner_name,
            "seed": settings.seed,
            "repeats": self.repeats,
            "device": self.device,
        }
        plain: dict[str, Any] = json.loads(json.dumps(request))
        return plain


def plan_of(name: str, data: Data, settings: StudySettings, *, has_workers: bool) -> Plan:
    """The plan of a study of variant `name`; raises InputError for settings that cannot be met."""
    _check_objectives(settings.objectives)
    if data.valid is None:
        raise InputError("tuning compares trials on the validation part, and the split leaves none: change --split")
    search = search_for(
        name, data, params=settings.params, config=settings.config, fix=settings.fix, ranges=settings.ranges
    )
    if not search.ranges:
        raise InputError(f"variant '{name}' has nothing to tune: it declares no range (zoo show {name})")
    chosen = variant(name)
    if has_workers and chosen.code.kind == "program":
        raise InputError(
            f"variant '{name}' is registered by {chosen.build.__module__}, which worker processes do not import: "
            "leave out jobs"
        )
    is_grid = settings.sampler == "grid"
    if is_grid and settings.queue:
        raise InputError("a grid has its own points: leave out the queue, or choose another sampler")
    return Plan(
        variant=name,
        settings=settings,
        search=search,
        samplers=samplers_for(settings.sampler, search, settings.objectives, settings.seed),
        pruner=pruner_for(settings.pruner, settings.objectives, search.base["fit.max_epochs"]),
        trials=min(settings.trials, search.grid_size()) if is_grid else settings.trials,
        repeats=1 if chosen.is_deterministic else settings.repeats,
        queue=tuple(_queued(point, search) for point in settings.queue),
        device=resolve_device(settings.config.device).type,
    )


def _check_objectives(objectives: tuple[str, ...]) -> None:
    for objective in objectives:
        if objective not in OBJECTIVES:
            raise unknown("objective", objective, OBJECTIVES)
    if not objectives or len(set(objectives)) < len(objectives):
        raise InputError(f"objectives must be different names of {', '.join(OBJECTIVES)}, got {','.join(objectives)}")


def _queued(point: Mapping[str, Any], search: Search) -> dict[str, Any]:
    """A queued point by the search's own keys; raises InputError for a value that the search cannot take."""
    values = {}
    for key, value in point.items():
        own = own_key(key, search.variant, [search.variant])
        if own not in search.ranges:
            raise InputError(f"queue: {key} is not searched (searched: {', '.join(search.ranges)})")
        values[own] = known_keys(search.variant)[own].check(value, "queue")
        span = search.ranges[own]
        is_inside = values[own] in span.options if isinstance(span, Choice) else span.low <= values[own] <= span.high
        if not is_inside:
            raise InputError(f"queue: {key} must be {range_text(span)}, got {value!r}")
    return values
