"""Search ranges, and the search space read off a signature.

A hyperparameter's type, range and default stand on one line of the signature that uses it:

    hidden_size: Annotated[int, Int(16, 256, log=True)] = 64
"""

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union

from zoo.errors import InputError, unknown


@dataclass(frozen=True)
class Int:
    """Whole numbers from low to high, both included, in steps of `step`."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def nearest(self, number: float) -> int:
        """The value of the range that is nearest to a number between low and high."""
        if self.step == 1:
            return round(number)
        return self.low + round((number - self.low) / self.step) * self.step


@dataclass(frozen=True)
class Float:
    """Real numbers from low to high, both included."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    options: tuple[Any, ...]

    def __init__(self, *options: Any) -> None:
        object.__setattr__(self, "options", options)


Range = Int | Float | Choice


@dataclass(frozen=True)
class Parameter:
    """One keyword argument: its name, the types it takes, its default and (if searchable) its range."""

    name: str
    types: tuple[Any, ...]
    default: Any
    range: Range | None

    def check(self, value: Any, owner: str) -> Any:
        """`value` as one of the parameter's types; raises InputError naming owner, rule and value.

        Whole floats pass as integers and integers as floats; booleans are neither.
        """
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{owner}: {self.name} must be a finite number, got {value}")
        for kind in self.types:
            if kind is Any:
                return value
            if typing.get_origin(kind) is Literal:
                if any(value == option and type(value) is type(option) for option in typing.get_args(kind)):
                    return value
            elif kind is float and type(value) is int:
                return float(value)
            elif kind is int and type(value) is float and value.is_integer():
                return int(value)
            elif type(value) is kind:
                return value
        if value == "none" and type(None) in self.types:  # from the command line, where all values are text
            return None
        rule = " or ".join(_type_text(kind) for kind in self.types)
        raise InputError(f"{owner}: {self.name} must be {rule}, got {value!r}")


def parameters_of(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The keyword-only parameters of a callable (or class), in the order of its signature.

    Raises NameError for an annotation that does not resolve.
    """
    target = function.__init__ if inspect.isclass(function) else function
    hints = typing.get_type_hints(target, include_extras=True)
    parameters = {}
    for name, argument in inspect.signature(target).parameters.items():
        if argument.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        hint, span = hints.get(name, Any), None
        if typing.get_origin(hint) is Annotated:
            hint, *extras = typing.get_args(hint)
            span = next((extra for extra in extras if isinstance(extra, Int | Float | Choice)), None)
        is_union = typing.get_origin(hint) in (Union, types.UnionType)
        kinds = typing.get_args(hint) if is_union else (hint,)
        parameters[name] = Parameter(name, tuple(kinds), argument.default, span)
    return parameters


def ranges_of(function: Callable[..., Any]) -> dict[str, Range]:
    """The search space of a callable: every keyword-only parameter that declares a range."""
    return {name: p.range for name, p in parameters_of(function).items() if p.range is not None}


def checked_default(parameter: Parameter, owner: str) -> None:
    """Raise InputError unless the parameter has a default that rows can store."""
    name, default = parameter.name, parameter.default
    if default is inspect.Parameter.empty:
        raise InputError(f"{owner}: {name} needs a default, {name}: ... = 64")
    for value in default if isinstance(default, tuple) else (default,):
        if not isinstance(value, bool | int | float | str | None):
            raise InputError(
                f"{owner}: the default of {name} must be a number, text, true or false, None or a tuple of these, got "
                f"{default!r}"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{owner}: the default of {name} must be a finite number, got {value}")


def checked_ranges(ranges: Any, parameters: Mapping[str, Parameter], owner: str) -> dict[str, Range]:
    """`ranges` as a search space of the parameters; raises InputError naming owner, parameter, rule and value."""
    if not isinstance(ranges, Mapping):
        raise InputError(f'{owner}: a search space is a dict such as {{"hidden_size": Int(16, 256)}}, got {ranges!r}')
    for name, span in ranges.items():
        if name not in parameters:
            raise unknown("parameter", str(name), parameters, f"of {owner}")
        if not isinstance(span, Int | Float | Choice):
            raise InputError(f"{owner}: the range of {name} must be an Int, a Float or a Choice, got {span!r}")
        check_range(span, parameters[name], f"{owner}: the range of {name}")
    return dict(ranges)


def check_range(span: Range, parameter: Parameter, owner: str) -> None:
    """Raise InputError, beginning with `owner`, for a range that is empty or whose values the parameter cannot take."""
    if isinstance(span, Choice):
        if not span.options:
            raise InputError(f'{owner} is empty: give at least one value, Choice("a", "b")')
        for option in span.options:
            parameter.check(option, owner)
        return
    kind = (int,) if isinstance(span, Int) else (int, float)
    if not all(type(end) in kind and math.isfinite(end) for end in (span.low, span.high)):
        rule = "whole numbers" if isinstance(span, Int) else "finite numbers"
        raise InputError(f"{owner}: low and high must be {rule}, got {span.low!r} and {span.high!r}")
    if span.low > span.high:
        raise InputError(f"{owner} is empty: low must be <= high, got {span.low}:{span.high}")
    if span.log and span.low <= 0:
        raise InputError(f"{owner}: a log scale needs low > 0, got {span.low}")
    for end in (span.low, span.high):
        parameter.check(end, owner)
    if isinstance(span, Float) and not {float, Any}.intersection(parameter.types):
        raise InputError(f"{owner} is a Float, and {parameter.name} must be a whole number: use Int")
    if isinstance(span, Int):
        _check_step(span, owner)


def _check_step(span: Int, owner: str) -> None:
    if type(span.step) is not int or span.step < 1:
        raise InputError(f"{owner}: step must be a whole number >= 1, got {span.step!r}")
    if span.log and span.step > 1:
        raise InputError(f"{owner}: a log scale takes no step, got step {span.step}; leave out one of them")
    rest = (span.high - span.low) % span.step
    if rest:
        raise InputError(
            f"{owner}: steps of {span.step} from {span.low} do not meet {span.high}; the last one is {span.high - rest}"
        )


def resolve(function: Callable[..., Any], given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """All parameters of a callable: the given values, checked by type, over the defaults.

    Raises UnknownName for a parameter that the callable does not take, InputError for a wrong type.
    """
    known = parameters_of(function)
    for name in given:
        if name not in known:
            raise unknown("parameter", name, known, f"of {owner}")
    return {
        name: parameter.check(given[name], owner) if name in given else parameter.default
        for name, parameter in known.items()
    }


def scalar(text: str) -> Any:
    """Text from the command line as a whole number, a number, a truth value, or itself."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _type_text(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return "one of " + ", ".join(repr(option) for option in typing.get_args(kind))
    texts = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "none"}
    return texts.get(kind, str(kind))


def range_text(span: Range | None) -> str:
    """A range in words, for `zoo show`."""
    if span is None:
        return ""
    if isinstance(span, Choice):
        return "one of " + ", ".join(repr(option) for option in span.options)
    steps = f" in steps of {span.step}" if isinstance(span, Int) and span.step > 1 else ""
    return f"{span.low} to {span.high}{steps}" + (", on a log scale" if span.log else "")
