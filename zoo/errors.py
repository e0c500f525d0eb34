"""Errors that the caller can correct: a rule, the value that broke it, and the way out."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """The request or the input is wrong; the message is one line that a user can act on."""


class Diverged(ArithmeticError):
    """A model's losses or forecasts are no longer finite numbers."""


class UnknownName(InputError, LookupError):
    """A name that is not among the known ones."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, at most 200 characters, or its type where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def message_of(error: BaseException) -> str:
    """The first line of an error's message, with its type where the message alone says little: KeyError: 'x'."""
    is_clear = isinstance(error, ValueError | TypeError | RuntimeError | ArithmeticError) and str(error).strip()
    return first_line(error) if is_clear else f"{type(error).__name__}: {first_line(error)}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name` (case ignored), or None when nothing comes close."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> UnknownName:
    """The error for an unknown name: it suggests the nearest known one and lists them all."""
    names = list(known)
    guess = nearest(name, names)
    hint = f"; did you mean '{guess}'?" if guess else ""
    listed = ", ".join(names) if names else "none"
    return UnknownName(f"unknown {kind} '{name}'{' ' * bool(where)}{where}{hint} (known: {listed})")
