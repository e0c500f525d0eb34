"""Boards: rows of one problem, one line per variant, with means and spreads over seeds."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.metrics import METRICS
from zoo.stats.intervals import mean_interval

Row = dict[str, Any]
ROUNDING = 1e-4  # a skill this small is rounding of float32 forecasts
MIN_SEEDS = 3  # with fewer, a standard deviation over seeds says nothing


@dataclass(frozen=True)
class Spread:
    """A mean over seeds and its sample standard deviation (None with fewer than two values)."""

    mean: float
    deviation: float | None
    count: int


@dataclass(frozen=True)
class Line:
    """One variant with one set of parameters; rows are its seeds that ended without an error.

    From stored predictions, None without: interval, the 95 % interval of skill over seeds and test windows; p_naive
    and p_best, the corrected p-values of equal accuracy with naive and with the board's best line.
    """

    label: str
    tags: tuple[str, ...]
    rows: tuple[Row, ...]
    failed: tuple[Row, ...]
    interval: tuple[float, float] | None = None
    p_naive: float | None = None
    p_best: float | None = None

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
    def first(self) -> Row:
        """A row of it, for what all share."""
        return (*self.rows, *self.failed)[0]

    @property
    def variant(self) -> str:
        return str(self.first["variant"])

    @property
    def tuning(self) -> dict[str, Any] | None:
        """The study that its settings come from and what it cost, None for untuned ones."""
        found: dict[str, Any] | None = self.first.get("tuning")
        return found

    def metric(self, name: str, target: str | None = None) -> Spread | None:
        """A metric over seeds (of one target, where named); None where it is undefined or nothing ended."""
        found = [row["metrics"] for row in self.rows]
        if target is not None:
            found = [metrics.get("targets", {}).get(target, {}) for metrics in found]
        return spread_of(metrics.get(name) for metrics in found)

    def field(self, name: str) -> Spread | None:
        """A number of the row itself over seeds."""
        return spread_of(row.get(name) for row in self.rows)


@dataclass(frozen=True)
class Board:
    """The lines of one problem on one data set, best skill first, those without any result last.

    untested: why no line was tested on stored predictions, empty where some were or nobody tried.
    """

    rows: tuple[Row, ...]
    lines: tuple[Line, ...]
    untested: str = ""

    @property
    def asked(self) -> str:
        """What all its rows share; equal for boards of two runs that forecast the same test rows of the same data."""
        return _asked(self.rows[0])

    @property
    def data(self) -> dict[str, Any]:
        return dict(self.rows[0]["data"])

    @property
    def problem(self) -> dict[str, Any]:
        return dict(self.rows[0]["problem"])

    @property
    def seeds(self) -> int:
        """The most seeds that any line with random training has."""
        counts = [len(line.rows) for line in self.lines if not line.is_deterministic]
        return max(counts, default=0)


def spread_of(values: Iterable[Any]) -> Spread | None:
    """Mean and sample standard deviation of the numbers, or None when any is missing or there are none."""
    known = list(values)
    if not known or any(value is None for value in known):
        return None
    deviation = statistics.stdev(known) if len(known) > 1 else None
    return Spread(statistics.fmean(known), deviation, len(known))


def boards(rows: Sequence[Row]) -> list[Board]:
    """Rows grouped by problem and data, then by variant and settings.

    A tuned lookback stays on the board of the suite's: it forecasts the same test rows.
    """
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(_asked(row), []).append(row)
    return [Board(tuple(group), tuple(_lines(group))) for group in grouped.values()]


def _asked(row: Row) -> str:
    data = {key: row["data"].get(key) for key in ("fingerprint", "missing")}
    lookback = (row.get("tuning") or row["problem"])["lookback"]
    return _canonical([row["problem"] | {"lookback": lookback}, data, row["device"]])


def _lines(rows: list[Row]) -> list[Line]:
    by_settings: dict[str, list[Row]] = {}
    for row in current(rows):
        by_settings.setdefault(_canonical([row["variant"], settings_of(row), bool(row.get("tuning"))]), []).append(row)
    groups = _newest(list(by_settings.values()))
    lines = []
    for group in groups:
        ended = sorted((row for row in group if row["error"] is None), key=lambda row: row["seed"])
        failed = tuple(row for row in group if row["error"] is not None)
        lines.append(Line(_label(group[0], groups), tuple(group[0]["tags"]), tuple(ended), failed))
    return sorted(lines, key=_worth)


def current(rows: Sequence[Row]) -> list[Row]:
    """Without rows of a variant from outside whose source has changed since: those of the source that ran last stay."""
    latest: dict[str, tuple[str, str | None]] = {}
    for row in rows:
        ran = (str(row.get("started")), (row.get("plugin") or {}).get("sha256"))
        latest[row["variant"]] = max(latest.get(row["variant"], ran), ran, key=lambda pair: pair[0])
    return [row for row in rows if (row.get("plugin") or {}).get("sha256") == latest[row["variant"]][1]]


def _newest(groups: list[list[Row]]) -> list[list[Row]]:
    """Without the tuned settings of a variant that later ones have replaced."""
    latest: dict[str, str] = {}
    for group in groups:
        if group[0].get("tuning"):
            name = group[0]["variant"]
            latest[name] = max(latest.get(name, ""), _last_started(group))
    return [
        group for group in groups if not group[0].get("tuning") or _last_started(group) == latest[group[0]["variant"]]
    ]


def _last_started(group: list[Row]) -> str:
    return max(str(row.get("started")) for row in group)


def _worth(line: Line) -> tuple[float, str]:
    skill = line.metric("skill")
    return (-skill.mean if skill else float("inf"), line.label)


def _label(row: Row, groups: list[list[Row]]) -> str:
    """The variant's name, and the settings in which it differs from its namesakes on the board."""
    firsts = [group[0] for group in groups]
    namesakes = [
        settings_of(other)
        for other in firsts
        if other["variant"] == row["variant"] and bool(other.get("tuning")) == bool(row.get("tuning"))
    ]
    own = settings_of(row)
    differing = [name for name in own if any(other.get(name) != own[name] for other in namesakes)]
    label = f"{row['variant']}, tuned" if row.get("tuning") else str(row["variant"])
    return f"{label} ({', '.join(f'{name}={own[name]}' for name in differing)})" if differing else label


def settings_of(row: Row) -> dict[str, Any]:
    """What a user can set, by key."""
    fit = {f"fit.{name}": value for name, value in (row["fit"] or {}).items()}
    return {"lookback": row["problem"]["lookback"], **row["params"], **fit}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def summary(found: Sequence[Board]) -> list[dict[str, Any]]:
    """Boards as plain values for JSON: each line's means and deviations over seeds, with the 95 % interval of the mean
    over them (low, high), its interval of skill over seeds and test windows, and p-values."""
    fields = ("parameter_count", "train_seconds", "windows_per_second", "epochs", "best_epoch")
    return [
        {
            "data": board.data,
            "problem": board.problem,
            "lines": [
                {
                    "variant": line.label,
                    "tags": list(line.tags),
                    "tuning": line.tuning,
                    "seeds": len(line.rows),
                    "failed": [row["error"] for row in line.failed],
                    **{name: _plain(line.metric(name)) for name in METRICS},
                    "skill_interval": list(line.interval) if line.interval else None,
                    "p_naive": line.p_naive,
                    "p_best": line.p_best,
                    **{name: _plain(line.field(name)) for name in fields},
                }
                for line in board.lines
            ],
        }
        for board in found
    ]


def _plain(spread: Spread | None) -> dict[str, float | None] | None:
    if spread is None:
        return None
    low, high = None, None
    if spread.deviation is not None:
        low, high = mean_interval(spread.mean, spread.deviation, spread.count)
    return {"mean": spread.mean, "deviation": spread.deviation, "low": low, "high": high}
