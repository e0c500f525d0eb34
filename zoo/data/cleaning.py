"""What is done about missing values; infinities are refused always."""

from typing import Literal

import numpy as np
import pandas as pd

from zoo.errors import InputError, unknown

Missing = Literal["refuse", "ffill", "interpolate", "drop"]
POLICIES: tuple[Missing, ...] = ("refuse", "ffill", "interpolate", "drop")


def clean(
    values: np.ndarray, columns: tuple[str, ...], policy: str, source: str
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Values [rows, columns] without NaN, which rows were kept (bool [rows]), and notes on what was done.

    refuse: raise InputError with columns and counts. ffill: repeat the last known value. interpolate:
    a straight line across the gap (it sees the value behind the gap, so a forecast made inside a gap
    knows its end); after the last known value, that value. drop: leave out incomplete rows. Rows before
    every column has begun cannot be filled and are left out.
    """
    if policy not in POLICIES:
        raise unknown("missing policy", policy, POLICIES)
    infinite = np.isinf(values).sum(axis=0)
    if infinite.any():
        raise InputError(f"infinite values in {source}: {_counts(columns, infinite)}; correct or remove them")
    gaps = np.isnan(values)
    if not gaps.any():
        return values, np.ones(len(values), dtype=bool), ()
    counts = gaps.sum(axis=0)
    if policy == "refuse":
        raise InputError(
            f"missing values in {source}: {_counts(columns, counts)}; "
            "choose --missing ffill, interpolate or drop, or leave columns out with --channels"
        )
    if counts.max() == len(values):
        raise InputError(f"column '{columns[int(counts.argmax())]}' of {source} holds no value at all: leave it out")
    if policy == "drop":
        kept = ~gaps.any(axis=1)
        note = f"missing values ({_counts(columns, counts)}): {int((~kept).sum())} rows dropped, steps join across them"
        return values[kept], kept, (note,)
    frame = pd.DataFrame(values)
    filled = (frame.interpolate(limit_direction="forward") if policy == "interpolate" else frame.ffill()).to_numpy()
    kept = ~np.isnan(filled).any(axis=1)
    notes = [f"missing values ({_counts(columns, counts)}): filled by {policy}"]
    if policy == "interpolate":
        notes.append("interpolation sees the value behind a gap: forecasts made inside a gap know its end")
    if not kept.all():
        notes.append(f"{int((~kept).sum())} rows at the start have nothing to fill them from: left out")
    return filled[kept], kept, tuple(notes)


def _counts(columns: tuple[str, ...], counts: np.ndarray) -> str:
    return ", ".join(f"{name} {count}" for name, count in zip(columns, counts, strict=True) if count)
