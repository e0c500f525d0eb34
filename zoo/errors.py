"""Errors that the caller can correct: a rule, the value that broke it, and the way out."""

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

DIRECTIONS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # they reorder the text around them


def plain(text: str) -> str:
    """Text in one line that leaves a terminal alone: no control or direction signs, no halves of characters, and
    single spaces."""
    spaced = "".join(" " if sign.isspace() else sign for sign in text)
    kept = (sign for sign in spaced if sign not in DIRECTIONS and unicodedata.category(sign) not in ("Cc", "Cs"))
    return " ".join("".join(kept).split())


class InputError(ValueError):
    """The request or the input is wrong; the message is one plain line that a user can act on."""

    def __init__(self, message: str) -> None:
        super().__init__(plain(message))


class Unsuitable(InputError):
    """A variant that cannot do the task of a problem."""


class Diverged(ArithmeticError):
    """A model's losses or forecasts are no longer finite numbers."""


class PluginWarning(UserWarning):
    """An installed plugin could not be loaded, and was skipped."""


class TrackingWarning(UserWarning):
    """A tracker failed, and got nothing more; what was measured is safe."""


class UnknownName(InputError, LookupError):
    """A name that is not among the known ones."""


def expect(name: str, value: object, kinds: type | tuple[type | None, ...], described: str) -> None:
    """Raise InputError unless an argument is of one of the kinds (None for None); described: what it must be."""
    listed: tuple[type | None, ...] = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, tuple(type(None) if kind is None else kind for kind in listed)):
        shown = f" {plain(value)[:40]!r}" if isinstance(value, str) else ""
        raise InputError(f"{name} must be {described}, got {type(value).__name__}{shown}")


def expect_names(name: str, value: object) -> None:
    """Raise InputError unless an argument is a list of names, or None."""
    listed = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [None]
    if value is not None and not all(isinstance(each, str) for each in listed):
        shown = f"[{value!r}]" if isinstance(value, str) else '["close"]'
        raise InputError(f"{name} must be a list of names, {shown}, got {type(value).__name__}")


def first_line(error: BaseException) -> str:
    """The first line of an error's message, at most 200 characters, or its type where it has none."""
    return plain((str(error).strip() or type(error).__name__).splitlines()[0])[:200]


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
