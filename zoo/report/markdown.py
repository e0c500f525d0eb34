"""Markdown: sections become report.md, the same text for the same rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from zoo.report.board import Board
from zoo.report.board_section import board_section
from zoo.report.pictures import pictures_of
from zoo.report.section import Captioned, Picture, Section
from zoo.report.text_table import escaped, markdown_list, markdown_table


def markdown(boards: Sequence[Board], left_out: Sequence[str] = (), pictures: Sequence[str] = ()) -> str:
    """A report with one section for each board.

    left_out: sentences on what is missing; pictures: files beside the report, as `draw_boards` names them.
    """
    suites = dict.fromkeys(str(name) for board in boards for name in board.runs["suite"])
    parts = [f"# {escaped(', '.join(suites))}"]
    for number, board in enumerate(boards, start=1):
        section = board_section(board)
        shown = [picture for picture in pictures_of(number) if picture.file in pictures]
        parts.append(section_markdown(replace(section, blocks=[*section.blocks, *shown])))
    if left_out:
        parts += ["## Left out", markdown_list(left_out)]
    return "\n\n".join(parts) + "\n"


def section_markdown(section: Section) -> str:
    """A section under a heading of the second level: the answer, the main table, and then all else."""
    return "\n\n".join([f"## {escaped(section.title)}", *_parts(section)])


def _parts(section: Section) -> Iterator[str]:
    answer, *findings = section.sentences
    yield f"**{escaped(answer)}**"
    for number, block in enumerate(section.blocks or [None]):
        if isinstance(block, Captioned):
            if block.title:
                yield f"### {escaped(block.title)}"
            yield markdown_table(block.table)
            yield escaped(block.caption)
        elif isinstance(block, Picture):
            yield f"![{block.alt}]({block.file})"
            if block.note:
                yield escaped(block.note)
        if number == 0 and findings:
            yield markdown_list(findings)
    if section.failures:
        yield "### Failed runs"
        yield markdown_list(section.failures)
    if section.provenance:
        yield "### How it was measured"
        yield markdown_list(f"{label}: {text}" for label, text in section.provenance)
    if section.commands:
        yield "Run it again:\n\n" + "\n".join(f"    {command}" for command in section.commands)
