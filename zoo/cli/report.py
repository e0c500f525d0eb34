"""zoo report: tables, pictures and one-page reports of what was measured."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.app import app, examples
from zoo.cli.options import Json, MinimumSkill, option, print_notes, share_of, table_console
from zoo.errors import InputError

ONE_TEXT = "One report of all folders"


class Format(StrEnum):
    """What a report can be written as."""

    md = "md"
    html = "html"
    latex = "latex"
    csv = "csv"
    json = "json"


@app.command(
    epilog=examples(
        "zoo report results/sp500",
        "zoo report results/sp500 results/nasdaq --format html --out report.html",
        "zoo report results/sp500 --format csv --out table.csv",
        "zoo report results/sp500 --forecasts forecasts.csv",
        "zoo report results --leaderboard",
    )
)
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders that zoo bench or zoo speed wrote.")],
    form: Annotated[
        Format | None,
        option(ONE_TEXT, "Write one text in this format, and no report.md.", "--format"),
    ] = None,
    out: Annotated[Path | None, option(ONE_TEXT, "File to write (default: standard output).")] = None,
    forecasts: Annotated[
        Path | None,
        option(ONE_TEXT, "Write the test forecasts of every variant, beside the actual values, to this CSV file."),
    ] = None,
    ranked: Annotated[
        bool,
        option(
            "Over several problems", "Rank the variants over all runs in DIR; write DIR/README.md.", "--leaderboard"
        ),
    ] = False,
    minimum_skill: MinimumSkill = "0.5%",
    as_json: Json = False,
) -> None:
    """Print the tables of each folder and write its report.md and pictures, from its rows and stored predictions."""
    from zoo.files import write_text
    from zoo.report.folder import write_leaderboard
    from zoo.run.results import results

    least = share_of(minimum_skill, "--minimum-skill")
    if ranked:
        if form is not None or out is not None or as_json or len(folders) > 1:
            raise InputError("--leaderboard takes one DIR, and no --format, --out or --json")
        text, left_out = write_leaderboard(folders[0], minimum_skill=least)
        print(text)
        print_notes(left_out)
        return
    form = Format.json if as_json else form
    if form is None and out is not None:
        raise InputError("--out needs --format: md, html, latex, csv or json")
    readable, skipped = _readable(folders)
    if forecasts is not None:
        _write_forecasts(readable, forecasts)
        if form is None:
            print(f"forecasts are in {forecasts}")
            return
    if form is None:
        for folder in readable:
            _write_and_show(folder, least)
    else:
        from zoo.report.formats import as_text

        frame = results(*readable)
        skipped += frame.attrs["left_out"]
        text = as_text(frame, form.value, minimum_skill=least)
        if out is None:
            sys.stdout.write(text)
        else:
            write_text(out, text)
    print_notes(skipped)


def _write_forecasts(folders: Sequence[Path], path: Path) -> None:
    from zoo.files import write_text
    from zoo.report.board import boards
    from zoo.report.forecasts import forecasts_frame
    from zoo.run.results import results

    problems = boards(results(*folders))
    if len(problems) != 1:
        titles = "; ".join(board.title for board in problems) or "none"
        raise InputError(
            f"--forecasts takes the rows of one problem, and {', '.join(map(str, folders))} holds {titles}"
        )
    write_text(path, forecasts_frame(problems[0]).to_csv(index=False, float_format="%.7g"))


def _readable(folders: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The folders with rows, and a sentence on each other path, so that results/* works; a single path stays."""
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


def _write_and_show(folder: Path, minimum_skill: float) -> None:
    """Write the report and pictures of a folder, and print its tables."""
    from zoo.report.folder import write_report
    from zoo.report.speed import speed_section
    from zoo.report.terminal import show

    report = write_report(folder, minimum_skill=minimum_skill)
    show(table_console(), report.boards, speed_section(report.frame, is_brief=True))
    print_notes(report.frame.attrs["left_out"])
