"""A folder of results: its rows as boards, its report.md and its pictures."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from zoo.errors import InputError
from zoo.files import write_text
from zoo.report.board import Board, boards, judged
from zoo.report.leaderboard import leaderboard, leaderboard_markdown
from zoo.report.markdown import markdown
from zoo.report.pictures import RANKS, draw_boards, draw_ranks
from zoo.run.results import results
from zoo.run.store import read_rows


@dataclass(frozen=True, eq=False)
class FolderReport:
    """The rows of a folder, their boards, and a sentence for each thing that was left out."""

    frame: pd.DataFrame
    boards: list[Board]
    left_out: tuple[str, ...]


def write_report(folder: Path) -> FolderReport:
    """Write report.md and the pictures of a folder that zoo bench wrote, from its rows and stored predictions.

    Raises InputError for a folder without accuracy rows and for one that cannot be written.
    """
    frame = results(folder)
    judged_boards = judged(frame)
    left_out = tuple(frame.attrs["left_out"])
    if not judged_boards:
        raise InputError(f"{folder} holds no rows of zoo bench")
    try:
        pictures = draw_boards(judged_boards, folder)
    except OSError as error:
        raise InputError(f"cannot write pictures to {folder}: {error.strerror}") from error
    write_text(folder / "report.md", markdown(judged_boards, left_out, pictures))
    return FolderReport(frame, judged_boards, left_out)


def write_leaderboard(folder: Path) -> tuple[str, list[str]]:
    """Rank the variants over every run in the folders of `folder`, into its README.md; returns the text and a sentence
    for each thing that was left out. Raises InputError where there is nothing to rank."""
    places = sorted(path.parent for path in folder.glob("*/rows.jsonl"))
    readable = [place for place in places if read_rows(place)[0]]
    frame = results(*readable) if readable else pd.DataFrame({"kind": []})
    rows = frame[frame["kind"] == "accuracy"]
    if rows.empty:
        raise InputError(f"no folder in {folder} holds results of zoo bench")
    try:
        ranked = leaderboard(boards(rows))
    except ValueError as error:
        raise InputError(f"{folder} has nothing to rank: {error}") from error
    if ranked.ranks is not None:
        draw_ranks(ranked.ranks, folder / RANKS)
    else:
        (folder / RANKS).unlink(missing_ok=True)
    first = rows.groupby("suite")["folder"].first()
    links = {suite: f"{Path(place).name}/report.md" for suite, place in first.items()}
    text = leaderboard_markdown(ranked, links, RANKS)
    write_text(folder / "README.md", text)
    return text, frame.attrs["left_out"]
