"""Two folders of accuracy rows, variant by variant: whose errors changed on the same test windows, and is it real."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.errors import InputError
from zoo.metrics import METRICS
from zoo.report.board import Board, Line, boards, counted
from zoo.report.comparison import Change, Comparison, Subject
from zoo.report.evidence import losses_of
from zoo.run.results import results
from zoo.stats.intervals import skill_interval, table_level

SUBJECT = Subject(
    figure="error",
    sample="seeds",
    written="{:.5g}".format,
    legend="error: rmse, of quantiles crps, of directions brier, of classes error_rate. gain: 1 - NEW's mean error "
    "over seeds / OLD's, on the same test windows. interval: of the gain, for other test windows and seeds; all "
    "intervals of a comparison hold "
    "together with 95 %. verdict: better or worse where the interval excludes zero, else unclear; within: no more than "
    "the threshold (0 without --fail-on); undecided: no interval could be computed.",
    noise=0.0,
)


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
    comparison = Comparison(SUBJECT, notes=[*notes, *more])
    partners = {key: list(_pairs(old[key], new[key])) for key in both}
    level = table_level(sum(map(len, partners.values())))
    for key, pairs in partners.items():
        comparison.only_old.extend(line.label for line in old[key].lines if line not in [before for before, _ in pairs])
        comparison.only_new.extend(line.label for line in new[key].lines if line not in [after for _, after in pairs])
        for before, after in pairs:
            _sort_in(comparison, new[key], before, after, level)
    comparison.changes.sort(key=lambda change: -change.gain)
    return comparison


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
    if (
        not seeds
        or olds[board.task.error].isna().any()
        or news[board.task.error].isna().any()
        or olds[board.task.error].min() <= 0
    ):
        return None
    interval, undecided = None, "usable predictions are missing"
    other, own = losses_of(olds), losses_of(news)
    if other is not None and own is not None and np.array_equal(other[1], own[1]):  # the same windows
        interval = skill_interval(
            own[0], other[0], horizon=board.horizon, level=level, is_squared=board.task.is_squared
        )
        undecided = "too few test windows for the horizon, or errors too uneven"
    is_usual = before.label in (after.label, after.label.removesuffix(" (tuned)"))
    old, new = float(olds[board.task.error].mean()), float(news[board.task.error].mean())
    return Change(
        label=after.label if is_usual else f"{after.label} against {before.label}",
        old=old,
        new=new,
        gain=1 - new / old,
        interval=interval,
        sample=str(len(seeds)),
        undecided=undecided if interval is None else "",
        group=f"{', '.join(board.targets)} of {Path(board.source).name}",
        details={"old_label": before.label, "new_label": after.label},
    )


def _outcomes(line: Line) -> pd.DataFrame:
    return line.runs.reindex(columns=["key", *METRICS]).reset_index(drop=True)
