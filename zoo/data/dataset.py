"""Data: what a model is trained and judged on, and the windows of its parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from zoo.data.outliers import Outliers
from zoo.data.scaling import Scaler
from zoo.data.sequences import Sequences
from zoo.data.spacing import stamp
from zoo.data.split import Fold, Split
from zoo.data.windows import Windows
from zoo.errors import InputError
from zoo.problem import Problem

Samples = Windows | Sequences
WHOLE = Fold()  # the test part in one piece


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
    positions are further channels, after `channels`; known: columns whose coming values are further channels, after
    these; categories: columns that name kinds, whose codes are further channels, and the names that have codes from 1;
    masked: channels whose gaps are marked by the last channels; panel: what else is known of several series; the
    counts of rows are then sums over them; only: of one among several, the column and the name that tell it apart;
    split, whole: row boundaries of this fold, and before the test part was cut into folds; missing: the policy applied;
    outliers: what cleans the inputs, None: nothing; valid is None where the split leaves no validation part; test is
    empty where it leaves no test part. classes: their names, of sequences to classify, whose parts are Sequences, whose
    rows are cases, and whose one target is the class.
    """

    problem: Problem
    train: Samples
    valid: Samples | None
    test: Samples
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
    only: tuple[str, str] | None = None
    calendar: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    known_scaler: Scaler | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    outliers: Outliers | None = None

    def __repr__(self) -> str:
        """What is forecast from what, and a line for each part."""
        what, unit = f"{', '.join(self.targets)} of {self.source}", "cases" if self.classes else "rows"
        lines = [
            f"Data: {what}, {len(self.classes)} classes, sequences of up to {self.problem.lookback} steps"
            if self.classes
            else f"Data: {what}, {self.problem.horizon} ahead from the last {self.problem.lookback} of "
            f"{', '.join((*self.channels, *self.calendar, *self.known, *self.categories))}"
        ]
        for (name, first, end), part in zip(self.split.parts(), (self.train, self.valid, self.test), strict=True):
            windows = "" if self.classes else f", {len(part) if part is not None else 0:,} windows"
            is_dated = self.time is not None and self.panel is None and end > first
            span = f", {stamp(self.time[first])} to {stamp(self.time[end - 1])}" if is_dated else ""  # type: ignore[index]
            lines.append(f"  {name:<10} {end - first:>7,} {unit}{windows}{span}")
        return "\n".join(lines)

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
        check_count("lookback", lookback)
        if lookback == self.problem.lookback:
            return self
        if self.panel is not None:
            raise InputError("the lookback of several series cannot be changed here: prepare them again")
        if isinstance(self.train, Sequences):
            raise InputError("the lookback of sequences to classify is their length: it cannot be changed")
        check_parts(self.split, lookback, self.problem.horizon, self.split.test_end)
        problem = replace(self.problem, lookback=lookback)
        old = self.train
        train, valid, test = parts_of(problem, self.split, old)
        return replace(self, problem=problem, train=train, valid=valid, test=test)

    def without_test(self) -> "Data":
        """Training and validation alone: the rows of the test part are gone, not hidden."""
        if isinstance(self.train, Sequences):
            assert not isinstance(self.valid, Windows) and isinstance(self.test, Sequences)
            valid_alone = self.valid.alone() if self.valid is not None else None
            return replace(self, train=self.train.alone(), valid=valid_alone, test=self.test.alone(0))
        end = self.split.valid_end
        bounds = replace(self.split, test_end=end)
        old = self.train
        table = replace(
            old,
            values=old.values[:end].clone(),
            raw=old.raw[:end].copy(),
            is_filled=None if old.is_filled is None else old.is_filled[:end].copy(),
            inputs=None if old.inputs is None else old.inputs[:end].clone(),
            limits=None if old.limits is None else old.limits[:end].clone(),
        )
        train, valid, test = parts_of(self.problem, bounds, table)
        time = self.time[:end] if self.time is not None else None
        whole = replace(self.whole, test_end=end)
        return replace(self, train=train, valid=valid, test=test, split=bounds, whole=whole, time=time)


def parts_of(problem: Problem, bounds: Split, table: Windows) -> tuple[Windows, Windows | None, Windows]:
    """The windows of train, validation (None where it is empty) and test over the rows of a table, in the problem's
    lookback; raises InputError where every window of a part that has rows is left out."""
    table = replace(table, lookback=problem.lookback)
    parts = [table.between(first, end) for _, first, end in bounds.parts()]
    for (name, first, end), part in zip(bounds.parts(), parts, strict=True):
        if end > first and len(part) == 0:
            if table.is_whole:
                raise InputError(
                    f"every window of the {name} part holds a missing value: shorten the lookback, leave columns with "
                    "many gaps out with --channels, or choose --missing mask"
                )
            raise InputError(
                f"every window of the {name} part has a filled target ({', '.join(table.units.names)}), and a fill is "
                "no truth: shorten the horizon, change the split, choose --missing drop or another target"
            )
    train, valid, test = parts
    return train, valid if bounds.valid_end > bounds.train_end else None, test


def check_count(name: str, count: Any) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"{name} must be a whole number >= 1, got {count!r}")


def check_parts(bounds: Split, lookback: int, horizon: int, rows: int) -> None:
    needed = lookback + horizon
    way_out = (
        f"lookback {lookback} + horizon {horizon} over {rows} rows; shorten them, change the split or bring more rows"
    )
    train = bounds.train_end - bounds.train_start
    if train < needed:
        raise Unusable(f"too few rows: the train part has {train}, one window needs {needed} ({way_out})")
    for name, first, end in bounds.parts():
        if 0 < end - first < horizon:
            raise Unusable(f"too few rows: the {name} part has {end - first}, the horizon is {horizon} ({way_out})")
