"""zoo compare: two folders of results, and whether the new one is worse or slower."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.app import app, examples
from zoo.cli.options import Json, option, print_json, print_notes, share_of, table_console

if TYPE_CHECKING:
    from zoo.report.comparison import Comparison

MOST = 20  # changes without --all


@app.command(
    epilog=examples(
        "zoo compare results/sp500 results/sp500-tuned",
        "zoo compare results/speed-before results/speed-after --fail-on 5%",
    )
)
def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A folder that zoo bench or zoo speed wrote.")],
    new: Annotated[
        Path, typer.Argument(metavar="NEW", help="Another such folder, for the same data or the same shapes.")
    ],
    show_all: Annotated[bool, typer.Option("--all", help=f"Show all changes, not only the {MOST} largest.")] = False,
    fail_on: Annotated[
        str | None,
        option(
            "For scripts",
            "Exit with 1 if NEW is worse or slower by more than this (5% or 0.05) and by more than chance, or only NEW "
            "fails; else with 3 if a line is undecided.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare two runs: throughput cell by cell (zoo speed), or accuracy variant by variant (zoo bench)."""
    from zoo.compared import compared_folders
    from zoo.report.comparison import sentences, summary

    requested = None if fail_on is None else share_of(fail_on, "--fail-on")
    comparison = compared_folders(old, new)
    share = comparison.subject.noise if requested is None else requested
    print_notes(comparison.notes)
    if as_json:
        print_json(summary(comparison, share))
    else:
        _show(comparison, share, most=len(comparison.changes) if show_all else MOST)
        print("\n".join(sentences(comparison, share)))
    sys.exit(0 if requested is None else comparison.exit_code(share))


def _show(comparison: "Comparison", share: float, *, most: int) -> None:
    from rich.markup import escape

    from zoo.report.comparison import NARROW, comparison_tables
    from zoo.report.terminal import show_table

    if not comparison.changes:
        return
    console, legend = table_console(), [comparison.subject.legend]
    is_whole = True
    for group, table in comparison_tables(comparison, share, most).items():
        if group:
            console.print(f"[bold]{escape(group)}[/bold]", highlight=False)
        is_whole &= show_table(console, table, NARROW)
    if most < len(comparison.changes):
        legend.append(f"These are the {most} largest of {len(comparison.changes)} changes; --all shows all.")
    if not is_whole:
        legend.append("A wider terminal shows more columns, as does --json.")
    console.print("\n".join(legend), style="dim", markup=False, highlight=False)
