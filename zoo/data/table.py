"""Table: named columns of numbers in time order, and the choice of some of them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from zoo.errors import InputError, unknown


@dataclass(frozen=True)
class Table:
    """Rows in ascending time order.

    values: [rows, columns] float64, NaN where missing; time: one timestamp a row, or None when row order
    is all that is known; missing: the policy its source declares (`refuse` unless a built-in says
    otherwise); unusable: columns that are not numbers, each with the reason; notes: what reading changed,
    for the user's eyes.
    """

    source: str
    columns: tuple[str, ...]
    values: np.ndarray
    time: pd.DatetimeIndex | None = None
    missing: str = "refuse"
    unusable: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def select(self, names: Sequence[str]) -> np.ndarray:
        """The named columns as float64 [rows, len(names)]; raises InputError for one that holds text."""
        for name in names:
            if name in self.unusable:
                raise InputError(self.unusable[name])
        if tuple(names) == self.columns:
            return self.values
        return self.values[:, [self.columns.index(name) for name in names]]


def match_columns(names: Iterable[str], known: Sequence[str], source: str) -> tuple[str, ...]:
    """Each name as the source spells it: exactly, or without regard to case where that is unambiguous.

    Raises UnknownName for a column that is not there, InputError for an ambiguous or a repeated one.
    """
    found: list[str] = []
    for name in names:
        alike = [name] if name in known else [k for k in known if k.casefold() == name.strip().casefold()]
        if len(alike) > 1:
            raise InputError(f"column '{name}' is ambiguous in {source}: spell it as one of {', '.join(alike)}")
        if not alike:
            raise unknown("column", name, known, f"of {source}")
        if alike[0] in found:
            raise InputError(f"column '{alike[0]}' is named twice; name each column once")
        found.append(alike[0])
    return tuple(found)


def fingerprint(values: np.ndarray) -> str:
    """SHA-256 over the values used, as little-endian float64 in row order, and their shape."""
    digest = hashlib.sha256(repr(values.shape).encode())
    digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return digest.hexdigest()
