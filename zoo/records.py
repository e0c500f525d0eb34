"""Records: frozen values that are checked whenever they are read from a file."""

import gc
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from zoo.errors import InputError, nearest

Scalar = bool | int | float | str | None
Setting = Scalar | tuple[Scalar, ...]  # the value of a hyperparameter
R = TypeVar("R", bound=BaseModel)
TYPES = ("int", "float", "str", "bool", "date", "constrained-int", "constrained-float")
RULES = {  # by pydantic's type of error, what a value must be
    "greater_than_equal": ">= {ge}",
    "greater_than": "> {gt}",
    "less_than_equal": "<= {le}",
    "less_than": "< {lt}",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "date_type": "a date",
    "literal_error": "{expected}",
    "none_required": "null",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table of values",
    "model_type": "a table of values",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "string_pattern_mismatch": "text of the pattern {pattern}",
}


@contextmanager
def without_collection() -> Iterator[None]:
    """Inside, Python does not look for cycles: it would walk through a growing list of records again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _one_word(name: str) -> str:
    if len(name) > 100 or not re.fullmatch(r"\w([\w.-]*\w)?", name):
        shown = repr(name[:60]) + "..." * (len(name) > 60)
        raise ValueError(f"name must be one word of letters, digits, _, - and ., such as sp500-daily, got {shown}")
    return name


Word = Annotated[str, AfterValidator(_one_word)]  # it names a folder


class Record(BaseModel):
    """A frozen value: an unknown field, a wrong type, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def parse_json(text: bytes | str) -> Any:
    """The value of a JSON text; raises ValueError for anything else, NaN and very deep nesting included."""
    return from_json(text, allow_inf_nan=False)


def record_from(kind: type[R], content: Any) -> R:
    """The record that JSON values describe; raises ValidationError."""
    return kind.model_validate_json(to_json(content))


def reason(error: ValidationError, kind: type[BaseModel]) -> str:
    """What is wrong, in one clause: the field, the rule and the value; an unknown field comes with the nearest one."""
    errors = error.errors(include_url=False)
    of_field = [each for each in errors if _place(each)[: len(_place(errors[0]))] == _place(errors[0])]
    first = max(of_field, key=lambda each: len(_place(each)))  # of a list with a wrong entry: the entry
    field = ".".join(_place(first)) or "the whole"
    if first["type"] == "extra_forbidden":
        names = _fields_beside(kind, first["loc"])
        guess = nearest(str(first["loc"][-1]), names)
        hint = f"; did you mean '{guess}'?" if guess else ""
        return f"unknown key '{field}'{hint} (known: {', '.join(names)})"
    if first["type"] == "missing":
        return f"key '{field}' is missing"
    if first["type"] == "value_error":  # the rule of a validator of ours, which names its fields
        return first["msg"].removeprefix("Value error, ")
    # A field of several types has one error for each of them.
    rules = list(dict.fromkeys(_rule(each) for each in of_field if _place(each) == _place(first)))
    rule = " or ".join(filter(None, (", ".join(rules[:-1]), rules[-1])))
    shown = repr(first["input"])
    return f"{field} must be {rule}, got {shown[:60]}{'...' * (len(shown) > 60)}"


def _place(error: ErrorDetails) -> list[str]:
    """The path of a field, without the names of types that pydantic adds where a value may have several."""
    return [str(part) for part in error["loc"] if part not in TYPES and "[" not in str(part)]


def _rule(error: ErrorDetails) -> str:
    """What a value must be."""
    if error["type"] in RULES:
        limits = {name: str(value).removesuffix(".0") for name, value in error.get("ctx", {}).items()}
        return RULES[error["type"]].format(**limits)
    message = error["msg"][:1].lower() + error["msg"][1:]
    return message.removeprefix("input should be ") if message.startswith("input should be ") else f"valid ({message})"


def checked(kind: type[R], settings: Mapping[str, Any], where: str) -> R:
    """Settings from Python values as a record; raises InputError that begins with `where`."""
    try:
        return kind.model_validate(dict(settings))
    except ValidationError as error:
        raise InputError(f"{where}: {reason(error, kind)}") from error


def _fields_beside(kind: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    for part in location[:-1]:
        field = kind.model_fields.get(str(part))  # a place in a list has none: the kind of its items is known already
        inner = field.annotation if field is not None else None
        kinds = [inner, *typing.get_args(inner)]
        kind = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), kind)
    return list(kind.model_fields)
