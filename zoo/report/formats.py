"""Formats: all rows as one text, for a paper (LaTeX) or for a program (CSV, JSON)."""

import json
from typing import Literal

import pandas as pd

from zoo.errors import InputError
from zoo.report.board import Board, judged, summary, summary_frame, value_of
from zoo.report.markdown import legend
from zoo.report.speed import SpeedSection, speed_section
from zoo.report.tables import accuracy_table, target_table, tuning_table
from zoo.report.text_table import latex_table
from zoo.report.verdict import verdict

Format = Literal["csv", "latex", "json"]


def as_text(frame: pd.DataFrame, form: Format) -> str:
    """The rows of `zoo.results` in one format.

    csv: a line for each variant of each problem, or for each timed cell; json: the same, nested; latex: every table,
    for a document that loads booktabs. Raises InputError where csv would have to hold both kinds of rows.
    """
    boards, section = judged(frame), speed_section(frame)
    speed = frame[frame["key"].isin(section.rows["key"])] if section is not None else frame[:0]
    if form == "csv":
        if boards and len(speed):
            raise InputError("a CSV file holds one table: name folders of zoo bench or folders of zoo speed, not both")
        lines = summary_frame(boards) if boards else speed.dropna(axis="columns", how="all").map(_flat)
        return str(lines.to_csv(index=False, lineterminator="\n"))
    if form == "json":
        timed = [{name: value_of(run, name) for name in speed.columns} for _, run in speed.iterrows()]
        cells = [{name: value for name, value in run.items() if value is not None} for run in timed]
        return json.dumps([*summary(boards), *cells], indent=2) + "\n"
    return "\n".join(
        [*(table for board in boards for table in _tables(board)), *(_speed_tables(section) if section else [])]
    )


def _tables(board: Board) -> list[str]:
    tables = [latex_table(accuracy_table(board), f"{board.title}. {verdict(board)[0]} {legend(board)}")]
    for table, caption in ((tuning_table(board), "what tuning gained"), (target_table(board), "each target")):
        if table is not None:
            tables.append(latex_table(table, f"{board.title}: {caption}."))
    return tables


def _speed_tables(section: SpeedSection) -> list[str]:
    return [latex_table(table, ". ".join(filter(None, (title, caption)))) for title, table, caption in section.tables]


def _flat(value: object) -> object:
    """A sequence as words, so that a cell of CSV holds no brackets."""
    return " ".join(str(_flat(part)) for part in value) if isinstance(value, (tuple, list)) else value
