"""Search: what a study varies and what stays fixed, from the signatures and the user's overrides.

Parameters of a variant go by their names, those of FitConfig as `fit.learning_rate`, and the lookback as
`lookback`. Any of them may be fixed; each gets the range of its signature, or one that is given.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, product
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from zoo.data.prepare import Data
from zoo.errors import InputError, unknown
from zoo.registry import variant
from zoo.space import Choice, Float, Int, Parameter, Range, parameters_of, resolve, scalar
from zoo.suite import try_out
from zoo.train.config import FitConfig

BUDGET = ("fit.max_epochs", "fit.max_batches", "fit.max_seconds")
GRID_POINTS = 5  # of a numeric range in a grid search
MOST_CORNERS = 64
START = "start"  # of the trial that runs the settings a study starts from
LOOKBACK = Parameter("lookback", (int,), None, None)


@dataclass(frozen=True)
class Point:
    """One setting of everything: all of a variant's parameters, all of FitConfig's but the device, the lookback."""

    params: dict[str, Any]
    fit: dict[str, Any]
    lookback: int


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
                trial.suggest_int(name, span.low, span.high, log=span.log)
            elif isinstance(span, Float):
                trial.suggest_float(name, span.low, span.high, log=span.log)
            else:
                trial.suggest_categorical(name, span.options)

    def start(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The base values of the searched parameters: inside their ranges, for Optuna's records, and as they are, for
        the trial's user attributes."""
        values = {name: self.base[name] for name in self.ranges}
        return {name: _within(span, values[name]) for name, span in self.ranges.items()}, {START: values}

    def point_of(self, trial: optuna.Trial | FrozenTrial) -> Point:
        """All settings of a trial."""
        return self.point(self.ran(trial))

    def ran(self, trial: optuna.Trial | FrozenTrial) -> dict[str, Any]:
        """The searched parameters of a trial: its values; the start ran its own settings, even outside the ranges (no
        weight decay, for example)."""
        own: dict[str, Any] | None = trial.user_attrs.get(START)
        return trial.params if own is None else own

    def grid_size(self) -> int:
        """Points of the grid: every option of a choice, by five points of each numeric range."""
        return math.prod(len(_points(span)) for span in self.ranges.values())

    def grid_point(self, number: int) -> dict[str, Any]:
        """Point `number` of the grid."""
        point = {}
        for name, span in self.ranges.items():
            number, place = divmod(number, len(_points(span)))
            point[name] = _points(span)[place]
        return point

    def plain_ranges(self) -> dict[str, Any]:
        """The ranges as plain values for JSON."""
        return {name: span.options if isinstance(span, Choice) else asdict(span) for name, span in self.ranges.items()}


def search_for(
    name: str,
    data: Data,
    *,
    params: Mapping[str, Any],
    config: FitConfig,
    fix: Mapping[str, Any],
    ranges: Mapping[str, Any],
) -> Search:
    """The search of one variant on `data`.

    params, config: the settings that the search starts from; fix: values by key; ranges: Int, Float,
    Choice, a list of options, or text (`32:512`, `1e-4:1e-2:log`, `adam,sgd`) by key. Raises InputError for an
    unknown key, an empty range, a value of the wrong type, and for what cannot be built.
    """
    chosen = variant(name)
    known = known_keys(name)
    learns = not chosen.is_deterministic
    base = resolve(chosen.build, params, f"variant '{name}'") | {"lookback": data.problem.lookback}
    base |= {f"fit.{key}": value for key, value in asdict(config).items() if key != "device"}
    spans = dict(chosen.space_for(data.problem))
    if learns:
        fitted = parameters_of(FitConfig)
        spans |= {f"fit.{key}": p.range for key, p in fitted.items() if p.range is not None}
    fix, ranges = applicable(fix, name, [name]), applicable(ranges, name, [name])
    for own, value in fix.items():
        base[own] = known[own].check(value, f"fix {own}")
        spans.pop(own, None)
    for own, given in ranges.items():
        span = range_of(given, known[own], own)
        if own in BUDGET:
            raise InputError(f"{own} is the training budget, the same for every trial: set it with --fix")
        if own == "fit.loss":
            raise InputError("fit.loss is what trials are compared by, so it has no range: set it with --fix")
        if own in fix:
            raise InputError(f"{own} is both fixed and given a range: leave out one of them")
        if (own.startswith("fit.") and not learns) or not chosen.parameters:
            continue  # what learns nothing, or takes no parameter, is the same at every value
        spans.pop(own, None)
        if isinstance(span, Choice) and len(span.options) == 1:
            base[own] = span.options[0]
        elif not isinstance(span, Choice) and span.low == span.high:
            base[own] = span.low
        else:
            spans[own] = span
            base[own] = _within(span, base[own])
    touched = {*fix, *ranges}
    search = Search(name, base, spans)
    if touched:
        _check_corners(search, data, touched)
    return search


def own_key(key: str, name: str, names: Sequence[str]) -> str | None:
    """The key as variant `name` of `names` knows it, None where it names another of them; raises InputError."""
    owner, _, parameter = key.rpartition(".")
    known = known_keys(name)
    if parameter == "seed":
        raise InputError(f"'{key}': the random seed is never a hyperparameter; --seed sets the study's")
    if owner not in ("", "fit"):
        if parameter not in variant(owner).parameters:
            raise unknown("parameter", parameter, variant(owner).parameters, f"of variant '{owner}'")
        if owner not in names:
            raise InputError(f"'{key}' is of a variant that is not tuned here ({', '.join(names)} are)")
        return parameter if owner == name else None
    if owner == "fit" or (parameter not in known and f"fit.{parameter}" in known):
        parameter = f"fit.{parameter}"
    if parameter not in known:
        raise unknown("parameter", key, known, f"of variant '{name}'")
    return parameter


def applicable(keys: Mapping[str, Any], name: str, names: Sequence[str]) -> dict[str, Any]:
    """What variant `name` takes of `keys`, by its own keys; raises UnknownName for one that none of `names` takes."""
    taken = {}
    for key, value in keys.items():
        errors = {}
        for other in names:
            try:
                own = own_key(key, other, names)
            except LookupError as error:
                errors[other] = error
            else:
                if other == name and own is not None:
                    taken[own] = value
        if len(errors) == len(names):
            raise errors[names[0]]
    return taken


def known_keys(name: str) -> dict[str, Parameter]:
    """Every parameter that can be fixed or given a range, by key."""
    fitted = {f"fit.{key}": p for key, p in parameters_of(FitConfig).items() if key != "device"}
    return {**variant(name).parameters, **fitted, "lookback": LOOKBACK}


def range_of(given: Any, parameter: Parameter, key: str) -> Range:
    """A range from text, a list of options, or a range; raises InputError for an empty one or a wrong type."""
    if isinstance(given, Int | Float):
        return _checked(given.low, given.high, given.log, parameter, key)
    if isinstance(given, Choice):
        return _choice(given.options, parameter, key)
    if isinstance(given, list | tuple):
        return _choice(given, parameter, key)
    text = str(given)
    low, colon, rest = text.partition(":")
    if not colon:
        return _choice([scalar(part.strip()) for part in text.split(",") if part.strip()], parameter, key)
    high, colon, scale = rest.partition(":")
    if scale not in ("", "log", "linear") or (colon and not scale):
        raise InputError(f"range {key}={text}: after low:high comes log or nothing, got '{scale}'")
    return _checked(scalar(low.strip()), scalar(high.strip()), scale == "log", parameter, key)


def _checked(low: Any, high: Any, log: bool, parameter: Parameter, key: str) -> Range:
    for end in (low, high):
        if isinstance(end, bool) or not isinstance(end, int | float):
            raise InputError(f"range of {key}: low and high must be numbers, got '{low}:{high}'")
    ends = [parameter.check(end, f"range of {key}") for end in (low, high)]
    if not ends[0] <= ends[1]:
        raise InputError(f"range of {key} is empty: low must be <= high, got {low}:{high}")
    if log and not ends[0] > 0:
        raise InputError(f"range of {key}: a log scale needs low > 0, got {low}")
    return Int(ends[0], ends[1], log) if isinstance(ends[0], int) else Float(ends[0], ends[1], log)


def _choice(options: Sequence[Any], parameter: Parameter, key: str) -> Choice:
    if not options:
        raise InputError(f"range of {key} is empty: give low:high, low:high:log, or options a,b,c")
    return Choice(*dict.fromkeys(parameter.check(option, f"range of {key}") for option in options))


def _within(span: Range, value: Any) -> Any:
    if isinstance(span, Choice):
        return value if value in span.options else span.options[0]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return span.high if value == "all" else span.low
    return type(span.low)(min(max(value, span.low), span.high))


def _ends(span: Range) -> tuple[Any, ...]:
    return span.options if isinstance(span, Choice) else (span.low, span.high)


def _points(span: Range) -> list[Any]:
    if isinstance(span, Choice):
        return list(span.options)
    space = np.geomspace if span.log else np.linspace
    points = space(span.low, span.high, GRID_POINTS).tolist()
    return sorted({round(point) for point in points}) if isinstance(span, Int) else points


def _check_corners(search: Search, data: Data, touched: set[str]) -> None:
    """Build the variant at the corners of the box, and FitConfig at the ends of each range of its own."""
    own = [name for name in search.ranges if not name.startswith("fit.")]
    corners = product(*(_ends(search.ranges[name]) for name in own))
    for corner in islice(corners, MOST_CORNERS):
        point = search.point(dict(zip(own, corner, strict=True)))
        try_out(search.variant, data.with_lookback(point.lookback), point.params)
    FitConfig.of(search.point({}).fit)
    for name in touched:
        if name.startswith("fit.") and name in search.ranges:
            for end in _ends(search.ranges[name]):
                FitConfig.of(search.point({name: end}).fit)
