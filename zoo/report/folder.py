"""A folder of results: its rows as boards, its report.md and its pictures; and the leaderboard over several."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from zoo.errors import InputError
from zoo.files import check_contents, remove_picture, write_text
from zoo.report.board import MINIMUM_SKILL, Board
from zoo.report.chart import Figure, png
from zoo.report.evidence import judged
from zoo.report.formats import as_text
from zoo.report.leaderboard import RANKS, leaderboard, leaderboard_markdown
from zoo.report.markdown import markdown
from zoo.report.pictures import PICTURES, board_figures, ranks
from zoo.report.speed import speed_section
from zoo.report.speed_pictures import PICTURES as SPEED_PICTURES
from zoo.report.speed_pictures import speed_charts
from zoo.run.results import results
from zoo.run.store import read_rows
from zoo.run.tracked import group_run
from zoo.throughput.table import speed_rows
from zoo.tracking.run import Run

OURS = re.compile("|".join([*(rf"{name}(-\d+)?\.png" for name in PICTURES), *map(re.escape, SPEED_PICTURES)]))


@dataclass(frozen=True, eq=False)
class FolderReport:
    """The rows of a folder, as `zoo.results` gives them, and their boards."""

    frame: pd.DataFrame
    boards: list[Board]


def write_report(folder: Path, *, minimum_skill: float = MINIMUM_SKILL) -> FolderReport:
    """Write report.md and the pictures of a folder of results, from its rows and stored predictions.

    Raises InputError for a folder without rows and for one that cannot be written.
    """
    check_contents(folder)
    frame = results(folder)
    report, speed = FolderReport(frame, judged(frame, minimum_skill=minimum_skill)), speed_section(frame)
    figures = board_figures(report.boards) | (speed_charts(speed_rows(frame)) if speed is not None else {})
    try:
        draw(figures, folder)
    except OSError as error:
        raise InputError(f"cannot write pictures to {folder}: {error.strerror}") from error
    write_text(folder / "report.md", markdown(report.boards, frame.attrs["left_out"], list(figures), speed))
    return report


def report_run(folder: Path, suite: str, *, minimum_skill: float = MINIMUM_SKILL) -> Run:
    """What a tracker shows of a whole folder: its report, as Markdown and as the page."""
    frame = results(folder)
    texts = {
        "report.md": as_text(frame, "md", minimum_skill=minimum_skill),
        "report.html": as_text(frame, "html", minimum_skill=minimum_skill),
    }
    return replace(group_run(folder, suite), state="finished", texts=texts)


def draw(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write figures as PNG files, by name, and delete the pictures of an earlier report that are not among them."""
    for path in folder.glob("*.png"):
        if OURS.fullmatch(path.name) and path.name not in figures:
            remove_picture(path)
    for name, figure in figures.items():
        png(figure, folder / name)


def write_leaderboard(folder: Path, *, minimum_skill: float = MINIMUM_SKILL) -> tuple[str, list[str]]:
    """Rank the variants over every run in the folders of `folder`, into its README.md; returns the text and a sentence
    for each thing that was left out. Raises InputError where there is nothing to rank."""
    places = sorted(path.parent for path in folder.glob("*/rows.jsonl"))
    readable = [place for place in places if read_rows(place)[0]]
    frame = results(*readable) if readable else pd.DataFrame({"kind": []})
    rows = frame[frame["kind"] == "accuracy"]
    if rows.empty:
        raise InputError(f"no folder in {folder} holds results of zoo bench")
    try:
        ranked = leaderboard(judged(rows, minimum_skill=minimum_skill))
    except ValueError as error:
        raise InputError(f"{folder} has nothing to rank: {error}") from error
    if ranked.ranks is not None:
        png([[ranks(ranked.ranks)]], folder / RANKS)
    else:
        remove_picture(folder / RANKS)
    first = rows.groupby("suite")["folder"].first()
    links = {suite: f"{Path(place).name}/report.md" for suite, place in first.items()}
    text = leaderboard_markdown(ranked, links)
    write_text(folder / "README.md", text)
    return text, frame.attrs["left_out"]
