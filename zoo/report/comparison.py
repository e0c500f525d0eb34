"""What a comparison of two folders says: the verdict on each change, the table, the sentences and the exit code."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from zoo.report.tables import INTERVAL, interval_text
from zoo.report.text_table import TextTable, table_of

VERDICTS = ("within", "better", "worse", "unclear", "undecided")
MOST_NAMES = 8  # in a sentence
NARROW = ("variant", "gain %", INTERVAL, "verdict")  # these columns stay in any terminal


@dataclass(frozen=True)
class Change:
    """A line of both folders.

    old, new: its figure in each; gain: as a share of OLD's figure, above 0 is better; interval: of the gain, at a level
    at which all of the comparison hold together, None where `undecided` says why; sample: how many runs it rests on;
    group: the heading of its table; details: what else a program may read.
    """

    label: str
    old: float
    new: float
    gain: float
    interval: tuple[float, float] | None
    sample: str
    undecided: str = ""
    group: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def verdict(self, share: float) -> str:
        """`undecided` without an interval; `within` the share of no change; else `better` or `worse`, or `unclear`
        where that may be chance."""
        if self.interval is None:
            return "undecided"
        if abs(self.gain) <= share:
            return "within"
        if self.interval[0] <= 0 <= self.interval[1]:
            return "unclear"
        return "better" if self.gain > 0 else "worse"


@dataclass(frozen=True)
class Subject:
    """What is compared. figure, sample: headers of the figures and of what they rest on; written: a figure as text;
    legend: how to read the table; noise: a change that means nothing, the threshold where none is named."""

    figure: str
    sample: str
    written: Callable[[float], str]
    legend: str
    noise: float


@dataclass(frozen=True)
class Comparison:
    """Every line of two folders once. same: lines whose rows are the very same.

    failed: what ended in OLD and failed in NEW; apart: lines of both folders with no figures in common, each with the
    reason; notes: sentences on what else differs, and on what could not be read.
    """

    subject: Subject
    changes: list[Change] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    only_old: list[str] = field(default_factory=list)
    only_new: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def labels(self, share: float) -> dict[str, list[str]]:
        """The changes with each verdict."""
        verdicts = [(change.verdict(share), change.label) for change in self.changes]
        return {verdict: [label for found, label in verdicts if found == verdict] for verdict in VERDICTS}

    def exit_code(self, share: float) -> int:
        """1 if a line is worse beyond `share`, or failed in NEW alone; else 3 if one is undecided; else 0."""
        labels = self.labels(share)
        return 1 if labels["worse"] or self.failed else 3 if labels["undecided"] else 0


def sentences(comparison: Comparison, share: float) -> list[str]:
    """What a reader should take from a comparison: what changed beyond `share` and chance, and what has no partner."""
    labels, total = comparison.labels(share), len(comparison.changes)
    beyond = f" by more than {100 * share:.6g} %" if share else ""
    lines = [
        f"{len(names)} of {total} {verdict} in NEW{beyond}, by more than chance: {shortened(names)}."
        for verdict in ("better", "worse")
        if (names := labels[verdict])
    ]
    if total > len(labels["undecided"]) and not lines:
        lines.append(f"None of {total} is better or worse in NEW{beyond} by more than chance.")
    if labels["unclear"]:
        lines.append(f"{len(labels['unclear'])} of {total} unclear: the difference may be chance.")
    if labels["undecided"]:
        reasons = [change.undecided for change in comparison.changes if change.interval is None]
        counts = "; ".join(f"{reason} ({reasons.count(reason)})" for reason in dict.fromkeys(reasons))
        lines.append(f"{len(reasons)} of {total} undecided: {counts}.")
    groups = {
        "The same rows in both": comparison.same,
        "Failed in NEW alone": comparison.failed,
        "Not comparable": comparison.apart,
        "Only in OLD": comparison.only_old,
        "Only in NEW": comparison.only_new,
    }
    return lines + [f"{where} ({len(names)}): {shortened(names)}." for where, names in groups.items() if names]


def comparison_tables(comparison: Comparison, share: float, most: int) -> dict[str, TextTable]:
    """For each heading its changes, best gain first; at most so many in all, the most changed."""
    changed = sorted(comparison.changes, key=lambda change: -abs(math.log(max(1 + change.gain, 1e-9))))[:most]
    tables: dict[str, list[dict[str, str]]] = {}
    for change in sorted(changed, key=lambda change: -change.gain):
        tables.setdefault(change.group, []).append(
            {
                "variant": change.label,
                f"old {comparison.subject.figure}": comparison.subject.written(change.old),
                f"new {comparison.subject.figure}": comparison.subject.written(change.new),
                "gain %": f"{round(100 * change.gain, 2) + 0.0:+.2f}",
                INTERVAL: interval_text(change.interval),
                "verdict": change.verdict(share),
                comparison.subject.sample: change.sample,
            }
        )
    return {group: table_of(lines) for group, lines in tables.items()}


def summary(comparison: Comparison, share: float) -> dict[str, Any]:
    """The comparison as plain values for JSON: `rows`, the changes with their verdicts, and a `summary` of all."""
    rows = []
    for change in comparison.changes:
        fields = asdict(change)
        low, high = fields.pop("interval") or (None, None)
        rows.append({**fields.pop("details"), **fields, "low": low, "high": high, "verdict": change.verdict(share)})
    plain = {name: value for name, value in asdict(comparison).items() if name not in ("changes", "subject")}
    counts = {verdict: len(labels) for verdict, labels in comparison.labels(share).items()}
    gains = [change.gain for change in comparison.changes]
    figures = {"threshold": share, "median_gain": statistics.median(gains) if gains else None, **counts}
    return {"rows": rows, "summary": {**plain, **figures, "sentences": sentences(comparison, share)}}


def shortened(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return "; ".join(names[:MOST_NAMES]) + more
