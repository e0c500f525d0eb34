"""Formats: all rows as one text, to read (Markdown, the page), for a paper (LaTeX) or for a program (CSV, JSON)."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import pandas as pd

from zoo.errors import InputError
from zoo.report.board import MINIMUM_SKILL, value_of
from zoo.report.board_section import board_section
from zoo.report.evidence import judged
from zoo.report.markdown import markdown
from zoo.report.section import Captioned, Section
from zoo.report.speed import speed_section
from zoo.report.summary import summary, summary_frame
from zoo.report.text_table import latex_table
from zoo.throughput.table import speed_rows

Format = Literal["md", "html", "latex", "csv", "json"]


def as_text(frame: pd.DataFrame, form: Format, *, minimum_skill: float = MINIMUM_SKILL) -> str:
    """The rows of `zoo.results` in one format.

    csv: a line for each variant of each problem, or for each timed cell; json: the same, nested; latex: every table,
    for a document that loads booktabs. Raises InputError where csv would have to hold both kinds of rows.
    """
    if form == "html":
        from zoo.report.html.page import html_page

        return html_page(frame, minimum_skill=minimum_skill)
    boards = judged(frame, minimum_skill=minimum_skill)
    if form == "md":
        return markdown(boards, frame.attrs["left_out"], speed=speed_section(frame))
    if form == "latex":
        sections = [*map(board_section, boards), speed_section(frame)]
        return "\n".join(text for section in sections if section is not None for text in _latex(section))
    timed = frame[frame["kind"] == "speed"]
    timed = timed[timed["key"].isin(speed_rows(frame)["key"])] if len(timed) else timed
    if form == "json":
        rows = [{name: value_of(run, name) for name in timed.columns} for _, run in timed.iterrows()]
        cells = [{name: value for name, value in run.items() if value is not None} for run in rows]
        return json.dumps([*summary(boards), *cells], indent=2) + "\n"
    if boards and len(timed):
        raise InputError("a CSV file holds one table: name folders of zoo bench or folders of zoo speed, not both")
    lines = summary_frame(boards) if boards else timed.dropna(axis="columns", how="all").map(_flat)
    return csv_text(lines)


def csv_text(frame: pd.DataFrame) -> str:
    """The frame as CSV; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    safe = frame.rename(columns=_no_formula).map(_no_formula)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _no_formula(value: Any) -> Any:
    is_formula = isinstance(value, str) and value[:1] in tuple("=+-@\t\r") and not _is_number(value)
    return f"'{value}" if is_formula else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _latex(section: Section) -> Iterator[str]:
    """The tables of a section, the first under its answer."""
    answer = f"{section.sentences[0]} "
    for block in section.blocks:
        if isinstance(block, Captioned):
            title = f"{section.title}: {block.title}" if block.title else section.title
            yield latex_table(block.table, f"{title}. {answer}{block.caption}".strip())
            answer = ""


def _flat(value: object) -> object:
    """A sequence as words, so that a cell of CSV holds no brackets."""
    return " ".join(str(_flat(part)) for part in value) if isinstance(value, (tuple, list)) else value
