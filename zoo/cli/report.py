"""zoo report: rows to tables, of accuracy and of speed alike."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import Json, print_json, table_console
from zoo.errors import InputError


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders with rows.jsonl.")],
    as_json: Json = False,
) -> None:
    """Show the results in each folder again, and write its report.md, from the rows alone."""
    from zoo.bench.rows import read_all, read_rows
    from zoo.report.board import summary
    from zoo.report.evidence import judged
    from zoo.report.markdown import markdown
    from zoo.report.predictions import stored_in
    from zoo.report.speed.markdown import speed_markdown
    from zoo.report.speed.pictures import draw
    from zoo.report.speed.summary import speed_summary
    from zoo.report.speed.terminal import show_speed
    from zoo.report.terminal import show

    found: list[Any] = []
    for folder in folders:
        rows, left_out = read_all(folder)
        if not rows:
            raise InputError(
                f"no rows in {folder / 'rows.jsonl'}: run zoo bench ... or zoo speed ... --out {folder} first"
            )
        timed = [row for row in rows if row.get("kind") == "speed"]
        if not timed:
            rows, left_out = read_rows(folder)
        load = stored_in(folder)
        found += speed_summary(timed) if timed else summary(judged(rows, load))
        if as_json:
            continue
        if timed:
            _write(folder, speed_markdown(timed, draw(timed, folder)))
            show_speed(table_console(), timed)
        else:
            _write(folder, markdown(rows, left_out, load))
            show(table_console(), judged(rows, load))
        for sentence in left_out:
            print(sentence, file=sys.stderr)
    if as_json:
        print_json(found)


def _write(folder: Path, text: str) -> None:
    from zoo.files import write_atomically

    try:
        write_atomically(folder / "report.md", text.encode())
    except OSError as error:
        raise InputError(f"cannot write {folder / 'report.md'}: {error.strerror}") from error
