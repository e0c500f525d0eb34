"""prepare: a Table becomes windows of train, validation and test, with a scaler fitted on the train rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from zoo.data.calendar import calendar_channels, check_calendar
from zoo.data.scaling import Scaler, Units, fit_scaler, fit_units
from zoo.data.split import Fold, Split, split_of_fold, split_rows
from zoo.data.table import Table, class_values, clean, fingerprint, match_columns
from zoo.data.windows import Windows
from zoo.errors import InputError, expect, expect_names, unknown
from zoo.problem import NORMALISE, Normalise, Problem

WHOLE = Fold()  # the test part in one piece
FLAT = 1e-100  # the range of a column that is constant: to divide by less overflows


class Unusable(InputError):
    """A series from which nothing can be learned."""


@dataclass(frozen=True)
class Panel:
    """Several series.

    column: what tells them apart; names, rows: of each series, as they follow each other in the windows' values;
    split: as it was given, since each series has its own boundaries; of_test: int [n], the number of each test
    window's series.
    """

    column: str
    names: tuple[str, ...]
    rows: tuple[int, ...]
    split: tuple[Any, ...]
    of_test: np.ndarray


@dataclass(frozen=True)
class Data:
    """What a model is trained and judged on.

    channels, targets: column names; rows: rows used (those of all three parts); fingerprint: SHA-256 of the channel
    values in those rows, and of which targets were filled; time: their timestamps, if known; calendar: periods whose
    positions are further channels, after `channels`; masked: channels whose gaps are marked by further ones, after
    these; panel: what else is known of several series; the counts of rows are then sums over them; split, whole: row
    boundaries of this fold, and before the test part was cut into folds; missing: the policy applied; valid is None
    where the split leaves no validation part; test is empty where it leaves no test part.
    """

    problem: Problem
    train: Windows
    valid: Windows | None
    test: Windows
    scaler: Scaler
    split: Split
    source: str
    channels: tuple[str, ...]
    targets: tuple[str, ...]
    fingerprint: str
    missing: str
    time: pd.DatetimeIndex | None
    notes: tuple[str, ...]
    whole: Split
    fold: Fold = WHOLE
    panel: Panel | None = None
    calendar: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()

    @property
    def time_of_first(self) -> pd.DatetimeIndex | None:
        """The times of the first series, or of the only one."""
        return self.time[: self.panel.rows[0]] if self.panel is not None and self.time is not None else self.time

    @property
    def rows(self) -> int:
        """Rows used by all folds."""
        return self.whole.test_end

    def with_lookback(self, lookback: int) -> "Data":
        """The same data seen through windows of another length; of several series it raises InputError.

        The target rows of validation and test stay. A longer lookback uses up the train part's first rows, which are
        then no targets. Raises InputError where the train part is too short.
        """
        _check_count("lookback", lookback)
        if self.panel is not None:
            raise InputError("the lookback of several series cannot be changed here: prepare them again")
        _check_parts(self.split, lookback, self.problem.horizon, self.split.test_end)
        problem = replace(self.problem, lookback=lookback)
        old = self.train
        train, valid, test = _parts(problem, self.split, old.values, old.raw, old.units, old.is_filled)
        return replace(self, problem=problem, train=train, valid=valid, test=test)

    def without_test(self) -> "Data":
        """Training and validation alone: the rows of the test part are gone, not hidden."""
        end = self.split.valid_end
        bounds = replace(self.split, test_end=end)
        old = self.train
        is_filled = None if old.is_filled is None else old.is_filled[:end].copy()
        values, raw = old.values[:end].clone(), old.raw[:end].copy()
        train, valid, test = _parts(self.problem, bounds, values, raw, old.units, is_filled)
        time = self.time[:end] if self.time is not None else None
        whole = replace(self.whole, test_end=end)
        return replace(self, train=train, valid=valid, test=test, split=bounds, whole=whole, time=time)


def prepare(
    table: Table | str | Path | pd.DataFrame,
    *,
    targets: str | Sequence[str],
    channels: Sequence[str] | None = None,
    lookback: int = 7,
    horizon: int = 1,
    split: Sequence[Any] = (0.7, 0.1, 0.2),
    scaler: str = "standard",
    normalise: Normalise = "last",
    missing: str | None = None,
    quantiles: Sequence[float] = (),
    conformal: bool = False,
    direction: bool = False,
    calendar: Sequence[str] = (),
    fold: Fold = WHOLE,
) -> Data:
    """Windows of the three parts of a table, or of what zoo.load takes, ready to fit and to evaluate.

    channels: the model's inputs (default: every numeric column); targets must be among them. Those that are constant
    over the training rows are left out. A window belongs to the part in which all its target rows lie, and to none
    where one of them was filled. scaler, split: see fit_scaler and split_rows; missing: see clean (default: what the
    source declares, else refuse). quantiles: levels to forecast in place of the point, such as (0.1, 0.5, 0.9);
    conformal: calibrate them on the validation part; direction: forecast the probability that the target rises above
    its last value; calendar: periods (hour, weekday, ...) whose position is known in advance and becomes further
    channels, see zoo.data.calendar. fold: cut the test part into blocks, and take one of them as the test part, see
    split_of_fold; channels that are constant, and the units of scaled errors, are those of the first block's train
    part.

    A table of several series gives windows of each of them, none of which crosses from one to another; each series has
    its own split, scaler and units.

    Raises InputError for a setting or values that cannot be used.
    """
    if not isinstance(table, Table):
        from zoo.data.sources import load

        expect("table", table, (str, Path, pd.DataFrame), "what zoo.load returns, or what it takes")
        table = load(table)
    targets = [targets] if isinstance(targets, str) else targets
    expect_names("targets", targets)
    expect_names("channels", channels)
    for name, value in (("scaler", scaler), ("normalise", normalise)):
        expect(name, value, str, "text")
    expect("missing", missing, (str, None), "text")
    expect("split", split, (list, tuple), "three shares, three row counts, or two dates, such as (0.7, 0.1, 0.2)")
    _check_count("lookback", lookback)
    _check_count("horizon", horizon)
    if normalise not in NORMALISE:
        raise unknown("normalise", normalise, NORMALISE)
    expect("direction", direction, bool, "True or False")
    expect_names("calendar", list(calendar) or None)
    check_calendar(calendar, lookback, horizon)
    levels = _checked_levels(quantiles, conformal)
    if levels and direction:
        raise InputError("a task forecasts quantiles or directions, not both: leave one of them out")

    def one(series: Table, *, is_whole: bool = False) -> Data:
        return _one_series(
            series, targets, channels, lookback, horizon, split, scaler, normalise, missing, levels, conformal,
            direction, tuple(calendar), fold, drops_constant=is_whole,
        )  # fmt: skip

    if table.series is not None:
        from zoo.data.panel import prepare_panel

        return prepare_panel(table, split, one)
    return one(table, is_whole=True)


def _one_series(
    table: Table,
    targets: Sequence[str],
    channels: Sequence[str] | None,
    lookback: int,
    horizon: int,
    split: Sequence[Any],
    scaler: str,
    normalise: Normalise,
    missing: str | None,
    levels: tuple[float, ...],
    conformal: bool,
    direction: bool,
    calendar: tuple[str, ...],
    fold: Fold,
    *,
    drops_constant: bool,
) -> Data:
    """The windows of a table of one series; drops_constant: leave out channels that are constant over training rows."""
    chosen, target_names = choose_columns(table, channels, targets)
    positions = tuple(chosen.index(name) for name in target_names)
    policy = table.missing if missing is None else missing
    cleaned = clean(table.select(chosen), chosen, policy, table.source)
    time = table.time[cleaned.is_used] if table.time is not None else None
    whole = split_rows(split, len(cleaned.values), time)
    bounds = split_of_fold(whole, fold)
    every, is_every_filled = cleaned.values[: whole.test_end], cleaned.is_filled[: whole.test_end, list(positions)]
    values, is_filled = every[: bounds.test_end], np.any(is_every_filled[: bounds.test_end], axis=1)
    _check_folds(whole, fold, horizon)
    _check_parts(bounds, lookback, horizon, len(values))
    train_values, first_values = values[: bounds.train_end], values[: whole.train_end]
    constant = [name for name, column in zip(chosen, first_values.T, strict=True) if np.ptp(column) <= FLAT]
    for name, position in zip(target_names, positions, strict=True):
        if name in constant:
            raise Unusable(
                f"target '{name}' of {table.source} is constant ({first_values[0, position]:g}) over the "
                f"{whole.train_end} training rows: nothing to learn; choose another target or split"
            )
    if constant and drops_constant:  # without them other rows may be complete, so all begins again
        varying = [name for name in chosen if name not in constant]
        data = _one_series(
            table, target_names, varying, lookback, horizon, split, scaler, normalise, missing, levels, conformal,
            direction, calendar, fold, drops_constant=True,
        )  # fmt: skip
        note = f"constant over the training rows, so no model sees them: {', '.join(constant)}"
        return replace(data, notes=(*data.notes, note))
    fitted = fit_scaler(scaler, train_values)
    units = fit_units(target_names, positions, fitted, first_values)
    scaled = torch.from_numpy(np.ascontiguousarray(fitted.transform(values), dtype=np.float32))

    if conformal and bounds.valid_end == bounds.train_end:
        raise InputError("conformal quantiles are calibrated on the validation part, and the split leaves it empty")
    problem = Problem(lookback, len(chosen), positions, (horizon, len(positions)), normalise)
    further = [calendar_channels(time, calendar, horizon, table.source)[: len(scaled)]] if calendar else []
    masked = (
        _masked(chosen, cleaned.is_filled[: whole.train_end], everywhere=not drops_constant) if policy == "mask" else ()
    )
    if masked:
        further.append(cleaned.is_filled[: len(scaled), [chosen.index(name) for name in masked]])
    if further:
        plain = torch.from_numpy(np.concatenate(further, axis=1).astype(np.float32))
        scaled = torch.cat([scaled, plain], dim=1)
        problem = replace(problem, channels=scaled.shape[1], plain=tuple(range(len(chosen), scaled.shape[1])))
    if levels:
        shape = (*problem.output_shape, len(levels))
        problem = replace(problem, task="quantile", quantiles=levels, is_conformal=conformal, output_shape=shape)
    if direction:
        problem = replace(problem, task="direction")
    train, valid, test = _parts(problem, bounds, scaled, values, units, is_filled if is_filled.any() else None)
    _check_directions(train, target_names)
    return Data(
        problem=problem,
        train=train,
        valid=valid,
        test=test,
        scaler=fitted,
        split=bounds,
        source=table.source,
        channels=chosen,
        targets=target_names,
        fingerprint=fingerprint(every, np.any(is_every_filled, axis=1)),
        missing=policy,
        time=time[: whole.test_end] if time is not None else None,
        notes=(
            *table.notes,
            *cleaned.notes,
            *_classes(target_names, train_values[:, list(positions)]),
            *_left_out(bounds, (train, valid, test)),
        ),
        whole=whole,
        fold=fold,
        calendar=calendar,
        masked=masked,
    )


def choose_columns(
    table: Table, channels: Sequence[str] | None, targets: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The channel and target names as the table spells them; targets must be among the channels."""
    if not targets:
        raise InputError(f"name at least one target column of {table.source} ({', '.join(table.columns)})")
    known = [*table.columns, *(name for name in table.unusable if name not in table.columns)]
    chosen = match_columns(channels, known, table.source) if channels else table.columns
    named = match_columns(targets, known, table.source)
    for name in named:
        problem = table.unusable.get(name, "")
        if name not in table.columns and "holds text" in problem:
            raise InputError(
                f"{problem.split(';')[0]}; a text label is a class, and zoo forecasts numbers: name a numeric target "
                f"({', '.join(table.columns)}), or write the label as a number"
            )
    table.select(named)
    for name in named:
        if name not in chosen:
            raise InputError(
                f"target '{name}' must be among the channels ({', '.join(chosen)}): a forecast starts from its "
                "last value; add it to --channels"
            )
    return chosen, named


def _parts(
    problem: Problem, bounds: Split, values: Tensor, raw: np.ndarray, units: Units, is_filled: np.ndarray | None
) -> tuple[Windows, Windows | None, Windows]:
    """The windows of train, validation (None where it is empty) and test; raises InputError where every window of a
    part that has rows is left out."""
    none = torch.empty(0, dtype=torch.int64)
    is_direction = problem.task == "direction"
    shape = (problem.lookback, problem.horizon, problem.targets)
    table = Windows(values, none, *shape, raw, units, is_filled, is_direction)
    parts = [table.between(first, end) for _, first, end in bounds.parts()]
    for (name, first, end), part in zip(bounds.parts(), parts, strict=True):
        if end > first and len(part) == 0:
            raise InputError(
                f"every window of the {name} part has a filled target ({', '.join(units.names)}), and a fill is no "
                "truth: shorten the horizon, change the split, choose --missing drop or another target"
            )
    train, valid, test = parts
    return train, valid if bounds.valid_end > bounds.train_end else None, test


def _classes(targets: tuple[str, ...], train_values: np.ndarray) -> tuple[str, ...]:
    """A note on each target that looks like a class."""
    classes = [(name, class_values(column)) for name, column in zip(targets, train_values.T, strict=True)]
    return tuple(
        f"target '{name}' is {found[0]:g} or {found[1]:g} in every training row: it looks like a class, and is "
        "forecast as a number; errors and skill are those of the number"
        for name, found in classes
        if found is not None
    )


def _left_out(bounds: Split, parts: tuple[Windows, Windows | None, Windows]) -> tuple[str, ...]:
    """A note on how many windows of each part are left out for a filled target."""
    counts = []
    for (name, first, end), part in zip(bounds.parts(), parts, strict=True):
        whole = replace(parts[0], is_filled=None).between(first, end)
        left_out = len(whole) - (len(part) if part is not None else 0)
        counts += [f"{left_out} of {len(whole)} {name}"] if left_out else []
    if not counts:
        return ()
    return (f"a window with a filled target is neither trained on nor scored: left out {', '.join(counts)} windows",)


def _check_directions(train: Windows, names: tuple[str, ...]) -> None:
    """Raise InputError for a target that only rises, or never does, over the training windows."""
    shares = train.truth().mean(axis=(0, 1)) if train.is_direction else np.empty(0)
    for name, share in zip(names, shares, strict=False):
        if share in (0.0, 1.0):
            always = "always rises" if share else "never rises"
            raise Unusable(f"target '{name}' {always} in the training windows: no direction to learn; choose another")


def _masked(channels: tuple[str, ...], is_filled: np.ndarray, *, everywhere: bool) -> tuple[str, ...]:
    """The channels that have gaps in these rows; everywhere: all, since other series may have them elsewhere."""
    return tuple(name for name, gaps in zip(channels, is_filled.T, strict=True) if everywhere or gaps.any())


def _check_folds(whole: Split, fold: Fold, horizon: int) -> None:
    rows = whole.test_end - whole.valid_end
    if fold.count > 1 and rows // fold.count < horizon:
        raise Unusable(
            f"too few rows: {fold.count} folds of the test part's {rows} rows are shorter than the horizon {horizon}; "
            "take fewer folds or a larger test part"
        )


def _checked_levels(quantiles: Any, conformal: Any) -> tuple[float, ...]:
    """The levels of quantiles; raises InputError unless they rise between 0 and 1 and contain the median."""
    expect("conformal", conformal, bool, "True or False")
    expect("quantiles", quantiles, (list, tuple), "levels between 0 and 1, such as (0.1, 0.5, 0.9)")
    for level in quantiles:
        if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
            raise InputError(f"quantiles must lie between 0 and 1, such as 0.1,0.5,0.9, got {level!r}")
    levels = tuple(sorted(float(level) for level in quantiles))
    if len(set(levels)) < len(levels):
        raise InputError(f"quantiles must differ, got {', '.join(map(str, quantiles))}")
    if levels and (0.5 not in levels or len(levels) < 3 or levels[0] == 0.5 or levels[-1] == 0.5):
        raise InputError(
            "quantiles must contain 0.5, the median, and levels below and above it, such as 0.1,0.5,0.9, "
            f"got {', '.join(map(str, quantiles))}"
        )
    if conformal and not levels:
        raise InputError("conformal calibrates quantiles: name them too, with --interval 80 or --quantiles 0.1,0.5,0.9")
    return levels


def _check_count(name: str, count: Any) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"{name} must be a whole number >= 1, got {count!r}")


def _check_parts(bounds: Split, lookback: int, horizon: int, rows: int) -> None:
    needed = lookback + horizon
    way_out = (
        f"lookback {lookback} + horizon {horizon} over {rows} rows; shorten them, change the split or bring more rows"
    )
    if bounds.train_end < needed:
        raise Unusable(f"too few rows: the train part has {bounds.train_end}, one window needs {needed} ({way_out})")
    for name, first, end in bounds.parts():
        if 0 < end - first < horizon:
            raise Unusable(f"too few rows: the {name} part has {end - first}, the horizon is {horizon} ({way_out})")
