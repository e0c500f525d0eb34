"""zoo compare: two folders of results, and whether the new one is worse or slower."""

import math
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import Json, print_json, table_console
from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from zoo.report.compare import Change as AccuracyChange
    from zoo.speed.report.compare import Change


MOST = 20  # lines of the table without --all
USUAL = 0.05
COLUMNS = ("variant", "phase", "dtype", "mode", "lookback", "batch", "old ms", "new ms", "ratio", "95 % interval", "p")
NARROW = ("variant", "phase", "dtype", "mode", "lookback", "batch", "ratio")  # what 80 columns have room for
STYLES = {"slower": "red", "faster": "green", "worse": "red", "better": "green"}


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A folder that zoo bench or zoo speed wrote.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another, of the same data or measured alike.")],
    fail_on: Annotated[
        str | None,
        typer.Option(help="Exit with 1 where NEW is slower or worse by more than this (5% or 0.05) or alone fails."),
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help=f"Show all rows, not the {MOST} most changed.")] = False,
    as_json: Json = False,
) -> None:
    """Compare two runs: throughput row by row (zoo speed), or accuracy variant by variant (zoo bench)."""
    from zoo.report import compare as accuracy
    from zoo.speed.report import compare as speed

    given = None if fail_on is None else _share(fail_on)
    kind: ModuleType
    if _is_speed(old) or _is_speed(new):
        kind, share = speed, USUAL if given is None else given
    else:
        kind, share = accuracy, 0.0 if given is None else given
    found = kind.compare(old, new)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(kind.summary(found, share))
    else:
        if found.changes and kind is speed:
            _show(found.changes, share, most=len(found.changes) if show_all else MOST)
        elif found.changes:
            _show_accuracy(found.changes, share)
        print("\n".join(kind.sentences(found, share)))
    sys.exit(1 if fail_on is not None and found.is_worse(share) else 0)


def _is_speed(folder: Path) -> bool:
    from zoo.run.store import read_all

    return any(row.get("kind") == "speed" for row in read_all(folder)[0])


def _share(text: str) -> float:
    """5%, 5 % and 0.05 as 0.05."""
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / (100 if number != text.strip() else 1)
    except ValueError:
        share = math.nan
    if not 0 <= share < 1:
        raise InputError(f"--fail-on takes a share below 1, such as 5% or 0.05, got '{text}'")
    return share


def _show_accuracy(changes: "Sequence[AccuracyChange]", share: float) -> None:
    from rich.markup import escape
    from rich.table import Table

    from zoo.report.tables import p_value

    problems = list(dict.fromkeys(change.problem for change in changes))
    table = Table()
    for name in ("variant", "old rmse", "new rmse", "gain %", "95 % interval", "p", "seeds"):
        table.add_column(name, justify="left" if name == "variant" else "right", no_wrap=name != "variant")
    for problem in problems:
        if len(problems) > 1:
            table.add_section()
            table.add_row(f"[bold]{escape(problem)}[/bold]")
        for change in changes:
            if change.problem != problem:
                continue
            interval = "-" if change.low is None else f"{100 * change.low:+.2f} to {100 * (change.high or 0):+.2f}"
            table.add_row(
                escape(change.new_label + ("" if _is_usual(change) else f" against {change.old_label}")),
                f"{change.old_rmse:.5g}",
                f"{change.new_rmse:.5g}",
                f"{100 * change.gain:+.2f}",
                interval,
                p_value(change.p),
                str(change.seeds),
                style=STYLES.get(change.verdict(share), ""),
            )
    console = table_console()
    console.print(table)
    legend = (
        "gain: 1 - NEW's rmse / OLD's on the same test windows, mean over seeds, with a paired moving-block bootstrap "
        "interval; p: Diebold-Mariano after Holm's correction."
    )
    console.print(legend, style="dim", markup=False, highlight=False)


def _is_usual(change: "AccuracyChange") -> bool:
    """Whether the label in NEW tells what it is set against: the same in OLD, or its default."""
    return change.new_label.removesuffix(", tuned") == change.old_label or change.new_label == change.old_label


def _show(changes: "Sequence[Change]", share: float, *, most: int) -> None:
    console = table_console()
    changed = sorted(changes, key=lambda change: -abs(math.log(change.ratio)))[:most]
    shown = sorted(changed, key=lambda change: change.ratio)
    whole = _table(shown, share, COLUMNS)
    wanted = console.measure(whole, options=console.options.update(max_width=1000)).maximum
    console.print(whole if wanted <= console.width else _table(shown, share, NARROW))
    legend = [
        "ratio: throughput, NEW / OLD, below 1 is slower; p: Mann-Whitney after Holm's correction, or busy where a run "
        "met no calm machine."
    ]
    if len(shown) < len(changes):
        legend.append(f"These are the {len(shown)} most changed of {len(changes)} rows: --all shows the rest.")
    if wanted > console.width:
        legend.append("A wider terminal shows more columns, as does --json.")
    console.print("\n".join(legend), style="dim", markup=False, highlight=False)


def _table(changes: "Sequence[Change]", share: float, names: "Sequence[str]") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for name in names:
        is_text = name in ("variant", "phase", "dtype", "mode")
        table.add_column(name, justify="left" if is_text else "right", no_wrap=name != "variant", overflow="fold")
    for change in changes:
        cells = _cells(change)
        table.add_row(*(escape(cells[name]) for name in names), style=STYLES.get(change.verdict(share), ""))
    return table


def _cells(change: "Change") -> dict[str, str]:
    old_batch, new_batch = change.old_batch, change.new_batch
    measured = f"{old_batch}" if old_batch == new_batch else f"{old_batch}, {new_batch}"
    return {
        "variant": change.label,
        "phase": change.phase,
        "dtype": change.dtype,
        "mode": change.mode,
        "lookback": str(change.lookback),
        "batch": f"max ({measured})" if change.batch_size == "max" else str(change.batch_size),
        "old ms": f"{1e3 * change.old_seconds:.4g}",
        "new ms": f"{1e3 * change.new_seconds:.4g}",
        "ratio": f"{change.ratio:.3f}",
        "95 % interval": "-" if change.low is None else f"{change.low:.3f} to {change.high:.3f}",
        "p": "busy" if not change.is_calm else "<0.001" if change.p < 0.001 else f"{change.p:.3f}",
    }
