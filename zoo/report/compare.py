"""Two folders of accuracy rows, variant by variant: whose errors changed on the same test windows, and is it real."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import InputError
from zoo.report.board import Board, Line, boards, settings_of
from zoo.report.evidence import SIGNIFICANT
from zoo.report.predictions import Load, stored_in
from zoo.run.store import read_rows
from zoo.stats.accuracy import diebold_mariano
from zoo.stats.intervals import skill_interval
from zoo.stats.timings import holm


@dataclass(frozen=True)
class Change:
    """One variant on one problem that ended in both folders; labels as on their boards.

    old_rmse, new_rmse: means over the seeds that both have. gain: the mean over these of 1 - NEW's rmse / OLD's,
    above 0 is better, with its 95 % interval over test windows and seeds; p: Diebold and Mariano's after Holm's
    correction over all changes. Interval and p are None where predictions are not stored or not of the same windows.
    """

    problem: str
    old_label: str
    new_label: str
    seeds: int
    old_rmse: float
    new_rmse: float
    gain: float
    low: float | None
    high: float | None
    p: float | None

    def verdict(self, share: float) -> str:
        """`within` the share of no change; else `better` or `worse`, or `unclear` where that may be chance."""
        if abs(self.gain) <= share:
            return "within"
        excludes_zero = self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)
        if self.p is None or self.p >= SIGNIFICANT or not excludes_zero:
            return "unclear"
        return "better" if self.gain > 0 else "worse"


@dataclass(frozen=True)
class Comparison:
    """Every variant of two folders once. changes: best gain first; same: lines whose rows are the very same.

    failed: what ended in OLD and failed in NEW, whole variants or single seeds; apart: lines of both folders that no
    seed ended in common, each with the reason.
    """

    changes: tuple[Change, ...]
    same: tuple[str, ...]
    failed: tuple[str, ...]
    apart: tuple[str, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    notes: tuple[str, ...]

    def counts(self, share: float) -> dict[str, int]:
        """How many changes have each verdict."""
        found = [change.verdict(share) for change in self.changes]
        return {verdict: found.count(verdict) for verdict in ("within", "better", "worse", "unclear")}

    def is_worse(self, share: float) -> bool:
        """Whether a variant is worse beyond `share`, or failed in NEW alone."""
        return self.counts(share)["worse"] > 0 or bool(self.failed)


def compare(old_folder: Path, new_folder: Path) -> Comparison:
    """The accuracy rows of both folders, matched by problem, data and variant, and the same settings where there are.

    A tuned line of NEW that OLD has no tuned line for is set against OLD's default: what tuning bought. Raises
    InputError where nothing matches.
    """
    (old, notes), (new, more) = _boards(old_folder), _boards(new_folder)
    both = [key for key in old if key in new]
    if not both:
        raise InputError(
            f"{new_folder} forecasts nothing that {old_folder} does: data, channels, targets, lookback, horizon, "
            "split, scaler, normalise and device must be the same in both"
        )
    changes, same, failed, apart, only_old, only_new = [], *(list[str]() for _ in range(5))
    loads = stored_in(old_folder), stored_in(new_folder)
    for key in both:
        pairs, lone_old, lone_new = _pairs(old[key], new[key])
        only_old += [line.label for line in lone_old]
        only_new += [line.label for line in lone_new]
        for before, after in pairs:
            ended = {row["seed"] for row in before.rows}
            lost = [row for row in after.failed if row["seed"] in ended]
            if lost:
                seeds = f" for {len(lost)} seed{'s' * (len(lost) != 1)}" if after.rows else ""
                failed.append(f"{after.label}{seeds} ({lost[0]['error']})")
            if before.rows and [_outcome(row) for row in before.rows] == [_outcome(row) for row in after.rows]:
                same.append(after.label)
            elif change := _change(_told(new[key]), before, after, new[key].problem["horizon"], loads):
                changes.append(change)
            elif not lost:
                apart.append(f"{after.label} ({_why_apart(before, after)})")
    tested = [change for change in changes if change.p is not None]
    corrected = iter(holm([change.p for change in tested if change.p is not None])) if tested else iter(())
    changes = [change if change.p is None else replace(change, p=next(corrected)) for change in changes]
    return Comparison(
        tuple(sorted(changes, key=lambda change: -change.gain)),
        tuple(same),
        tuple(failed),
        tuple(apart),
        tuple(only_old),
        tuple(only_new),
        (*notes, *more),
    )


def sentences(comparison: Comparison, share: float) -> list[str]:
    """What a reader should take from a comparison: who changed beyond `share` and chance, and what has no partner."""
    counts, total = comparison.counts(share), len(comparison.changes)
    beyond = f" by more than {100 * share:.6g} %" if share else ""
    said = []
    for verdict in ("better", "worse"):
        names = [change.new_label for change in comparison.changes if change.verdict(share) == verdict]
        if names:
            said.append(f"{len(names)} of {total} {verdict} in NEW{beyond}, by more than chance: {', '.join(names)}.")
    if total and not said:
        said.append(f"None of {total} is better or worse in NEW{beyond} by more than chance.")
    if counts["unclear"]:
        said.append(f"{counts['unclear']} differ by what may be chance.")
    for group, where in (
        (comparison.same, "are the same rows in both"),
        (comparison.failed, "failed in NEW alone"),
        (comparison.apart, "cannot be compared"),
        (comparison.only_old, "are in OLD alone"),
        (comparison.only_new, "are in NEW alone"),
    ):
        if group:
            said.append(f"{len(group)} {where}: {'; '.join(group)}.")
    return said


def summary(comparison: Comparison, share: float) -> dict[str, Any]:
    """The comparison as plain values for JSON."""
    plain = asdict(comparison)
    changes = [asdict(change) | {"verdict": change.verdict(share)} for change in comparison.changes]
    return {
        "rows": changes,
        "summary": {name: value for name, value in plain.items() if name != "changes"}
        | {"threshold": share, **comparison.counts(share), "sentences": sentences(comparison, share)},
    }


def _boards(folder: Path) -> tuple[dict[str, Board], list[str]]:
    rows, left_out = read_rows(folder)
    if not rows:
        why = f" that can be compared ({left_out[0]})" if left_out else ""
        raise InputError(f"no rows in {folder / 'rows.jsonl'}{why}: run zoo bench ... --out {folder} first")
    notes = [f"{folder / 'rows.jsonl'}: {sentence}" for sentence in left_out]
    return {board.asked: board for board in boards(rows)}, notes


def _pairs(old: Board, new: Board) -> tuple[list[tuple[Line, Line]], list[Line], list[Line]]:
    """Lines set against each other, and those of OLD and of NEW that have no partner."""
    pairs, lone = [], []
    for line in new.lines:
        namesakes = [other for other in old.lines if other.variant == line.variant]
        alike = [other for other in namesakes if bool(other.tuning) == bool(line.tuning)]
        exact = [other for other in alike if settings_of(other.first) == settings_of(line.first)]
        # The only line of a variant on either side is its partner whatever its settings; one of several needs the same.
        twins = [
            other for other in new.lines if other.variant == line.variant and bool(other.tuning) == bool(line.tuning)
        ]
        partners = exact or (alike if len(twins) == 1 else []) if alike else namesakes
        if len(partners) == 1:
            pairs.append((partners[0], line))
        else:
            lone.append(line)
    taken = {before.label for before, _ in pairs}
    return pairs, [line for line in old.lines if line.label not in taken], lone


def _why_apart(before: Line, after: Line) -> str:
    for line, where in ((before, "OLD"), (after, "NEW")):
        if not line.rows:
            return f"failed in {where}: {line.failed[0]['error']}"
    has_common = bool({row["seed"] for row in before.rows} & {row["seed"] for row in after.rows})
    return "OLD makes no error" if has_common else "no seed in common"


def _change(problem: str, before: Line, after: Line, horizon: int, loads: tuple[Load, Load]) -> Change | None:
    """None where there is no seed that ended in both."""
    olds, news = ({row["seed"]: row for row in line.rows} for line in (before, after))
    seeds = [seed for seed in news if seed in olds]
    errors = [(olds[seed]["metrics"]["rmse"], news[seed]["metrics"]["rmse"]) for seed in seeds]
    if not errors or min(old for old, _ in errors) <= 0:
        return None
    own_gain = float(np.mean([1 - new / old for old, new in errors]))
    losses = [[_losses(rows[seed], load) for seed in seeds] for rows, load in zip((olds, news), loads, strict=True)]
    interval, p = None, None
    stored = [[one for one in group if one is not None] for group in losses]
    if len(stored[0]) == len(stored[1]) == len(seeds) and len({one[1].tobytes() for one in stored[0] + stored[1]}) == 1:
        own, other = (np.stack([one[0] for one in group]) for group in (stored[1], stored[0]))
        interval = skill_interval(own, other, horizon=horizon)
        found = diebold_mariano(own.mean(axis=0), other.mean(axis=0), horizon=horizon)
        if found is not None:  # losses that contradict the gain are no evidence for it
            p = found[1] if (found[0] < 0) == (own_gain > 0) else 1.0
    return Change(
        problem=problem,
        old_label=before.label,
        new_label=after.label,
        seeds=len(seeds),
        old_rmse=float(np.mean([old for old, _ in errors])),
        new_rmse=float(np.mean([new for _, new in errors])),
        gain=own_gain,
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        p=p,
    )


def _losses(row: dict[str, Any], load: Load) -> tuple[np.ndarray, np.ndarray] | None:
    """(losses [n], the truth that they are measured against)."""
    stored = load(row)
    losses = stored.losses() if stored is not None else None
    return None if stored is None or losses is None else (losses, stored.truth)


def _outcome(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["key"], row["metrics"]


def _told(board: Board) -> str:
    return f"{', '.join(board.problem['targets'])} of {Path(board.data['source']).name}"
