"""Two folders of speed rows, cell by cell: what became slower or faster, and by more than processes differ."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.cell import SpeedCell, SpeedRow
from zoo.errors import InputError
from zoo.report.comparison import Change, Comparison, Subject, shortened
from zoo.run.results import frame_of
from zoo.run.store import NAME, read_rows
from zoo.stats.intervals import table_level
from zoo.stats.timings import ratio_interval
from zoo.throughput.passes import NOISE, pass_rates, why_undecided
from zoo.throughput.table import cell_name, form_text, models, parameters

SETTINGS = ["device", "channels", "horizon", "threads", "normalise"]  # in a label, where cells differ in them
SETTINGS_IN_KEY = [name for name in SpeedCell.model_fields if name not in ("kind", "key", "suite", "tags", "code")]
SUBJECT = Subject(
    figure="windows/s",
    sample="passes",
    written=lambda rate: f"{rate:,.0f}" if rate >= 1000 else f"{rate:.4g}",
    legend="windows/s: the median of each pass, a process of its own; geometric mean over passes. gain: NEW's / OLD's "
    "- 1; below 0 is slower. interval: of the gain, by Welch's t over passes; all intervals of a comparison hold "
    "together with 95 %. verdict: better or worse where the interval excludes zero, else unclear; within: no more than "
    "the threshold (5 % without --fail-on); undecided: a busy machine or too few passes. passes: calm ones, OLD, NEW.",
    noise=NOISE,
)


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
    level = table_level(len(ended))
    changes = [_change(names[key], old[key], new[key], level) for key in ended]
    lost = [key for key in both if new[key].error is not None and old[key].error is None]
    failed_before = [key for key in both if old[key].error is not None]
    return Comparison(
        SUBJECT,
        changes=sorted(changes, key=lambda change: -change.gain),
        failed=[f"{names[key]} ({new[key].error})" for key in lost],
        apart=[f"{names[key]} (failed in OLD: {old[key].error})" for key in failed_before],
        only_old=[names[key] for key in old if key not in new],
        only_new=[names[key] for key in new if key not in old],
        notes=notes,
    )


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
    if others := len(rows) - sum(isinstance(row, SpeedRow) for row in rows):
        left_out.append(f"{others} rows of zoo bench are not compared: compare a folder that holds them alone")
    return speed_rows, [f"{folder}: {sentence}" for sentence in left_out]


def _change(label: str, old: SpeedRow, new: SpeedRow, level: float) -> Change:
    before, after = pass_rates(old), pass_rates(new)
    sides = {"OLD": why_undecided(old), "NEW": why_undecided(new)}
    reasons = {reason: " and ".join(side for side in sides if sides[side] == reason) for reason in sides.values()}
    undecided = "; ".join(f"{reason} in {where}" for reason, where in reasons.items() if reason)
    ratio = ratio_interval(before, after, level)
    interval = None if undecided or ratio.low is None or ratio.high is None else (ratio.low - 1, ratio.high - 1)
    batches = {"old_batch": old.batch_measured, "new_batch": new.batch_measured}
    return Change(
        label=label,
        old=statistics.geometric_mean(before),
        new=statistics.geometric_mean(after),
        gain=ratio.value - 1,
        interval=interval,
        sample=f"{len(before)}, {len(after)}",
        undecided=undecided,
        details=new.model_dump(mode="json", include=set(SETTINGS_IN_KEY)) | batches,
    )


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
            parts.append(f"{name} is {shortened(sorted(olds))} in OLD, {shortened(sorted(news))} in NEW")
    return f" ({', '.join(parts)})" if parts else ""
