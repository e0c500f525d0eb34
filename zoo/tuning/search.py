"""Search: what a study varies and what stays fixed, from the signatures and the user's overrides.

Parameters of a variant go by their names, those of FitConfig as `fit.learning_rate`, and the lookback as
`lookback`. Any of them may be fixed; each gets the range of its signature, or one that is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, product
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial
from pydantic import Field, InstanceOf, field_validator

from zoo.data.dataset import Data
from zoo.errors import InputError, unknown
from zoo.records import Record
from zoo.registry import create, variant
from zoo.space import Choice, Float, Int, Parameter, Range, check_range, parameters_of, resolve, scalar
from zoo.suite import try_out
from zoo.train.config import LATER, FitConfig
from zoo.tuning.trial import Point

BUDGET = ("fit.max_epochs", "fit.max_batches", "fit.max_seconds")
GRID_POINTS = 5  # of a numeric range in a grid search
MOST_CORNERS = 64
START = "start"  # the user attribute of the trial that runs the settings a study starts from
LOOKBACK = Parameter("lookback", (int,), None, None)


class StudySettings(Record):
    """How a study searches, and its budget.

    trials: how many count, over all calls that go on with the study; timeout: seconds of running trials after which
    none begins. repeats: trainings of each trial, with other seeds; their mean loss is its value, and a trial is pruned
    during the first. folds: validation parts on which each of them is trained and scored, see zoo.data.origins; their
    mean loss counts. objectives: see trial.OBJECTIVES, all minimised. params, config: the settings to start from,
    which trial 0 runs. fix: values by key; ranges: Int, Float, Choice, a list of options, or text (`32:512`,
    `1e-4:1e-2:log`, `adam,sgd`) by key.
    """

    trials: int = Field(default=50, ge=1)
    timeout: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    repeats: int = Field(default=1, ge=1)
    folds: int = Field(default=1, ge=1)
    sampler: str = "tpe"
    pruner: str | None = None
    objectives: tuple[str, ...] = ("valid_loss",)
    params: dict[str, Any] = Field(default={})
    config: InstanceOf[FitConfig] = FitConfig()
    fix: dict[str, Any] = Field(default={})
    ranges: dict[str, Any] = Field(default={})

    @field_validator("objectives", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        if isinstance(value, str):
            return (value,)
        return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Search:
    """The base point (all values by key) and the ranges that are searched."""

    variant: str
    base: dict[str, Any]
    ranges: dict[str, Range]

    def point(self, changes: Mapping[str, Any]) -> Point:
        """The base with changes over it."""
        values = {**self.base, **changes}
        fit = {name.removeprefix("fit."): value for name, value in values.items() if name.startswith("fit.")}
        params = {name: values[name] for name in variant(self.variant).parameters}
        return Point(params, fit, values["lookback"])

    def suggest(self, trial: optuna.Trial) -> None:
        """Have the trial draw a value of every searched parameter."""
        for name, span in self.ranges.items():
            if isinstance(span, Int):
                trial.suggest_int(name, span.low, span.high, step=span.step, log=span.log)
            elif isinstance(span, Float):
                trial.suggest_float(name, span.low, span.high, log=span.log)
            else:
                trial.suggest_categorical(name, span.options)

    def start(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The base values of the searched parameters: inside their ranges, for Optuna's records, and as they are, for
        the trial's user attributes."""
        values = {name: self.base[name] for name in self.ranges}
        return {name: _within(span, values[name]) for name, span in self.ranges.items()}, {START: values}

    def settings_of(self, trial: optuna.Trial | FrozenTrial) -> dict[str, Any]:
        """The searched parameters of a trial: its values; the start ran its own settings, even outside the ranges (no
        weight decay, for example)."""
        start: dict[str, Any] | None = trial.user_attrs.get(START)
        return trial.params if start is None else start

    def point_of(self, trial: optuna.Trial | FrozenTrial) -> Point:
        """All settings of a trial."""
        return self.point(self.settings_of(trial))

    def grid(self) -> dict[str, list[Any]]:
        """The values of a grid search: every option of a choice, five points of each numeric range."""
        return {name: _points(span) for name, span in self.ranges.items()}

    def plain_ranges(self) -> dict[str, Any]:
        """The ranges as plain values for JSON."""
        return {name: span.options if isinstance(span, Choice) else _plain(span) for name, span in self.ranges.items()}


def search_for(name: str, data: Data, settings: StudySettings) -> Search:
    """The search of one variant on `data`; raises InputError for an unknown key, an empty range, a value of the wrong
    type, and for what cannot be built."""
    chosen, known = variant(name), known_keys(name)
    base = resolve(chosen.build, settings.params, f"variant '{name}'")
    is_trained = create(name, data.problem, **base).is_trainable
    base |= {"lookback": data.problem.lookback}
    # Studies that are older than these settings have the same request.
    later = [key for key in LATER if key not in ("mode", "precision")]
    left_out = [("device", settings.config.device), *((key, getattr(FitConfig, key)) for key in later)]
    base |= {f"fit.{key}": value for key, value in asdict(settings.config).items() if (key, value) not in left_out}
    spans = dict(chosen.space_for(data.problem))
    if is_trained:
        spans |= {key: p.range for key, p in known.items() if key.startswith("fit.") and p.range is not None}
    fix, ranges = (applicable(keys, name, [name]) for keys in (settings.fix, settings.ranges))
    for key, value in fix.items():
        base[key] = known[key].check(value, f"fix {key}")
        spans.pop(key, None)
    for key, given in ranges.items():
        span = range_of(given, known[key], key)
        if key in BUDGET:
            raise InputError(f"{key} is the training budget, the same for every trial: set it with --fix")
        if key in ("fit.loss", "fit.class_weights"):
            raise InputError(f"trials are compared by {key}, so it cannot have a range: set it with --fix")
        if key in fix:
            raise InputError(f"{key} is both fixed and given a range: leave out one of them")
        if (key.startswith("fit.") and not is_trained) or not chosen.parameters:
            continue  # a variant that is not trained, or takes no parameter, is the same at every value
        spans.pop(key, None)
        base[key] = _within(span, base.get(key, known[key].default))
        if len(set(_ends(span))) > 1:
            spans[key] = span
    search = Search(name, base, spans)
    if fix or ranges:
        _check_corners(search, data, {*fix, *ranges})
    return search


def applicable(keys: Mapping[str, Any], name: str, names: Sequence[str]) -> dict[str, Any]:
    """Those of `keys` that variant `name` takes, by its own keys; raises InputError for one that none of `names`
    takes."""
    settings = {}
    for key, value in keys.items():
        owner, _, parameter = key.rpartition(".")
        if parameter == "seed":
            raise InputError(f"'{key}': the random seed is never a hyperparameter; --seed sets the study's")
        if owner in ("", "fit"):
            own_keys = {other: _own_key(key, other) for other in names}
            if not any(own_keys.values()):
                raise unknown("parameter", key, known_keys(names[0]), f"of variant '{names[0]}'")
            own_key = own_keys[name]
        else:
            if parameter not in variant(owner).parameters:
                raise unknown("parameter", parameter, variant(owner).parameters, f"of variant '{owner}'")
            if owner not in names:
                raise InputError(f"'{key}' belongs to a variant that is not tuned here (tuned: {', '.join(names)})")
            own_key = parameter if owner == name else None
        if own_key is not None:
            settings[own_key] = value
    return settings


def known_keys(name: str) -> dict[str, Parameter]:
    """Every parameter that can be fixed or given a range, by key."""
    of_fit = {f"fit.{key}": p for key, p in parameters_of(FitConfig).items() if key != "device"}
    return {**variant(name).parameters, **of_fit, "lookback": LOOKBACK}


def _own_key(key: str, name: str) -> str | None:
    known = known_keys(name)
    return next((own for own in (key, f"fit.{key}") if own in known), None)


def range_of(given: Any, parameter: Parameter, key: str) -> Range:
    """A range from text, a list of options, or a range; raises InputError for an empty one or a wrong type.

    Text without a step has that of the parameter's own range, unless it is on a log scale.
    """
    owner, options = f"range of {key}", given.options if isinstance(given, Choice) else given
    if isinstance(given, Int | Float):
        low, high, log, step = given.low, given.high, given.log, getattr(given, "step", 1)
    elif isinstance(options, str) and ":" in options:
        low, high, log, step = _parts_of(options, parameter.range, owner)
    else:
        if not isinstance(options, list | tuple):
            options = [scalar(part.strip()) for part in str(options).split(",") if part.strip()]
        if not options:
            raise InputError(f"{owner} is empty: give low:high, low:high:log, low:high:STEP, or options a,b,c")
        return Choice(*dict.fromkeys(parameter.check(option, owner) for option in options))
    if not all(type(end) in (int, float) for end in (low, high)):
        raise InputError(f"{owner}: low and high must be numbers, got '{low}:{high}'")
    low, high = (parameter.check(end, owner) for end in (low, high))
    span = Int(low, high, log, step) if isinstance(low, int) else Float(low, high, log)
    check_range(span, parameter, owner)
    return span


def _parts_of(text: str, own: Range | None, owner: str) -> tuple[Any, Any, bool, int]:
    """Low, high, log and step of a range such as `32:512`, `32:512:log` or `32:512:16`."""
    low, high, *rest = (scalar(part.strip()) for part in text.split(":"))
    log, step = rest == ["log"], own.step if isinstance(own, Int) and not own.log else 1
    if len(rest) == 1 and type(rest[0]) is int:
        step = rest[0]
    elif rest not in ([], ["log"], ["linear"]):
        raise InputError(f"{owner}: only :log, :linear or a whole step may follow low:high, got '{text}'")
    return low, high, log, 1 if log else step


def _within(span: Range, value: Any) -> Any:
    if isinstance(span, Choice):
        return value if value in span.options else span.options[0]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return span.high if value == "all" else span.low
    inside = type(span.low)(min(max(value, span.low), span.high))
    return span.nearest(inside) if isinstance(span, Int) else inside


def _plain(span: Int | Float) -> dict[str, Any]:
    """The fields of a range, without a step of 1: studies older than steps have the same request."""
    return {name: value for name, value in asdict(span).items() if (name, value) != ("step", 1)}


def _ends(span: Range) -> tuple[Any, ...]:
    return span.options if isinstance(span, Choice) else (span.low, span.high)


def _points(span: Range) -> list[Any]:
    if isinstance(span, Choice):
        return list(span.options)
    space = np.geomspace if span.log else np.linspace
    points = space(span.low, span.high, GRID_POINTS).tolist()
    return sorted({span.nearest(point) for point in points}) if isinstance(span, Int) else points


def _check_corners(search: Search, data: Data, changed: set[str]) -> None:
    """Build the variant at the corners of the box, and FitConfig at the ends of each changed range of its own."""
    names = [name for name in search.ranges if not name.startswith("fit.")]
    corners = product(*(_ends(search.ranges[name]) for name in names))
    for corner in islice(corners, MOST_CORNERS):
        point = search.point(dict(zip(names, corner, strict=True)))
        try_out(search.variant, data.with_lookback(point.lookback), point.params)
    FitConfig.of(search.point({}).fit)
    for name in changed & set(search.ranges):
        for end in _ends(search.ranges[name]) if name.startswith("fit.") else ():
            FitConfig.of(search.point({name: end}).fit)
