"""Boards: the accuracy rows of one problem, one line per variant, with means over seeds, intervals and tests."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.metrics import METRICS
from zoo.run.predictions import Stored, stored
from zoo.run.results import newest_code
from zoo.stats.accuracy import diebold_mariano
from zoo.stats.intervals import mean_interval, skill_interval
from zoo.stats.timings import holm

ROUNDING = 1e-4  # a skill this small is rounding of float32 forecasts
MIN_SEEDS = 3  # with fewer, a standard deviation over seeds says nothing
SIGNIFICANT = 0.05
PROBLEM = ("task", "horizon", "channels", "targets", "split", "scaler", "normalise")
COST = ("parameter_count", "train_seconds", "windows_per_second", "epochs", "best_epoch")


@dataclass(frozen=True)
class Spread:
    """A mean over seeds and its sample standard deviation (None with fewer than two values)."""

    mean: float
    deviation: float | None
    count: int

    def times(self, factor: float) -> "Spread":
        return Spread(factor * self.mean, None if self.deviation is None else factor * self.deviation, self.count)


@dataclass(frozen=True, eq=False)
class Line:
    """One variant with one set of parameters; runs: the rows of its seeds that ended, failed: those that did not.

    settings: what a user can set, by key. From stored predictions, None without: interval, the 95 % interval of skill
    over seeds and test windows; p_naive and p_best, the corrected p-values of equal accuracy with naive and with the
    board's best line.
    """

    label: str
    runs: pd.DataFrame
    failed: pd.DataFrame
    settings: Mapping[str, Any]
    is_tuned: bool
    interval: tuple[float, float] | None = None
    p_naive: float | None = None
    p_best: float | None = None

    @property
    def first(self) -> pd.Series:
        """A row of it, for what all share."""
        return (self.runs if len(self.runs) else self.failed).iloc[0]

    @property
    def variant(self) -> str:
        return str(self.first["variant"])

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(self.first["tags"])

    @property
    def is_baseline(self) -> bool:
        return "baseline" in self.tags

    @property
    def is_naive(self) -> bool:
        """Whether it repeats the last value."""
        return self.variant == "naive"

    @property
    def is_deterministic(self) -> bool:
        return "deterministic" in self.tags

    @property
    def skill(self) -> Spread | None:
        return self.metric("skill")

    def metric(self, name: str, target: str | None = None) -> Spread | None:
        """A metric over seeds (of one target, where named); None where it is undefined or nothing ended."""
        return self.field(name if target is None else f"targets.{target}.{name}")

    def field(self, name: str) -> Spread | None:
        """A number of the rows over seeds, by its column."""
        return spread_of(self.runs[name]) if name in self.runs else None


@dataclass(frozen=True, eq=False)
class Board:
    """The lines of one problem on one data set, best skill first, those without any result last.

    key: what its rows share; equal for boards of two runs that forecast the same test rows of the same data.
    runs: its rows; earlier: how many rows of an earlier code of a variant are left out, by variant.
    untested: why no line was tested on stored predictions, empty where some were or nobody tried.
    """

    key: tuple[Any, ...]
    runs: pd.DataFrame
    lines: tuple[Line, ...]
    earlier: Mapping[str, int] = field(default_factory=dict)
    untested: str = ""

    @property
    def first(self) -> pd.Series:
        """A row of it, for what all share."""
        return self.runs.iloc[0]

    @property
    def suite(self) -> str:
        return str(self.first["suite"])

    @property
    def source(self) -> str:
        return str(self.first["data.source"])

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(self.first["targets"])

    @property
    def horizon(self) -> int:
        return int(self.first["horizon"])

    @property
    def lookback(self) -> int:
        """The suite's; a tuned line may have its own."""
        return int(self.key[-1])

    @property
    def title(self) -> str:
        steps = counted(self.horizon, "step")
        return f"{', '.join(self.targets)} of {self.source}: {steps} ahead from the last {self.lookback}"

    @property
    def seeds(self) -> int:
        """The most seeds that any line with random training has."""
        return max((len(line.runs) for line in self.lines if not line.is_deterministic), default=0)

    @property
    def is_tested(self) -> bool:
        return any(line.p_naive is not None for line in self.lines)


@dataclass(frozen=True)
class Trade:
    """What a line trades: windows/s of training, rmse and parameters, each the mean over seeds.

    is_best: no other line is both as fast and as accurate, and better in one of them.
    """

    label: str
    windows_per_second: float
    rmse: float
    parameters: float
    is_best: bool


def counted(count: int, noun: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def value_of(run: pd.Series | Mapping[str, Any], name: str) -> Any:
    """A row's value, None where it has none; a whole number is an int, since a column with gaps holds floats."""
    value = run.get(name)
    if value is None or value != value:
        return None
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def stored_of(run: pd.Series) -> Stored | None:
    """The predictions that are stored beside a row; None where there are none, or damaged ones."""
    return stored(Path(run["folder"]), value_of(run, "predictions"), value_of(run, "truth"))


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
    shared = [rows[name] for name in (*PROBLEM, "data.fingerprint", "data.missing", "device")]
    lookback = rows.get("tuning.lookback", rows["lookback"]).fillna(rows["lookback"]).map(int)
    return [_board(key, group) for key, group in rows.groupby([*shared, lookback], sort=False, dropna=False)]


def _board(key: tuple[Any, ...], rows: pd.DataFrame) -> Board:
    current = newest_code(rows)
    earlier = rows.drop(current.index)["variant"].value_counts().to_dict()
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for place, row in current.iterrows():
        is_tuned = value_of(row, "tuning.lookback") is not None
        groups.setdefault((row["variant"], is_tuned, tuple(_settings(row).items())), []).append(place)
    groups = _newest_tuned(groups, current)
    labels = _labels(list(groups), digits=4)
    if len(set(labels)) < len(labels):
        labels = _labels(list(groups), digits=17)
    lines = []
    for label, (_, is_tuned, settings), places in zip(labels, groups, groups.values(), strict=True):
        own = current.loc[places]
        is_failed = own["error"].notna()
        lines.append(Line(label, own[~is_failed].sort_values("seed"), own[is_failed], dict(settings), is_tuned))
    lines.sort(key=lambda line: (-line.skill.mean if line.skill else float("inf"), line.label))
    return Board(key, current, tuple(lines), earlier)


def _newest_tuned(groups: dict[tuple[Any, ...], list[Any]], rows: pd.DataFrame) -> dict[tuple[Any, ...], list[Any]]:
    """Without the tuned settings of a variant that later ones have replaced."""
    started = {key: max(rows.loc[places, "started"]) for key, places in groups.items()}
    newest: dict[str, str] = {}
    for (variant, is_tuned, _), at in started.items():
        if is_tuned:
            newest[variant] = max(newest.get(variant, ""), at)
    return {key: places for key, places in groups.items() if not key[1] or started[key] == newest[key[0]]}


def _settings(row: pd.Series) -> dict[str, Any]:
    names = sorted((name for name in row.index if name.startswith(("params.", "fit."))), key=lambda n: n[0] == "f")
    values = {name.removeprefix("params."): value_of(row, name) for name in ("lookback", *names)}
    return {name: value for name, value in values.items() if value is not None}


def _labels(groups: Sequence[tuple[Any, ...]], digits: int) -> list[str]:
    """For each group its variant, and the settings in which it differs from its namesakes on the board."""
    labels = []
    for variant, is_tuned, settings in groups:
        own = dict(settings)
        namesakes = [dict(other) for name, tuned, other in groups if (name, tuned) == (variant, is_tuned)]
        names = dict.fromkeys(name for other in (own, *namesakes) for name in other)
        notes = ["tuned"] * is_tuned
        for name in names:
            value = own.get(name, "none")
            if any(other.get(name, "none") != value for other in namesakes):
                notes.append(f"{name}={value:.{digits}g}" if isinstance(value, float) else f"{name}={value}")
        labels.append(f"{variant} ({', '.join(notes)})" if notes else variant)
    return labels


def judged(frame: pd.DataFrame) -> list[Board]:
    """The boards of a frame, their lines with intervals and tests where predictions are stored."""
    return [with_evidence(board) for board in boards(frame)]


def with_evidence(board: Board) -> Board:
    """The board with each line's skill interval, and its p-values against naive and against the best line.

    Losses are those that skill is made of: squared errors, averaged over a window's steps and targets (and over
    the line's seeds, for the tests). Both p-values are Diebold and Mariano's after Holm's correction over the lines
    of the board; 1 where losses are equal everywhere, or differ the other way than skill does (a mean over seeds of
    rmse need not order as the mean of losses). A line without predictions of all its rows has none; where no line has
    any, `untested` says why.
    """
    stored_losses = {line.label: pair for line in board.lines if (pair := losses_of(line.runs)) is not None}
    naive = next((other for _, other in stored_losses.values()), np.empty(0))
    losses = {label: own for label, (own, other) in stored_losses.items() if np.array_equal(other, naive)}
    tested = [line for line in board.lines if line.label in losses and not line.is_naive]
    if not tested:
        return replace(board, untested="no usable predictions are stored")
    means = {label: own.mean(axis=0) for label, own in losses.items()}
    is_ahead = {line.label: line.skill is not None and line.skill.mean > 0 for line in tested}
    p_naive = _p_values({label: (means[label], naive, ahead) for label, ahead in is_ahead.items()}, board.horizon)
    best, *rivals = is_ahead  # lines stand best skill first
    p_best = _p_values({label: (means[label], means[best], False) for label in rivals}, board.horizon)
    lines = [
        replace(
            line,
            interval=skill_interval(losses[line.label], naive, horizon=board.horizon) if line in tested else None,
            p_naive=p_naive.get(line.label),
            p_best=p_best.get(line.label),
        )
        for line in board.lines
    ]
    few = "" if p_naive else f"{len(naive)} test windows are too few for a horizon of {board.horizon}"
    return replace(board, lines=tuple(lines), untested=few)


def losses_of(runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """(losses [S, n] of the rows, those of naive [n]); None where a row has no predictions or other windows."""
    predictions = [stored_of(run) for _, run in runs.iterrows()]
    own = [one.losses() if one is not None else None for one in predictions]
    known = [losses for losses in own if losses is not None]
    if not known or len(known) < len(own) or len({len(losses) for losses in known}) > 1 or predictions[-1] is None:
        return None
    naive = predictions[-1].naive_losses()
    return None if naive is None else (np.stack(known), naive)


def _p_values(pairs: Mapping[str, tuple[np.ndarray, np.ndarray, bool]], horizon: int) -> dict[str, float]:
    """Holm's p of each (losses, other losses, whether skill is the better); what cannot be tested is missing."""
    raw: dict[str, float] = {}
    for label, (own, other, is_ahead) in pairs.items():
        if np.array_equal(own, other):
            raw[label] = 1.0
        elif (test := diebold_mariano(own, other, horizon=horizon)) is not None:
            statistic, p = test
            raw[label] = p if (statistic < 0) == is_ahead else 1.0
    return dict(zip(raw, holm(list(raw.values())), strict=True))


def trades(board: Board) -> list[Trade]:
    """One for each line that trains by descent, slowest first."""
    figures = []
    for line in board.lines:
        rmse, speed, count = line.metric("rmse"), line.field("windows_per_second"), line.field("parameter_count")
        if rmse is not None and speed is not None and count is not None:
            figures.append((line.label, speed.mean, rmse.mean, count.mean))
    ranked = []
    for label, speed_mean, error, parameters in figures:
        others = [(other_speed, other_error) for _, other_speed, other_error, _ in figures]
        is_beaten = any(s >= speed_mean and e <= error and (s, e) != (speed_mean, error) for s, e in others)
        ranked.append(Trade(label, speed_mean, error, parameters, not is_beaten))
    return sorted(ranked, key=lambda trade: (trade.windows_per_second, trade.rmse, trade.label))


def summary(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Boards as plain values for JSON: each line's means and deviations over seeds, with the 95 % interval of the mean
    over them (low, high), its interval of skill over seeds and test windows, and p-values."""
    return [
        {
            "data": _part(board.first, "data."),
            "problem": {**{name: value_of(board.first, name) for name in PROBLEM}, "lookback": board.lookback},
            "lines": [
                {
                    "variant": line.label,
                    "tags": list(line.tags),
                    "tuning": _part(line.first, "tuning.") if line.is_tuned else None,
                    "seeds": len(line.runs),
                    "failed": list(line.failed["error"]),
                    **{name: _plain(line.metric(name)) for name in METRICS},
                    "skill_interval": list(line.interval) if line.interval else None,
                    "p_naive": line.p_naive,
                    "p_best": line.p_best,
                    **{name: _plain(line.field(name)) for name in COST},
                }
                for line in board.lines
            ],
        }
        for board in boards
    ]


def summary_frame(boards: Sequence[Board]) -> pd.DataFrame:
    """The summary as a table, a row for each line: rmse_mean, rmse_deviation, skill_interval_low, p_naive, ..."""
    nothing = dict.fromkeys(("mean", "deviation", "low", "high"))
    rows = []
    for board, plain in zip(boards, summary(boards), strict=True):
        where = {"data": board.source, "targets": " ".join(board.targets), "horizon": board.horizon}
        where |= {"lookback": board.lookback, "normalise": board.first["normalise"]}
        for line in plain["lines"]:
            spreads = {name: line[name] or nothing for name in (*METRICS, *COST)}
            interval = dict(zip(("low", "high"), line["skill_interval"] or (None, None), strict=True))
            words = {"tags": " ".join(line["tags"]), "failed": len(line["failed"]), "skill_interval": interval}
            rows.append({**where, **line, **words, "tuning": (line["tuning"] or {}).get("cost.seconds"), **spreads})
    return pd.json_normalize(rows, sep="_")


def _part(run: pd.Series, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value_of(run, name) for name in run.index if name.startswith(prefix)}


def _plain(spread: Spread | None) -> dict[str, float | None] | None:
    if spread is None:
        return None
    low, high = None, None
    if spread.deviation is not None:
        low, high = mean_interval(spread.mean, spread.deviation, spread.count)
    return {"mean": spread.mean, "deviation": spread.deviation, "low": low, "high": high}
