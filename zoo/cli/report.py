"""zoo report: rows to tables, of accuracy and of speed alike."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import Json, table_console
from zoo.errors import InputError

if TYPE_CHECKING:
    from zoo.report.results import Results


class Format(StrEnum):
    """What a report can be written as."""

    md = "md"
    html = "html"
    latex = "latex"
    csv = "csv"
    json = "json"


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders with rows.jsonl.")],
    output: Annotated[
        Format | None, typer.Option("--format", help="One report of all folders in this format, instead.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file, not to standard output.")] = None,
    ranked: Annotated[
        bool, typer.Option("--leaderboard", help="Rank variants over all runs below DIR, into DIR/README.md.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the results in each folder again and write its report.md, from its rows and stored predictions."""
    from zoo.report.results import read_results

    if ranked:
        if output is not None or out is not None or as_json or len(folders) > 1:
            raise InputError("--leaderboard takes one DIR, and no other option")
        _rank(folders[0])
        return
    chosen = Format.json if as_json else output
    if chosen is None:
        if out is not None:
            raise InputError("--out needs --format: md, html, latex, csv or json")
        for folder in folders:
            _renew(folder)
        return
    results = read_results(folders)
    text = _text(results, chosen)
    for sentence in results.left_out:
        print(sentence, file=sys.stderr)
    if out is None:
        sys.stdout.write(text)
    else:
        _write(out, text)


def _rank(folder: Path) -> None:
    from zoo.report.leaderboard import leaderboard_of
    from zoo.report.pictures import RANKS, draw_ranks

    text, found, left_out = leaderboard_of(folder, RANKS)
    if found.ranks is not None:
        draw_ranks(found.ranks, folder / RANKS)
    else:
        (folder / RANKS).unlink(missing_ok=True)
    _write(folder / "README.md", text)
    print(text)
    for sentence in left_out:
        print(sentence, file=sys.stderr)


def _renew(folder: Path) -> None:
    from zoo.report.evidence import judged
    from zoo.report.markdown import markdown
    from zoo.report.pictures import draw_boards
    from zoo.report.results import read_results
    from zoo.report.terminal import show
    from zoo.speed.report.markdown import speed_markdown
    from zoo.speed.report.pictures import draw
    from zoo.speed.report.terminal import show_speed

    results = read_results([folder])
    if results.speed:
        _write(folder / "report.md", speed_markdown(results.speed, draw(results.speed, folder)))
        show_speed(table_console(), results.speed)
    else:
        found = judged(results.accuracy, results.load)
        _write(folder / "report.md", markdown(found, results.left_out, draw_boards(found, results.load, folder)))
        show(table_console(), found)
    for sentence in results.left_out:
        print(sentence, file=sys.stderr)


def _text(results: "Results", chosen: Format) -> str:
    import json

    from zoo.report.board import summary
    from zoo.report.evidence import judged
    from zoo.report.flat import accuracy_csv, speed_csv
    from zoo.report.latex import latex
    from zoo.report.markdown import markdown
    from zoo.speed.report.markdown import speed_markdown
    from zoo.speed.report.summary import speed_summary

    if chosen is Format.html:
        from zoo.report.html.page import html_page

        return html_page(results)
    found = judged(results.accuracy, results.load)
    if chosen is Format.md:
        parts = [markdown(found, results.left_out)] if found else []
        return "\n".join([*parts, *([speed_markdown(results.speed)] if results.speed else [])])
    if chosen is Format.latex:
        return latex(found, results.speed)
    if chosen is Format.csv:
        if results.accuracy and results.speed:
            raise InputError("csv holds one table: name folders of zoo bench, or folders of zoo speed")
        return speed_csv(results.speed) if results.speed else accuracy_csv(found)
    return json.dumps([*summary(found), *(speed_summary(results.speed) if results.speed else [])], indent=2) + "\n"


def _write(path: Path, text: str) -> None:
    from zoo.files import write_atomically

    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
