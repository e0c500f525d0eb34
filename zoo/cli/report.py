"""zoo report: tables, pictures and one-page reports of what was measured."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import Json, table_console
from zoo.errors import InputError

ONE_TEXT, RANKS = "One report of all folders", "Over several problems"
EXAMPLES = """
Examples:\n
  zoo report results/sp500\n
  zoo report results/sp500 results/nasdaq --format html --out report.html\n
  zoo report results/sp500 --format csv --out table.csv\n
  zoo report results --leaderboard
"""


class Format(StrEnum):
    """What a report can be written as."""

    md = "md"
    html = "html"
    latex = "latex"
    csv = "csv"
    json = "json"


@app.command(epilog=EXAMPLES)
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders that zoo bench or zoo speed wrote.")],
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Write one text in this format, and no report.md.", rich_help_panel=ONE_TEXT),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file for it (default: standard output).", rich_help_panel=ONE_TEXT)
    ] = None,
    ranked: Annotated[
        bool,
        typer.Option(
            "--leaderboard",
            help="Rank the variants over all runs below DIR, into DIR/README.md.",
            rich_help_panel=RANKS,
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the tables of each folder and write its report.md and pictures, from its rows and stored predictions."""
    from zoo.files import write_text
    from zoo.report.folder import write_leaderboard
    from zoo.run.results import results

    if ranked:
        if form is not None or out is not None or as_json or len(folders) > 1:
            raise InputError("--leaderboard takes one DIR and no other option")
        text, left_out = write_leaderboard(folders[0])
        print(text)
        _note(left_out)
        return
    form = Format.json if as_json else form
    if form is None and out is not None:
        raise InputError("--out needs --format: md, html, latex, csv or json")
    readable, skipped = _readable(folders)
    if form is None:
        for folder in readable:
            _renew(folder)
    else:
        from zoo.report.formats import as_text

        frame = results(*readable)
        skipped += frame.attrs["left_out"]
        text = as_text(frame, form.value)
        if out is None:
            sys.stdout.write(text)
        else:
            write_text(out, text)
    _note(skipped)


def _readable(folders: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Of several paths those with rows, so that results/* works, and a sentence on each of the others."""
    from zoo.run.store import NAME, read_rows

    if len(folders) == 1:
        return list(folders), []
    readable, skipped = [], []
    for folder in folders:
        if folder.is_file():
            skipped.append(f"{folder} is not a folder and is left out")
        elif (folder / NAME).exists() and not read_rows(folder)[0]:
            skipped.append(f"{folder} has no rows that this version reads and is left out")
        else:
            readable.append(folder)
    if not readable:
        raise InputError(f"nothing to report: {skipped[0]}")
    return readable, skipped


def _renew(folder: Path) -> None:
    """Write the report and pictures of a folder, and print its tables."""
    from zoo.report.folder import write_report
    from zoo.report.speed import speed_section
    from zoo.report.terminal import show

    report = write_report(folder)
    show(table_console(), report.boards, speed_section(report.frame, is_brief=True))
    _note(report.frame.attrs["left_out"])


def _note(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        print(f"note: {sentence}", file=sys.stderr)
