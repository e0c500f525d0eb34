"""Table: named columns of numbers in time order; the choice of some, and the policies for missing values."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from zoo.data.pieces import pieces
from zoo.data.spacing import stamp
from zoo.errors import InputError, unknown

LARGEST = 1e100  # of a value's size
POLICIES = ("refuse", "ffill", "mask", "interpolate", "drop", "skip")
LIMITED = re.compile(r"ffill:([1-9][0-9]{0,8})")  # fills so many values in a row at most


@dataclass(frozen=True)
class Table:
    """Rows in ascending time order.

    values: [rows, columns] float64 (of a .npy file float32 where that is on the disk), NaN where missing; time: one
    timestamp a row, or None where only the order of rows is known; series: the name of each row's series, which
    together hold ascending rows, and series_column, where it comes from, or None for one series; only: its name, where
    it is one of those that a source holds; categories: columns that name kinds, whose values are positions in these
    names; missing: the policy that its source declares (`refuse` unless a built-in says otherwise); unusable: columns
    that are not numbers, each with the reason; notes: what reading changed, for the user to read.
    """

    source: str
    columns: tuple[str, ...]
    values: np.ndarray
    time: pd.DatetimeIndex | None = None
    missing: str = "refuse"
    unusable: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    series: np.ndarray | None = None
    series_column: str | None = None
    only: str | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def numeric(self) -> tuple[str, ...]:
        """The columns of numbers."""
        return tuple(name for name in self.columns if name not in self.categories)

    def __repr__(self) -> str:
        span = f" from {stamp(self.time.min())} to {stamp(self.time.max())}" if self.time is not None else ""
        return f"Table({self.source}: {len(self):,} rows of {', '.join(self.columns)}{span})"

    def of_each_series(self) -> dict[str, "Table"]:
        """The rows of each series, by its name, in the order of the names; of one series itself, under no name."""
        if self.series is None:
            return {"": self}
        names, firsts = np.unique(self.series, return_index=True)
        tables = {}
        for name, first, end in zip(names, firsts, [*firsts[1:], len(self)], strict=True):
            time = self.time[first:end] if self.time is not None else None
            source = f"series '{name}' of {self.source}"
            values = self.values[first:end]
            tables[str(name)] = replace(self, source=source, values=values, time=time, series=None, notes=())
        return tables

    def select(self, names: Sequence[str]) -> np.ndarray:
        """The named columns [rows, len(names)]; raises InputError for one that holds text."""
        for name in names:
            if name in self.unusable:
                raise InputError(self.unusable[name])
        if tuple(names) == self.columns:
            return self.values
        return self.values[:, [self.columns.index(name) for name in names]]


def match_columns(names: Iterable[str], known: Sequence[str], source: str) -> tuple[str, ...]:
    """Each name as the source spells it: exactly, or without regard to case where that is unambiguous.

    Raises UnknownName for a column that the source does not have, InputError for an ambiguous or a repeated one.
    """
    matched: list[str] = []
    for name in names:
        alike = [name] if name in known else [k for k in known if k.casefold() == name.strip().casefold()]
        if len(alike) > 1:
            raise InputError(f"column '{name}' is ambiguous in {source}: spell it as one of {', '.join(alike)}")
        if not alike:
            raise unknown("column", name, known, f"of {source}")
        if alike[0] in matched:
            raise InputError(f"column '{alike[0]}' is named twice; name each column once")
        matched.append(alike[0])
    return tuple(matched)


def class_values(values: np.ndarray) -> tuple[float, float] | None:
    """The two whole numbers that a column holds, where it holds no others: then it looks like a class."""
    distinct = np.empty(0)
    for piece in pieces(len(values)):
        distinct = np.union1d(distinct, values[piece][np.isfinite(values[piece])])
        if len(distinct) > 2:
            return None
    is_class = len(distinct) == 2 and bool((distinct == np.floor(distinct)).all())
    return (float(distinct[0]), float(distinct[1])) if is_class else None


def fingerprint(values: np.ndarray, is_filled: np.ndarray) -> str:
    """SHA-256 over values as little-endian float64 in row order, and their shape.

    is_filled: bool [rows], the rows whose targets are not measured; where there are some, they count too.
    """
    digest = hashlib.sha256(repr(values.shape).encode())
    for piece in pieces(len(values)):
        digest.update(np.ascontiguousarray(values[piece], dtype="<f8").tobytes())
    if is_filled.any():
        digest.update(np.packbits(is_filled).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Cleaned:
    """Rows without missing values: values and is_filled (not measured, but filled in) are [rows, columns]; is_used:
    which of the table's rows they are; notes: what was changed."""

    values: np.ndarray
    is_filled: np.ndarray
    is_used: np.ndarray
    notes: tuple[str, ...] = ()


def clean(values: np.ndarray, columns: tuple[str, ...], policy: str, source: str) -> Cleaned:
    """Values [rows, columns] without NaN.

    refuse: raise InputError with columns and counts. ffill: repeat the last known value; ffill:3 does so three times in
    a row at most, and raises InputError for a longer gap. mask: the same, and
    zoo.prepare adds channels that mark the repeated values. interpolate: draw a straight line across the gap (so a
    forecast from inside a gap has seen the value behind it), and repeat the last known value at the end. drop: leave
    out incomplete rows. skip: no window holds a gap (zoo.prepare sees to that); until then it is filled. Rows before
    every column has begun cannot be filled and are left out. Raises InputError for infinite values under every policy.
    """
    check_policy(policy)
    counts, too_large, infinite = _unusable_counts(values)
    if infinite.any():
        raise InputError(f"infinite values in {source}: {_counts(columns, infinite)}; correct or remove them")
    if too_large.any():
        raise InputError(
            f"values beyond {LARGEST:g} in {source}: {_counts(columns, too_large)}; their squares overflow: divide the "
            "column, or leave it out with --channels"
        )
    if not counts.any():
        return Cleaned(values, np.broadcast_to(False, values.shape), np.broadcast_to(True, len(values)))
    values = np.asarray(values, dtype=np.float64)
    gaps = np.isnan(values)
    if policy == "refuse":
        raise InputError(
            f"missing values in {source}: {_counts(columns, counts)}; "
            "choose --missing ffill, mask, interpolate, drop or skip, or leave columns out with --channels"
        )
    if counts.max() == len(values):
        raise InputError(f"column '{columns[int(counts.argmax())]}' of {source} is empty: drop it with --channels")
    if policy == "drop":
        is_complete = ~gaps.any(axis=1)
        dropped = int((~is_complete).sum())
        note = f"missing values ({_counts(columns, counts)}): {dropped} rows dropped, steps join across them"
        return Cleaned(values[is_complete], gaps[is_complete], is_complete, (note,))
    frame = pd.DataFrame(values)
    if policy == "skip":
        note = f"missing values ({_counts(columns, counts)}): windows that hold one are left out"
        return Cleaned(frame.ffill().bfill().to_numpy(), gaps, np.ones(len(values), dtype=bool), (note,))
    if limited := LIMITED.fullmatch(policy):
        _check_gaps(gaps, columns, int(limited[1]), source)
    filled = (frame.interpolate(limit_direction="forward") if policy == "interpolate" else frame.ffill()).to_numpy()
    is_complete = ~np.isnan(filled).any(axis=1)
    notes = [f"missing values ({_counts(columns, counts)}): filled by {policy}"]
    if policy == "interpolate":
        notes.append("interpolation uses the value behind a gap: forecasts from inside a gap have seen it")
    if not is_complete.all():
        notes.append(f"{int((~is_complete).sum())} rows at the start have no earlier value to repeat: left out")
    return Cleaned(filled[is_complete], gaps[is_complete], is_complete, tuple(notes))


def check_policy(policy: str) -> str:
    """The policy; raises InputError for one that there is not."""
    if policy not in POLICIES and not LIMITED.fullmatch(policy):
        raise unknown("missing policy", policy, (*POLICIES, "ffill:3"))
    return policy


def _check_gaps(gaps: np.ndarray, columns: tuple[str, ...], limit: int, source: str) -> None:
    """Raise InputError for more missing values in a row than the limit; those before a column begins are no gap."""
    for name, is_gap in zip(columns, gaps.T, strict=True):
        known = np.append(np.flatnonzero(~is_gap), len(is_gap))
        lengths = np.diff(known) - 1
        if len(lengths) and lengths.max() > limit:
            row = known[int(lengths.argmax())] + 1
            raise InputError(
                f"'{name}' of {source} misses {lengths.max()} values in a row from row {row + 1} on, and ffill:{limit} "
                f"fills {limit}: choose --missing skip, which leaves out such windows, or a larger limit"
            )


def _unusable_counts(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many values of each column are missing, too large, and infinite."""
    counts = np.zeros((3, values.shape[1]), dtype=np.int64)
    for piece in pieces(len(values)):
        sizes = np.abs(values[piece], dtype=np.float64)
        counts += [(np.isnan(sizes)).sum(axis=0), (sizes > LARGEST).sum(axis=0), np.isinf(sizes).sum(axis=0)]
    return counts[0], counts[1], counts[2]


def _counts(columns: tuple[str, ...], counts: np.ndarray) -> str:
    return ", ".join(f"{name} {count}" for name, count in zip(columns, counts, strict=True) if count)
