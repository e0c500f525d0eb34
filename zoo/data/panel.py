"""Panels: the series of one table, prepared one by one, become windows that one model learns from."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from zoo.data.dataset import Data, Panel, Samples, Unusable
from zoo.data.one_series import one_series
from zoo.data.outliers import joined_outliers
from zoo.data.request import Request
from zoo.data.scaling import Scaler, Units
from zoo.data.split import Split
from zoo.data.table import Table
from zoo.data.windows import Windows
from zoo.errors import InputError

MOST_NAMES = 5  # in a note


def prepare_panel(table: Table, request: Request) -> Data:
    """The windows of all series of a table, each of one series alone: in its split, its scaler and its units.

    Series are in the order of their names, and so are the windows of a part. A series that is too short, or whose
    target is constant, is left out, with a note. Raises InputError where none is left.
    """
    if request.adaptive:
        raise InputError("adaptive quantiles follow one series: leave out adaptive, or choose one series")
    usable: dict[str, Data] = {}
    left_out: dict[str, Unusable] = {}
    for name, series in table.of_each_series().items():
        try:
            usable[name] = one_series(series, request, drops_constant=False)
        except Unusable as error:
            left_out[name] = error
    if not usable:
        raise InputError(f"no series of {table.source} can be used; the first: {next(iter(left_out.values()))}")
    return _joined(table, list(usable), list(usable.values()), left_out, request.split)


def _joined(
    table: Table, names: list[str], every: list[Data], left_out: dict[str, Unusable], split: Sequence[Any]
) -> Data:
    first = every[0]
    rows = [len(each.test.values) for each in every]
    offsets = np.concatenate([[0], np.cumsum(rows)[:-1]])
    tests = [_windows(each.test) for each in every]
    values = torch.cat([each.values for each in tests])
    raw = np.concatenate([each.raw for each in tests])
    cleaned = [each.inputs for each in tests if each.inputs is not None]
    inputs = torch.cat(cleaned) if cleaned else None
    limited = [each.limits for each in tests if each.limits is not None]
    limits = torch.cat(limited) if limited else None
    filled = [each.is_filled if each.is_filled is not None else np.zeros(len(each.values), bool) for each in tests]
    is_filled = np.concatenate(filled) if any(part.any() for part in filled) else None

    def part(windows: Sequence[Windows]) -> Windows:
        starts = torch.cat([each.starts.long() + int(offset) for each, offset in zip(windows, offsets, strict=True)])
        units = _units([each.units for each in windows], [len(each) for each in windows])
        own = replace(windows[0], starts=starts, units=units)
        return replace(own, values=values, raw=raw, is_filled=is_filled, inputs=inputs, limits=limits)

    valid = [_windows(each.valid) for each in every if each.valid is not None]
    digest = hashlib.sha256()
    for name, each in zip(names, every, strict=True):
        digest.update(f"{name}\0{each.fingerprint}\n".encode())
    time = None
    if first.time is not None:
        parts = [each.time[:count] for each, count in zip(every, rows, strict=True) if each.time is not None]
        time = parts[0].append(parts[1:])
    return replace(
        first,
        train=part([_windows(each.train) for each in every]),
        valid=part(valid) if len(valid) == len(every) else None,
        test=part(tests),
        scaler=_joined_scaler([each.scaler for each in every]) or first.scaler,
        known_scaler=_joined_scaler([each.known_scaler for each in every]),
        outliers=joined_outliers([each.outliers for each in every]),
        split=_sum([each.split for each in every]),
        whole=_sum([each.whole for each in every]),
        source=table.source,
        fingerprint=digest.hexdigest(),
        time=time,
        notes=(*table.notes, *_notes(names, every, left_out)),
        panel=Panel(
            column=str(table.series_column),
            names=tuple(names),
            rows=tuple(rows),
            split=tuple(str(part) if hasattr(part, "isoformat") else part for part in split),
            of_test=np.repeat(np.arange(len(every)), [len(each.test) for each in every]),
        ),
    )


def _windows(part: Samples) -> Windows:
    assert isinstance(part, Windows)  # a series is no case
    return part


def _units(units: list[Units], counts: list[int]) -> Units:
    """Units for each window, [n, 1, D]."""

    def repeated(name: str) -> np.ndarray:
        return np.repeat(np.stack([getattr(each, name) for each in units]), counts, axis=0)[:, None]

    parts = {name: repeated(name) for name in ("center", "scale", "deviation", "step")}
    return Units(units[0].names, **parts, scaler=units[0].scaler)


def _joined_scaler(scalers: list[Scaler | None]) -> Scaler | None:
    """The scalers of all series as one, whose center and scale are [series, columns]; None where they have none."""
    own = [each for each in scalers if each is not None]
    if not own:
        return None
    return Scaler(own[0].name, np.stack([each.center for each in own]), np.stack([each.scale for each in own]))


def _sum(splits: list[Split]) -> Split:
    return Split(
        *(sum(getattr(each, name) for each in splits) for name in ("train_end", "valid_end", "test_end", "train_start"))
    )


def _notes(names: list[str], every: list[Data], left_out: dict[str, Unusable]) -> list[str]:
    counts = [each.rows for each in every]
    notes = [f"{len(names)} series of {min(counts)} to {max(counts)} rows"]
    if left_out:
        shown = ", ".join(list(left_out)[:MOST_NAMES]) + (", ..." if len(left_out) > MOST_NAMES else "")
        notes.append(f"{len(left_out)} series left out ({shown}); the first: {next(iter(left_out.values()))}")
    noted = [(name, note) for name, each in zip(names, every, strict=True) for note in each.notes]
    if noted:
        series = len({name for name, _ in noted})
        notes.append(f"notes on {series} of the series, the first on '{noted[0][0]}': {noted[0][1]}")
    return notes
