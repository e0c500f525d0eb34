"""Markdown: sections become report.md, the same text for the same rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from zoo.report.board import Board
from zoo.report.board_section import board_section
from zoo.report.section import Captioned, Picture, Section
from zoo.report.text_table import escaped, markdown_list, markdown_table


def markdown(
    boards: Sequence[Board],
    left_out: Sequence[str] = (),
    pictures: Sequence[str] = (),
    speed: Section | None = None,
) -> str:
    """A report with a section for each board, and then that of speed.

    left_out: sentences on what is missing; pictures: those of the sections' pictures that lie beside the report.
    """
    sections = [board_section(board, number) for number, board in enumerate(boards, start=1)]
    titles = dict.fromkeys(str(name) for board in boards for name in board.runs["suite"])
    if speed is not None:
        sections.append(speed)
        titles |= {"speed": None}
    parts = [f"# {escaped(', '.join(titles))}"]
    for section in sections:
        blocks = [block for block in section.blocks if not isinstance(block, Picture) or block.file in pictures]
        parts.append(section_markdown(replace(section, blocks=blocks)))
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
            if block.caption:
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
