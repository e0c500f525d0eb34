"""Records: frozen values that are checked whenever they are read from a file."""

import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json, to_json

from zoo.errors import InputError, nearest

Scalar = bool | int | float | str | None
Setting = Scalar | tuple[Scalar, ...]  # the value of a hyperparameter
R = TypeVar("R", bound=BaseModel)


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
    first = error.errors(include_url=False)[0]
    # Where a value may have several types, pydantic adds the type it tried to the place.
    tried = ("int", "float", "str", "bool", "date")
    place = [str(part) for part in first["loc"] if part not in tried and "[" not in str(part)]
    field = ".".join(place) or "the whole"
    if first["type"] == "extra_forbidden":
        known = _fields_beside(kind, first["loc"])
        guess = nearest(str(first["loc"][-1]), known)
        hint = f"; did you mean '{guess}'?" if guess else ""
        return f"unknown key '{field}'{hint} (known: {', '.join(known)})"
    if first["type"] == "missing":
        return f"key '{field}' is missing"
    if first["type"] == "value_error":  # the rule of a validator of ours, which names its fields
        return first["msg"].removeprefix("Value error, ")
    shown = repr(first["input"])
    return f"{field}: {first['msg'][:1].lower()}{first['msg'][1:]}, got {shown[:60]}{'...' * (len(shown) > 60)}"


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
