"""Two folders of speed rows, cell by cell: what became slower or faster, and by more than noise."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.cell import SpeedRow
from zoo.errors import InputError
from zoo.run.store import read_rows
from zoo.stats.timings import difference_p, holm, ratio_interval

SIGNIFICANT = 0.05  # Holm's p below it: hardly by chance

ASKED = (
    "variant", "params", "phase", "device", "dtype", "batch_size", "lookback", "channels", "horizon", "threads",
    "normalise", "mode",
)  # fmt: skip
UNLISTED = ("device", "channels", "horizon", "threads", "normalise")  # asked for, and without a column of their own


@dataclass(frozen=True)
class Change:
    """One cell that ended in both folders; `label` is its variant with the settings that tell it from others.

    seconds: median of a step. ratio: throughput, NEW / OLD, so above 1 is faster, with its 95 % interval (None
    with fewer than 6 repeats). p: Mann and Whitney's after Holm's correction over all changes. is_calm: whether the
    repeats of both met a calm machine; else a time is too high by an unknown share.
    """

    label: str
    variant: str
    params: dict[str, Any]
    phase: str
    device: str
    dtype: str
    batch_size: int | str
    lookback: int
    channels: int
    horizon: int
    threads: int
    normalise: str
    mode: str
    old_batch: int
    new_batch: int
    old_seconds: float
    new_seconds: float
    ratio: float
    low: float | None
    high: float | None
    p: float
    is_calm: bool

    def verdict(self, share: float) -> str:
        """`within` the share of 1; else `slower` or `faster`, or `unclear` where that may be chance."""
        if 1 - share <= self.ratio <= 1 + share:
            return "within"
        if self.p >= SIGNIFICANT or not self.is_calm:
            return "unclear"
        return "slower" if self.ratio < 1 else "faster"


@dataclass(frozen=True)
class Failure:
    """A cell that is in both folders and failed in `where`: OLD, NEW or both."""

    name: str
    where: str
    error: str


@dataclass(frozen=True)
class Comparison:
    """Every cell of two folders once: a change, a failure, or a name that only one folder has.

    changes: slowest first. notes: sentences on what else differs, and on what could not be read.
    """

    changes: tuple[Change, ...]
    failures: tuple[Failure, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    notes: tuple[str, ...]

    def counts(self, share: float) -> dict[str, int]:
        """How many changes have each verdict."""
        found = [change.verdict(share) for change in self.changes]
        return {verdict: found.count(verdict) for verdict in ("within", "slower", "faster", "unclear")}

    def is_worse(self, share: float) -> bool:
        """Whether a cell is slower beyond `share`, or failed in NEW alone."""
        return self.counts(share)["slower"] > 0 or any(failure.where == "NEW" for failure in self.failures)

    @property
    def median_ratio(self) -> float | None:
        return statistics.median(change.ratio for change in self.changes) if self.changes else None


def compare(old_folder: Path, new_folder: Path) -> Comparison:
    """The speed rows of both folders, matched by key. Raises InputError where nothing matches."""
    old, old_notes = _speed_rows(old_folder)
    new, new_notes = _speed_rows(new_folder)
    both = [key for key in old if key in new]
    if not both:
        raise InputError(
            f"no cell of {new_folder} is in {old_folder} too{_disjoint(old, new)}: "
            "run zoo speed with the same settings for both"
        )
    labels = _labels({**old, **new})
    names = {key: _name(labels[key], row) for key, row in {**old, **new}.items()}
    ended = [key for key in both if old[key].error is None and new[key].error is None]
    changes = _changes([(labels[key], old[key], new[key]) for key in ended])
    return Comparison(
        changes=tuple(sorted(changes, key=lambda change: change.ratio)),
        failures=tuple(_failure(names[key], old[key], new[key]) for key in both if key not in ended),
        only_old=tuple(names[key] for key in old if key not in new),
        only_new=tuple(names[key] for key in new if key not in old),
        notes=(
            *old_notes,
            *new_notes,
            *_differences([(old[key], new[key]) for key in ended]),
            *(note for key in ended for note in _fallbacks(names[key], old[key], new[key])),
        ),
    )


def sentences(comparison: Comparison, share: float) -> list[str]:
    """What a reader should take from a comparison: how much changed beyond `share`, and what has no ratio."""
    counts, percent, total = comparison.counts(share), f"{100 * share:.6g} %", _rows(len(comparison.changes))
    said = ["No row ended in both OLD and NEW."]
    if comparison.changes:
        said = [
            f"{total} matched; the median ratio is {comparison.median_ratio:.3f}.",
            f"{counts['within']} of {total} lie within {percent} of 1{_calmly(comparison, share)}.",
            f"Beyond {percent} and significant: {counts['slower']} slower, {counts['faster']} faster.",
        ]
    if counts["unclear"]:
        why = "too noisy, too few repeats, or a busy machine"
        said.append(f"Beyond {percent} but not significant ({why}): {counts['unclear']}.")
    for where, how in (("NEW", "in NEW alone"), ("OLD", "in OLD alone"), ("both", "in both")):
        failed = [f"{failure.name} ({failure.error})" for failure in comparison.failures if failure.where == where]
        if failed:
            said.append(f"{_rows(len(failed))} failed {how}: {_listed(failed)}.")
    for where, names in (("OLD", comparison.only_old), ("NEW", comparison.only_new)):
        if names:
            said.append(f"{_rows(len(names))} only in {where}: {_listed(names)}.")
    return said


def _calmly(comparison: Comparison, share: float) -> str:
    calm = [change.verdict(share) for change in comparison.changes if change.is_calm]
    if len(calm) == len(comparison.changes):
        return ""
    return f"; {calm.count('within')} of the {len(calm)} that met a calm machine both times"


def summary(comparison: Comparison, share: float) -> dict[str, Any]:
    """The comparison as plain values for JSON: `rows`, the changes with their verdicts, and a `summary` of all."""
    return {
        "rows": [asdict(change) | {"verdict": change.verdict(share)} for change in comparison.changes],
        "summary": {
            "matched": len(comparison.changes),
            "median_ratio": comparison.median_ratio,
            "threshold": share,
            **comparison.counts(share),
            "failures": [asdict(failure) for failure in comparison.failures],
            "only_old": list(comparison.only_old),
            "only_new": list(comparison.only_new),
            "notes": list(comparison.notes),
            "sentences": sentences(comparison, share),
        },
    }


def _speed_rows(folder: Path) -> tuple[dict[str, SpeedRow], list[str]]:
    """The speed rows of a folder by key, and sentences on what was left out."""
    rows, left_out = read_rows(folder)
    path = folder / "rows.jsonl"
    if not rows:
        why = f" ({left_out[0]})" if left_out else ""
        raise InputError(f"no rows in {path}{why}: run zoo speed --out {folder} first")
    usable = {row.key: row for row in rows if isinstance(row, SpeedRow)}
    if not usable:
        raise InputError(f"no speed rows in {path}: compare two folders of zoo speed, or two of zoo bench")
    return usable, [f"{folder}: {sentence}" for sentence in left_out]


def _changes(cells: Sequence[tuple[str, SpeedRow, SpeedRow]]) -> list[Change]:
    """One for each (label, old row, new row)."""
    times = [(_window_seconds(old), _window_seconds(new)) for _, old, new in cells]
    p_values = holm([difference_p(before, after) for before, after in times])
    changes = []
    for (label, old, new), (before, after), p in zip(cells, times, p_values, strict=True):
        speed = ratio_interval(after, before)  # throughput is one over time: OLD's time stands above NEW's
        changes.append(
            Change(
                label=label,
                **{name: getattr(old, name) for name in ASKED},
                old_batch=old.batch_measured or 0,
                new_batch=new.batch_measured or 0,
                old_seconds=statistics.median(old.repeats or ()),
                new_seconds=statistics.median(new.repeats or ()),
                ratio=speed.value,
                low=speed.low,
                high=speed.high,
                p=p,
                is_calm=all(row.is_calm is not False for row in (old, new)),
            )
        )
    return changes


def _window_seconds(row: SpeedRow) -> list[float]:
    # Per window: the largest batch that fits need not be the same in both folders.
    return [seconds / (row.batch_measured or 1) for seconds in row.repeats or ()]


def _failure(name: str, old: SpeedRow, new: SpeedRow) -> Failure:
    if new.error is None:
        return Failure(name, "OLD", str(old.error))
    return Failure(name, "NEW" if old.error is None else "both", str(new.error))


def _labels(rows: dict[str, SpeedRow]) -> dict[str, str]:
    """By key: the variant, and its settings that differ from those of its namesakes."""
    labels = {}
    settings = {key: {**{name: getattr(row, name) for name in UNLISTED}, **row.params} for key, row in rows.items()}
    for key, row in rows.items():
        namesakes = [settings[other] for other in rows if rows[other].variant == row.variant]
        own = settings[key]
        differing = [name for name in own if any(other.get(name) != own[name] for other in namesakes)]
        shown = ", ".join(f"{name}={own[name]}" for name in differing)
        labels[key] = f"{row.variant} ({shown})" if shown else row.variant
    return labels


def _name(label: str, row: SpeedRow) -> str:
    shape = f"lookback {row.lookback}, batch {row.batch_size}"
    return f"{label} {row.phase} {row.dtype} {row.mode}, {shape}"


def _differences(pairs: Sequence[tuple[SpeedRow, SpeedRow]]) -> list[str]:
    """Sentences on how the rows of some pair were not measured alike."""
    origins = [(_origin(old), _origin(new)) for old, new in pairs]
    parts = {}
    for name in dict.fromkeys(name for old, new in origins for name in (*old, *new)):
        differing = [(old.get(name, "none"), new.get(name, "none")) for old, new in origins]
        differing = [pair for pair in differing if pair[0] != pair[1]]
        if differing:
            before, after = (" and ".join(sorted(set(values))) for values in zip(*differing, strict=True))
            parts[name] = f"{name} ({before} in OLD, {after} in NEW)"
    commit = parts.pop("commit", None)
    said = [f"OLD and NEW differ in {commit}."] if commit else []
    if parts:
        said.append(f"OLD and NEW differ in {', '.join(parts.values())}: a ratio compares more than code.")
    return said


def _origin(row: SpeedRow) -> dict[str, str]:
    """What a timing depends on besides the cell, by name."""
    commit, dirty, _ = (row.commit or "unknown").partition("-dirty")
    origin = {**row.machine.model_dump(exclude_none=True), "torch": row.versions.get("torch"), "threads": row.threads}
    return {name: str(value) for name, value in origin.items()} | {"commit": commit[:12] + dirty}


def _fallbacks(name: str, old: SpeedRow, new: SpeedRow) -> list[str]:
    if bool(old.fallback) == bool(new.fallback):
        return []
    where = "OLD" if old.fallback else "NEW"
    return [f"{name} was measured in another mode in {where} alone ({old.fallback or new.fallback})."]


def _disjoint(old: dict[str, SpeedRow], new: dict[str, SpeedRow]) -> str:
    """In brackets, what was asked for and shares no value; nothing where there is none."""
    parts = []
    for name in ASKED:
        olds, news = ({json.dumps(getattr(row, name), sort_keys=True) for row in rows.values()} for rows in (old, new))
        if olds.isdisjoint(news):
            parts.append(f"{name} is {_listed(sorted(olds))} in OLD, {_listed(sorted(news))} in NEW")
    return f" ({', '.join(parts)})" if parts else ""


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more
