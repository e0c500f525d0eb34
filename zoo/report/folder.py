"""A folder of results: its rows as boards, its report.md and its pictures."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from zoo.errors import InputError
from zoo.files import write_atomically
from zoo.report.board import Board, judged
from zoo.report.markdown import markdown
from zoo.report.pictures import draw_boards
from zoo.run.results import results


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
    boards = judged(frame)
    left_out = tuple(frame.attrs["left_out"])
    if not boards:
        raise InputError(f"{folder} holds no rows of zoo bench")
    try:
        pictures = draw_boards(boards, folder)
    except OSError as error:
        raise InputError(f"cannot write pictures to {folder}: {error.strerror}") from error
    write_text(folder / "report.md", markdown(boards, left_out, pictures))
    return FolderReport(frame, boards, left_out)


def write_text(path: Path, text: str) -> None:
    """Put text at path, whole or not at all; raises InputError where that is not possible."""
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
