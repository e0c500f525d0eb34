"""Two folders of speed rows, cell by cell: what became slower or faster, and by more than noise."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.cell import SpeedCell, SpeedRow
from zoo.errors import InputError
from zoo.run.results import frame_of
from zoo.run.store import NAME, read_rows
from zoo.speed.table import cell_name, form_text, models, parameters
from zoo.stats.timings import difference_p, holm, ratio_interval

SIGNIFICANT = 0.05  # a p-value below it is hardly chance
SETTINGS = ["device", "channels", "horizon", "threads", "normalise"]  # in a label, where cells differ in them
SETTINGS_IN_KEY = [name for name in SpeedCell.model_fields if name not in ("kind", "key", "suite", "tags", "code")]


class Change(SpeedCell):
    """A cell that ended in both folders; label: its variant, with the settings in which its namesakes differ.

    seconds: median of a step. ratio: throughput, NEW / OLD, so above 1 is faster, with its 95 % interval (None
    with fewer than 6 repeats). p: Mann and Whitney's after Holm's correction over all changes. is_calm: whether the
    repeats of both met a calm machine; else a time is too high by an unknown share.
    """

    label: str
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
        verdicts = [change.verdict(share) for change in self.changes]
        return {verdict: verdicts.count(verdict) for verdict in ("within", "slower", "faster", "unclear")}

    def is_worse(self, share: float) -> bool:
        """Whether a cell is slower beyond `share`, or failed in NEW alone."""
        return self.counts(share)["slower"] > 0 or any(failure.where == "NEW" for failure in self.failures)

    @property
    def median_ratio(self) -> float | None:
        return statistics.median(change.ratio for change in self.changes) if self.changes else None


def compare(old_folder: Path, new_folder: Path) -> Comparison:
    """The speed rows of both folders, matched by all that their keys hold but the code. Raises InputError where nothing
    matches."""
    (old, old_notes), (new, new_notes) = _speed_rows(old_folder), _speed_rows(new_folder)
    both = [key for key in old if key in new]
    if not both:
        raise InputError(
            f"no cell of {new_folder} is in {old_folder} too{_disjoint(old, new)}: "
            "run zoo speed with the same settings for both"
        )
    rows = {**old, **new}
    frame = frame_of([(new_folder, row) for row in rows.values()])
    label_of = dict(zip(rows, models(frame, [*SETTINGS, *parameters(frame)]), strict=True))
    names = {key: cell_name(label_of[key] + form_text(row.mode, row.dtype), row) for key, row in rows.items()}
    ended = [key for key in both if old[key].error is None and new[key].error is None]
    notes = [*old_notes, *new_notes, *_differences([(old[key], new[key]) for key in ended])]
    variants = {old[key].variant for key in ended if old[key].code and new[key].code and old[key].code != new[key].code}
    if variants:
        notes.append(f"OLD and NEW ran different code of {', '.join(sorted(variants))}.")
    for key in ended:
        if bool(old[key].fallback) != bool(new[key].fallback):
            where, why = "OLD" if old[key].fallback else "NEW", old[key].fallback or new[key].fallback
            notes.append(f"{names[key]} was measured in another mode in {where} alone ({why}).")
    return Comparison(
        changes=_changes([(label_of[key], old[key], new[key]) for key in ended]),
        failures=tuple(_failure(names[key], old[key].error, new[key].error) for key in both if key not in ended),
        only_old=tuple(names[key] for key in old if key not in new),
        only_new=tuple(names[key] for key in new if key not in old),
        notes=tuple(notes),
    )


def sentences(comparison: Comparison, share: float) -> list[str]:
    """What a reader should take from a comparison: how much changed beyond `share`, and what has no ratio."""
    counts, percent, total = comparison.counts(share), f"{100 * share:.6g} %", _rows(len(comparison.changes))
    lines = ["No row ended in both OLD and NEW."]
    if comparison.changes:
        calm = [change.verdict(share) for change in comparison.changes if change.is_calm]
        of_calm = f"; {calm.count('within')} of the {len(calm)} that met a calm machine both times"
        within = f"{counts['within']} of {total} lie within {percent} of 1"
        lines = [
            f"{total} matched; the median ratio is {comparison.median_ratio:.3f}.",
            f"{within}{of_calm if len(calm) < len(comparison.changes) else ''}.",
            f"Beyond {percent} and significant: {counts['slower']} slower, {counts['faster']} faster.",
        ]
    if counts["unclear"]:
        why = "too noisy, too few repeats, or a busy machine"
        lines.append(f"Beyond {percent} but not significant ({why}): {counts['unclear']}.")
    failed = [(failure.where, f"{failure.name} ({failure.error})") for failure in comparison.failures]
    groups = {f"failed in {side} alone": [name for where, name in failed if where == side] for side in ("NEW", "OLD")}
    groups["failed in both"] = [name for where, name in failed if where == "both"]
    groups |= {"only in OLD": list(comparison.only_old), "only in NEW": list(comparison.only_new)}
    return lines + [f"{_rows(len(names))} {text}: {_listed(names)}." for text, names in groups.items() if names]


def summary(comparison: Comparison, share: float) -> dict[str, Any]:
    """The comparison as plain values for JSON: `rows`, the changes with their verdicts, and a `summary` of all."""
    rows = [change.model_dump(mode="json") | {"verdict": change.verdict(share)} for change in comparison.changes]
    others = {name: value for name, value in asdict(comparison).items() if name != "changes"}
    figures = {"matched": len(rows), "median_ratio": comparison.median_ratio, "threshold": share}
    return {
        "rows": rows,
        "summary": {**figures, **comparison.counts(share), **others, "sentences": sentences(comparison, share)},
    }


def _speed_rows(folder: Path) -> tuple[dict[str, SpeedRow], list[str]]:
    """The speed rows of a folder by what was timed, whatever the code, and sentences on what was left out."""
    rows, left_out = read_rows(folder)
    path = folder / NAME
    if not rows:
        why = f" ({left_out[0]})" if left_out else ""
        raise InputError(f"no rows in {path}{why}: run zoo speed --out {folder} first")
    speed_rows = {row.model_copy(update={"code": None}).keyed().key: row for row in rows if isinstance(row, SpeedRow)}
    if not speed_rows:
        raise InputError(f"no speed rows in {path}: compare two folders of zoo speed, or two of zoo bench")
    return speed_rows, [f"{folder}: {sentence}" for sentence in left_out]


def _changes(cells: Sequence[tuple[str, SpeedRow, SpeedRow]]) -> tuple[Change, ...]:
    """One for each (label, old row, new row), slowest first."""
    # Per window: the largest batch that fits need not be the same in both folders.
    times = [
        [[seconds / (row.batch_measured or 1) for seconds in row.repeats or ()] for row in (old, new)]
        for _, old, new in cells
    ]
    p_values = holm([difference_p(before, after) for before, after in times])
    changes = []
    for (label, old, new), (before, after), p in zip(cells, times, p_values, strict=True):
        speed = ratio_interval(after, before)  # throughput is one over time: OLD's time stands above NEW's
        changes.append(
            Change(
                **{name: getattr(new, name) for name in SpeedCell.model_fields},
                label=label,
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
    return tuple(sorted(changes, key=lambda change: change.ratio))


def _failure(name: str, old: str | None, new: str | None) -> Failure:
    return Failure(name, "both" if old and new else "NEW" if new else "OLD", str(new or old))


def _differences(pairs: Sequence[tuple[SpeedRow, SpeedRow]]) -> list[str]:
    """Sentences on how the rows of some pair were not measured alike."""
    origins = [(_origin(old), _origin(new)) for old, new in pairs]
    parts = {}
    for name in origins[0][0] if origins else ():
        if differing := [(old[name], new[name]) for old, new in origins if old[name] != new[name]]:
            before, after = (" and ".join(sorted(set(values))) for values in zip(*differing, strict=True))
            parts[name] = f"{name} ({before} in OLD, {after} in NEW)"
    commit = parts.pop("commit", None)
    lines = [f"OLD and NEW differ in {commit}."] if commit else []
    return lines + [f"OLD and NEW differ in {', '.join(parts.values())}: a ratio compares more than code."] * bool(
        parts
    )


def _origin(row: SpeedRow) -> dict[str, str]:
    """What a timing depends on besides the cell, by name."""
    commit, dirty, _ = (row.commit or "unknown").partition("-dirty")
    origin = {**row.machine.model_dump(), "torch": row.versions.get("torch"), "commit": commit[:12] + dirty}
    return {name: str(value or "none") for name, value in origin.items()}


def _disjoint(old: Mapping[str, SpeedRow], new: Mapping[str, SpeedRow]) -> str:
    """In brackets, the settings that have no value in common; nothing where there is none."""
    parts = []
    for name in SETTINGS_IN_KEY:
        olds, news = ({str(getattr(row, name)) for row in rows.values()} for rows in (old, new))
        if olds.isdisjoint(news):
            parts.append(f"{name} is {_listed(sorted(olds))} in OLD, {_listed(sorted(news))} in NEW")
    return f" ({', '.join(parts)})" if parts else ""


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more
