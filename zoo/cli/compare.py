"""zoo compare: two folders of results, and whether the new one is worse or slower."""

import math
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.app import app, examples
from zoo.cli.options import Json, option, print_json, print_notes, share_of, table_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.report.compare import Comparison
    from zoo.speed.compare import Change

SPEED_NOISE = 0.05  # a smaller change of speed means nothing
MOST = 20  # rows of speed without --all
# Columns that stay in a narrow terminal.
SPEED = ("variant", "phase", "lookback", "batch", "ratio", "verdict")
ACCURACY = ("variant", "new rmse", "gain %", "interval", "verdict")


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
    show_all: Annotated[bool, typer.Option("--all", help="Show all rows of speed, not only the most changed.")] = False,
    fail_on: Annotated[
        str | None,
        option(
            "For scripts", "Exit with 1 if NEW is slower or worse by more than this (5% or 0.05), or only NEW fails."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare two runs: throughput row by row (zoo speed), or accuracy variant by variant (zoo bench)."""
    from zoo.report import compare as accuracy

    kind: ModuleType = accuracy
    if _is_speed(old) or _is_speed(new):
        from zoo.speed import compare as speed

        kind = speed
    noise = 0.0 if kind is accuracy else SPEED_NOISE
    share = noise if fail_on is None else share_of(fail_on, "--fail-on")
    comparison = kind.compare(old, new)
    print_notes(comparison.notes)
    if as_json:
        print_json(kind.summary(comparison, share))
    else:
        if kind is accuracy:
            _show(comparison, share)
        elif comparison.changes:
            _show_speed(comparison.changes, share, most=len(comparison.changes) if show_all else MOST)
        print("\n".join(kind.sentences(comparison, share)))
    sys.exit(1 if fail_on is not None and comparison.is_worse(share) else 0)


def _show(comparison: "Comparison", share: float) -> None:
    from rich.markup import escape

    from zoo.report.compare import LEGEND, comparison_tables
    from zoo.report.terminal import show_table

    console = table_console()
    tables = comparison_tables(comparison, share)
    for problem, table in tables.items():
        console.print(f"[bold]{escape(problem)}[/bold]", highlight=False)
        show_table(console, table, ACCURACY)
    if tables:
        console.print(LEGEND, style="dim", markup=False, highlight=False)


def _show_speed(changes: "Sequence[Change]", share: float, *, most: int) -> None:
    from zoo.report.terminal import show_table
    from zoo.report.text_table import Text, TextTable

    console = table_console()
    changed = sorted(changes, key=lambda change: -abs(math.log(change.ratio)))[:most]
    cells = [_cells(change, share) for change in sorted(changed, key=lambda change: change.ratio)]
    rows = tuple(tuple(map(Text, texts.values())) for texts in cells)
    is_whole = show_table(console, TextTable(tuple(cells[0]), rows, (False,) * len(rows)), SPEED)
    legend = [
        "ratio: NEW's throughput / OLD's; below 1 is slower. p: Mann-Whitney test with Holm's correction, or busy if "
        "other work disturbed a run."
    ]
    if len(changed) < len(changes):
        legend.append(f"These are the {len(changed)} most changed of {len(changes)} rows; --all shows all.")
    if not is_whole:
        legend.append("A wider terminal shows more columns, as does --json.")
    console.print("\n".join(legend), style="dim", markup=False, highlight=False)


def _cells(change: "Change", share: float) -> dict[str, str]:
    from zoo.report.tables import p_value

    batches = dict.fromkeys((change.old_batch, change.new_batch))
    largest = f"max ({', '.join(map(str, batches))})"
    return {
        "variant": change.label,
        "phase": change.phase,
        "dtype": change.dtype,
        "mode": change.mode,
        "lookback": str(change.lookback),
        "batch": largest if change.batch_size == "max" else str(change.batch_size),
        "old ms": f"{1e3 * change.old_seconds:.4g}",
        "new ms": f"{1e3 * change.new_seconds:.4g}",
        "ratio": f"{change.ratio:.3f}",
        "95 % interval": "-" if change.low is None else f"{change.low:.3f} to {change.high:.3f}",
        "p": p_value(change.p) if change.is_calm else "busy",
        "verdict": change.verdict(share),
    }


def _is_speed(folder: Path) -> bool:
    from zoo.run.store import read_rows

    return any(row.kind == "speed" for row in read_rows(folder)[0])
