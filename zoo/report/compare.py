"""Two folders of accuracy rows, variant by variant: whose errors changed on the same test windows, and is it real."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.errors import InputError
from zoo.metrics import METRICS
from zoo.report.board import Board, Line, boards, counted
from zoo.report.evidence import losses_of
from zoo.report.tables import INTERVAL, interval_text
from zoo.report.text_table import TextTable, table_of
from zoo.run.results import results
from zoo.stats.intervals import skill_interval, table_level

LEGEND = (
    "gain: 1 - NEW's mean rmse over seeds / OLD's, on the same test windows. interval: of the gain, for other test "
    "windows and seeds; all intervals of a comparison hold together with 95 %. verdict: better or worse where the "
    "interval excludes zero, else unclear; within: no more than the threshold (0 without --fail-on)."
)


@dataclass(frozen=True)
class Change:
    """A line of both folders, over the seeds that both have; labels as on their boards.

    gain: 1 - NEW's mean rmse / OLD's, above 0 is better; with its interval (low, high), None where predictions are
    missing, too few or of other windows.
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

    def verdict(self, share: float) -> str:
        """`within` the share of no change; else `better` or `worse`, or `unclear` where that may be chance."""
        if abs(self.gain) <= share:
            return "within"
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "unclear"
        return "better" if self.gain > 0 else "worse"


@dataclass(frozen=True)
class Comparison:
    """Every variant of two folders once. changes: best gain first; same: lines whose rows are the very same.

    failed: what ended in OLD and failed in NEW, whole variants or single seeds; apart: lines of both folders that no
    seed ended in common, each with the reason.
    """

    changes: list[Change] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    only_old: list[str] = field(default_factory=list)
    only_new: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def counts(self, share: float) -> dict[str, int]:
        """How many changes have each verdict."""
        verdicts = [change.verdict(share) for change in self.changes]
        return {verdict: verdicts.count(verdict) for verdict in ("within", "better", "worse", "unclear")}

    def is_worse(self, share: float) -> bool:
        """Whether a variant is worse beyond `share`, or failed in NEW alone."""
        return self.counts(share)["worse"] > 0 or bool(self.failed)


def compare(old_folder: Path, new_folder: Path) -> Comparison:
    """The accuracy rows of both folders, matched by problem, data and variant, and by settings where both have them.

    A tuned line of NEW that OLD has no tuned line for is set against OLD's default: what tuning bought. Raises
    InputError where nothing matches.
    """
    (old, notes), (new, more) = _boards(old_folder), _boards(new_folder)
    both = [key for key in old if key in new]
    if not both:
        raise InputError(
            f"{new_folder} has no problem in common with {old_folder}: data, channels, targets, lookback, horizon, "
            "split, scaler, normalise and device must be the same in both"
        )
    comparison = Comparison(notes=[*notes, *more])
    partners = {key: list(_pairs(old[key], new[key])) for key in both}
    level = table_level(sum(map(len, partners.values())))
    for key, pairs in partners.items():
        comparison.only_old.extend(line.label for line in old[key].lines if line not in [before for before, _ in pairs])
        comparison.only_new.extend(line.label for line in new[key].lines if line not in [after for _, after in pairs])
        for before, after in pairs:
            _sort_in(comparison, new[key], before, after, level)
    return replace(comparison, changes=sorted(comparison.changes, key=lambda change: -change.gain))


def _sort_in(comparison: Comparison, board: Board, before: Line, after: Line, level: float) -> None:
    """Add a pair of lines to the list where it belongs, and to those that failed if a seed did in NEW alone."""
    lost = after.failed[after.failed["seed"].isin(before.runs["seed"])]
    if len(lost):
        seeds = f" for {counted(len(lost), 'seed')}" if len(after.runs) else ""
        comparison.failed.append(f"{after.label}{seeds} ({lost.iloc[0]['error']})")
    if len(before.runs) and _outcomes(before).equals(_outcomes(after)):
        comparison.same.append(after.label)
    elif change := _change(board, before, after, level):
        comparison.changes.append(change)
    elif lost.empty:
        comparison.apart.append(f"{after.label} ({_why_apart(before, after)})")


def sentences(comparison: Comparison, share: float) -> list[str]:
    """What a reader should take from a comparison: what changed beyond `share` and chance, and what has no partner."""
    counts, total = comparison.counts(share), len(comparison.changes)
    beyond = f" by more than {100 * share:.6g} %" if share else ""
    lines = []
    for verdict in ("better", "worse"):
        names = [change.new_label for change in comparison.changes if change.verdict(share) == verdict]
        if names:
            lines.append(f"{len(names)} of {total} {verdict} in NEW{beyond}, by more than chance: {', '.join(names)}.")
    if total and not lines:
        lines.append(f"None of {total} is better or worse in NEW{beyond} by more than chance.")
    if counts["unclear"]:
        lines.append(f"{counts['unclear']} of {total} unclear: the difference may be chance.")
    groups = {
        "The same rows in both": comparison.same,
        "Failed in NEW alone": comparison.failed,
        "Not comparable": comparison.apart,
        "Only in OLD": comparison.only_old,
        "Only in NEW": comparison.only_new,
    }
    return lines + [f"{where} ({len(names)}): {'; '.join(names)}." for where, names in groups.items() if names]


def comparison_tables(comparison: Comparison, share: float) -> dict[str, TextTable]:
    """For each problem its changes, best gain first."""
    tables: dict[str, list[dict[str, str]]] = {}
    for change in comparison.changes:
        is_usual = change.old_label in (change.new_label, change.new_label.removesuffix(" (tuned)"))
        interval = None if change.low is None or change.high is None else (change.low, change.high)
        tables.setdefault(change.problem, []).append(
            {
                "variant": change.new_label if is_usual else f"{change.new_label} against {change.old_label}",
                "old rmse": f"{change.old_rmse:.5g}",
                "new rmse": f"{change.new_rmse:.5g}",
                "gain %": f"{100 * change.gain:+.2f}",
                INTERVAL: interval_text(interval),
                "verdict": change.verdict(share),
                "seeds": str(change.seeds),
            }
        )
    return {problem: table_of(lines) for problem, lines in tables.items()}


def summary(comparison: Comparison, share: float) -> dict[str, Any]:
    """The comparison as plain values for JSON."""
    changes = [asdict(change) | {"verdict": change.verdict(share)} for change in comparison.changes]
    plain = {name: value for name, value in asdict(comparison).items() if name != "changes"}
    texts = sentences(comparison, share)
    return {"rows": changes, "summary": {**plain, "threshold": share, **comparison.counts(share), "sentences": texts}}


def _boards(folder: Path) -> tuple[dict[tuple[Any, ...], Board], list[str]]:
    frame = results(folder)
    return {board.key: board for board in boards(frame)}, [f"{folder}: {note}" for note in frame.attrs["left_out"]]


def _pairs(old: Board, new: Board) -> Iterator[tuple[Line, Line]]:
    """Lines set against each other."""
    for line in new.lines:
        namesakes = [other for other in old.lines if other.variant == line.variant]
        alike = [other for other in namesakes if other.is_tuned == line.is_tuned]
        exact = [other for other in alike if other.settings == line.settings]
        # The only line of a variant on either side is its partner whatever its settings; one of several needs the same.
        twins = [other for other in new.lines if (other.variant, other.is_tuned) == (line.variant, line.is_tuned)]
        partners = exact or (alike if len(twins) == 1 else []) if alike else namesakes
        if len(partners) == 1:
            yield partners[0], line


def _why_apart(before: Line, after: Line) -> str:
    for line, where in ((before, "OLD"), (after, "NEW")):
        if line.runs.empty:
            return f"failed in {where}: {line.failed.iloc[0]['error']}"
    return "OLD makes no error" if before.runs["seed"].isin(after.runs["seed"]).any() else "no seed in common"


def _change(board: Board, before: Line, after: Line, level: float) -> Change | None:
    """None where there is no seed that ended in both, or where OLD makes no error."""
    seeds = [seed for seed in after.runs["seed"] if seed in set(before.runs["seed"])]
    olds, news = (line.runs.set_index("seed").loc[seeds] for line in (before, after))
    if not seeds or olds["rmse"].isna().any() or news["rmse"].isna().any() or olds["rmse"].min() <= 0:
        return None
    means = float(olds["rmse"].mean()), float(news["rmse"].mean())
    interval = None
    other, own = losses_of(olds), losses_of(news)
    if other is not None and own is not None and np.array_equal(other[1], own[1]):  # the same windows
        interval = skill_interval(own[0], other[0], horizon=board.horizon, level=level)
    low, high = interval or (None, None)
    gain = 1 - means[1] / means[0]
    problem = f"{', '.join(board.targets)} of {Path(board.source).name}"
    return Change(problem, before.label, after.label, len(seeds), *means, gain, low, high)


def _outcomes(line: Line) -> pd.DataFrame:
    return line.runs.reindex(columns=["key", *METRICS]).reset_index(drop=True)
