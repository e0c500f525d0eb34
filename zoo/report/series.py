"""Series: how the lines of a board of several series fare in each of them."""

import numpy as np

from zoo.report.board import Board, Line
from zoo.report.evidence import stored_of
from zoo.report.text_table import TextTable, table_of

SHARES = (10, 50, 90)  # percentiles over series


def series_table(board: Board) -> TextTable | None:
    """For each line the series in which it is ahead of naive, and percentiles of its skill; None for one series."""
    if board.series == 1:
        return None
    rows = []
    for line in board.lines:
        skills = skills_of(line)
        if skills is None or line.is_naive:
            continue
        known = 100 * skills[np.isfinite(skills)]
        ends = np.percentile(known, SHARES) if len(known) else [np.nan] * len(SHARES)
        row = {"skill % of": line.label, "ahead of naive": f"{int((known > 0).sum())} of {len(known)}"}
        row |= {f"{share} %": f"{end:+.2f}" for share, end in zip(SHARES, ends, strict=True)}
        rows.append((line.is_baseline, row))
    return table_of([row for _, row in rows], [flag for flag, _ in rows]) if rows else None


def skills_of(line: Line) -> np.ndarray | None:
    """The skill of a line in each series [S], a mean over its seeds; None where predictions are missing."""
    parts = [stored_of(run) for _, run in line.runs.iterrows()]
    if not parts or any(part is None or part.series is None for part in parts):
        return None
    return np.mean([part.skills_of_series() for part in parts if part is not None], axis=0)
