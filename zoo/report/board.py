"""Boards: the accuracy rows of one problem, one line for each variant and its settings, best skill first."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.report.folds import folds_of, pooled
from zoo.report.task import TASKS, Task
from zoo.run.results import newest_code
from zoo.train.config import FitConfig

ROUNDING = 1e-4  # a skill this small is rounding of float32 forecasts
MIN_SEEDS = 3  # with fewer, a standard deviation over seeds says nothing
MINIMUM_SKILL = 0.005  # a smaller gain over naive does not matter
SIGNIFICANT = 0.05
UNSET = {f"fit.{name}": value for name, value in asdict(FitConfig()).items()}  # rows leave some of these out
PROBLEM = ("task", "horizon", "channels", "targets", "split", "scaler", "normalise")

OPTIONAL = (  # further ones, which not all rows have
    "quantiles", "is_conformal", "is_adaptive", "folds", "split_of_each", "calendar", "known", "is_sliding", "classes",
    "shortest", "data.outliers", "flat",
)  # fmt: skip

SETTINGS = ("params.", "fit.")  # how the columns of a line's settings begin
Settings = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Spread:
    """A mean over seeds and its sample standard deviation (None with fewer than two values)."""

    mean: float
    deviation: float | None
    count: int

    @property
    def percent(self) -> "Spread":
        return Spread(100 * self.mean, None if self.deviation is None else 100 * self.deviation, self.count)


@dataclass(frozen=True, eq=False)
class Line:
    """One variant with one set of parameters; runs: the rows of its seeds that ended, failed: those that did not.

    settings: what a user can set, by key. From stored predictions (None without them): interval, that of skill over
    other seeds and test windows, at a level that holds for the whole board; p_best, the risk at which the line leaves
    the set of lines that may be the best.
    """

    label: str
    runs: pd.DataFrame
    failed: pd.DataFrame
    settings: Mapping[str, Any]
    is_tuned: bool
    interval: tuple[float, float] | None = None
    p_best: float | None = None

    @cached_property
    def first(self) -> pd.Series:
        """A row of it, for what all share."""
        return (self.runs if len(self.runs) else self.failed).iloc[0]

    @property
    def variant(self) -> str:
        return str(self.first["variant"])

    @property
    def is_baseline(self) -> bool:
        return "baseline" in self.first["tags"]

    @property
    def is_naive(self) -> bool:
        """Whether it repeats the last value."""
        return self.variant == "naive"

    @property
    def is_deterministic(self) -> bool:
        return "deterministic" in self.first["tags"]

    @property
    def is_complete(self) -> bool:
        """Whether all its runs ended: the seeds that survive may be the easy ones."""
        return len(self.runs) > 0 and self.failed.empty

    @property
    def may_be_best(self) -> bool:
        return self.p_best is not None and self.p_best >= SIGNIFICANT

    @cached_property
    def skill(self) -> Spread | None:
        return self.spread("skill")

    def spread(self, column: str) -> Spread | None:
        """A column of the rows over seeds; None where a value is missing or nothing ended."""
        return spread_of(self.runs[column]) if column in self.runs else None


@dataclass(frozen=True, eq=False)
class Board:
    """The lines of one problem on one data set, best skill first, those with failed runs last.

    key: what its rows share; equal for boards of two runs that forecast the same test rows of the same data.
    runs: its rows; earlier: how many rows of an earlier code of a variant are left out, by variant.
    untested: why no line was tested on stored predictions, empty where some were or nobody tried. minimum_skill: the
    least skill that matters.
    """

    key: tuple[Any, ...]
    runs: pd.DataFrame
    lines: tuple[Line, ...]
    earlier: Mapping[str, int] = field(default_factory=dict)
    untested: str = ""
    minimum_skill: float = MINIMUM_SKILL

    @cached_property
    def first(self) -> pd.Series:
        """A row of it, for what all share."""
        return self.runs.iloc[0]

    @cached_property
    def default_lines(self) -> dict[str, Line]:
        """The line of each variant that has one with default settings here, all of whose runs ended."""
        lines = [line for line in self.lines if not line.is_tuned and line.skill is not None and line.is_complete]
        names = [line.variant for line in lines]
        return {line.variant: line for line in lines if names.count(line.variant) == 1}

    @property
    def source(self) -> str:
        """The data, and of several series in a file the one that was taken."""
        only = value_of(self.first, "data.only")
        return f"{self.first['data.source']}{'' if only is None else f' ({only})'}"

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(self.first["targets"])

    @property
    def horizon(self) -> int:
        return int(self.first["horizon"])

    @property
    def levels(self) -> tuple[float, ...]:
        """Those of the quantiles that are forecast; none of a point forecast."""
        levels = self.first.get("quantiles")
        return tuple(levels) if isinstance(levels, (tuple, list)) else ()

    @property
    def flat(self) -> str:
        """The largest change that is none, of moves; "" of another task."""
        flat = value_of(self.first, "flat") or ""
        return f"{flat} of the last value" if flat.endswith("%") else flat

    @property
    def task(self) -> Task:
        return TASKS[str(self.first["task"])]

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names; none of a forecast."""
        classes = self.first.get("classes")
        return tuple(classes) if isinstance(classes, (tuple, list)) else ()

    @property
    def folds(self) -> int:
        """Blocks of the test part, before each of which the models were trained anew."""
        return folds_of(self.runs)

    @property
    def series(self) -> int:
        """How many series are forecast."""
        return value_of(self.first, "data.series_count") or 1

    @property
    def lookback(self) -> int:
        """The suite's; a tuned line may have its own."""
        return int(self.key[-1])

    @property
    def title(self) -> str:
        source = Path(self.source).name  # a path of this machine says little
        if self.classes:
            shortest = value_of(self.first, "shortest")
            length = f"{shortest} to {self.lookback}" if shortest is not None else f"{self.lookback}"
            return f"{self.targets[0]} of {source}: {len(self.classes)} classes, sequences of {length} steps"
        steps = counted(self.horizon, "step")
        panel = f", {self.series} series by {self.first['data.series']}" if self.series > 1 else ""
        text = f"{', '.join(self.targets)} of {source}{panel}: {steps} ahead from the last {self.lookback}"
        kinds = [kind for kind in ("conformal", "adaptive") if value_of(self.first, f"is_{kind}")]
        kind = " ".join([*kinds, "quantiles"])
        text += f", {kind} {', '.join(f'{level:g}' for level in self.levels)}" if self.levels else ""
        calendar = self.first.get("calendar")
        text += f", with {' and '.join(calendar)}" if isinstance(calendar, tuple) else ""
        known = self.first.get("known")
        text += f", {' and '.join(known)} known in advance" if isinstance(known, tuple) else ""
        categories = value_of(self.first, "data.categories")
        text += f", {' and '.join(categories)} as categories" if isinstance(categories, tuple | list) else ""
        text += f", flat up to {self.flat}" if self.flat else ""
        text = self.task.title.format(what=text)
        kind = " sliding" if value_of(self.first, "is_sliding") else ""
        return f"{text}, {self.folds}{kind} folds" if self.folds > 1 else text

    @property
    def tuned(self) -> list[Line]:
        return [line for line in self.lines if line.is_tuned]

    @property
    def seeds(self) -> int:
        """The most seeds that any line with random training has."""
        return max((len(line.runs) for line in self.lines if not line.is_deterministic), default=0)

    @property
    def is_tested(self) -> bool:
        return any(line.p_best is not None for line in self.lines)


def counted(count: int, noun: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(lines: Iterable[Line]) -> str:
    """The labels of lines, with commas."""
    return ", ".join(line.label for line in lines)


def value_of(run: pd.Series | Mapping[str, Any], name: str) -> Any:
    """A row's value, None where it has none; a whole number is an int, since a column with gaps holds floats."""
    value = run.get(name)
    if value is None or value != value:
        return None
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def values_under(run: pd.Series | Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """A row's values of the columns that begin with the prefix, under their bare names; None where it has none."""
    return {name.removeprefix(prefix): value_of(run, name) for name in dict(run) if name.startswith(prefix)}


def spread_of(values: Iterable[Any]) -> Spread | None:
    """Mean and sample standard deviation of the numbers, or None when any is missing or there are none."""
    numbers = list(values)
    if not numbers or any(value is None or value != value for value in numbers):
        return None
    deviation = statistics.stdev(numbers) if len(numbers) > 1 else None
    return Spread(statistics.fmean(numbers), deviation, len(numbers))


def boards(frame: pd.DataFrame) -> list[Board]:
    """The accuracy rows of `zoo.results`, grouped by problem and data, then by variant and settings.

    A tuned lookback stays on the board of the suite's: it forecasts the same test rows.
    """
    rows = frame[frame["kind"] == "accuracy"].reset_index(drop=True)
    if rows.empty:
        return []
    texts = [name for name in rows if isinstance(rows[name].dtype, pd.StringDtype)]
    rows = rows.astype(dict.fromkeys(texts, object)).copy()  # many small selections: objects are three times as fast
    optional = [rows.get(name, pd.Series(index=rows.index)).map(str) for name in OPTIONAL]
    shared = [*optional, *(rows[name] for name in (*PROBLEM, "data.fingerprint", "data.missing", "device"))]
    lookback = rows.get("tuning.lookback", rows["lookback"]).fillna(rows["lookback"]).map(int)
    return [_board(key, group) for key, group in rows.groupby([*shared, lookback], sort=False, dropna=False)]


def _board(key: tuple[Any, ...], rows: pd.DataFrame) -> Board:
    current = newest_code(rows)
    earlier = rows.drop(current.index)["variant"].value_counts().to_dict()
    places: dict[tuple[str, bool, Settings], list[Any]] = {}
    names = ["variant", "tuning.lookback", "lookback", *(name for name in current if name.startswith(SETTINGS))]
    few = current[[name for name in names if name in current]].astype(object)
    few = few.where(few.notna(), None)  # equal to itself, as NaN is not
    known: dict[tuple[Any, ...], tuple[str, bool, Settings]] = {}  # the settings of most rows repeat
    for place, values in zip(few.index, few.itertuples(index=False, name=None), strict=True):
        if values not in known:
            row = dict(zip(few.columns, values, strict=True))
            known[values] = row["variant"], value_of(row, "tuning.lookback") is not None, _settings(row)
        places.setdefault(known[values], []).append(place)
    groups = _newest_tuned({group: current.loc[own] for group, own in places.items()})
    labels = _labels(list(groups), digits=4)
    if len(set(labels)) < len(labels):
        labels = _labels(list(groups), digits=17)
    lines = []
    for label, ((_, is_tuned, settings), own) in zip(labels, groups.items(), strict=True):
        runs = pooled(own)
        ended = runs["error"].isna()
        lines.append(Line(label, runs[ended].sort_values("seed"), runs[~ended], dict(settings), is_tuned))
    lines.sort(key=lambda line: (not line.is_complete, -line.skill.mean if line.skill else float("inf"), line.label))
    return Board(key, current, tuple(lines), earlier)


def _settings(row: Mapping[str, Any]) -> Settings:
    names = sorted((name for name in row if name.startswith(SETTINGS)), key=lambda n: n[0] == "f")
    values = ((name.removeprefix("params."), value_of(row, name)) for name in ("lookback", *names))
    return tuple((name, value) for name, value in values if value is not None)


def _newest_tuned(groups: dict[tuple[str, bool, Settings], pd.DataFrame]) -> dict[Any, pd.DataFrame]:
    """Without the tuned settings of a variant that later ones have replaced."""
    started = {group: rows["started"].max() for group, rows in groups.items()}
    newest: dict[str, str] = {}
    for (variant, is_tuned, _), moment in started.items():
        if is_tuned:
            newest[variant] = max(newest.get(variant, ""), moment)
    return {group: rows for group, rows in groups.items() if not group[1] or started[group] == newest[group[0]]}


def _labels(groups: Sequence[tuple[str, bool, Settings]], digits: int) -> list[str]:
    """For each group its variant, and the settings in which it differs from its namesakes on the board."""
    labels = []
    for variant, is_tuned, settings in groups:
        own = dict(settings)
        namesakes = [dict(other) for name, tuned, other in groups if (name, tuned) == (variant, is_tuned)]
        notes = ["tuned"] * is_tuned
        for name in dict.fromkeys(name for other in (own, *namesakes) for name in other):
            unset = UNSET.get(name, "none")
            value = own.get(name, unset)
            if any(other.get(name, unset) != value for other in namesakes):
                notes.append(f"{name}={value:.{digits}g}" if isinstance(value, float) else f"{name}={value}")
        labels.append(f"{variant} ({', '.join(notes)})" if notes else variant)
    return labels
