"""zoo select: the best model for a series within a time."""

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from zoo.cli import options
from zoo.cli.app import app, examples
from zoo.cli.data_options import takes_data
from zoo.cli.options import option
from zoo.errors import InputError

if TYPE_CHECKING:
    from rich.status import Status

    from zoo.selection.search import Progress
    from zoo.selection.select import Selection

SHOWN = 10  # candidates in the table
UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600}


@app.command(
    epilog=examples(
        "zoo select prices.csv --targets close --budget 10m",
        "zoo select sunspots --targets SUNACTIVITY --budget 60s",
    )
)
@takes_data(
    without=[
        "lookback",
        "normalise",
        "folds",
        "sliding",
        "case",
        "label",
        "test",
        "quantiles",
        "interval",
        "advised",
        "conformal",
        "adaptive",
        "direction",
        "flat",
    ]
)
def select(
    source: options.Source,
    *,
    changes: dict[str, dict[str, Any]],
    budget: Annotated[str, option(options.RUN, "The time that it may take: 60s, 10m or 2h.")] = "10m",
    models: Annotated[str | None, option(options.MODELS, "Variants to choose from: lstm,ridge (default: all).")] = None,
    lookback: Annotated[int | None, option(options.FORECAST, "Steps that models see (default: tries several).")] = None,
    normalise: Annotated[
        str | None,
        option(options.FORECAST, "Level of each window: last, none, instance (default: tries last and none)."),
    ] = None,
    seed: Annotated[int, option(options.MODELS, "Seed of the search and of every training.")] = 0,
    jobs: Annotated[int | None, option(options.RUN, "Worker processes (default: one for each core).")] = None,
    out: Annotated[Path | None, option(options.OUTPUT, "Output folder (default: results/NAME-select).")] = None,
    as_json: options.Json = False,
) -> None:
    """Choose the best model for a series within a time, test it once, and keep it; naive stays unless it is beaten."""
    started = time.monotonic()
    seconds = seconds_of(budget)
    from zoo.run.server import start_early

    start_early("zoo.selection.score")
    from rich.console import Console

    from zoo.selection.select import select as select_model

    changes["run"] = {"models": options.names_in(models)}
    changes["problem"] |= {"lookback": lookback, "normalise": normalise}
    suite = options.suite_from(source, changes, [])
    folder = out or Path("results") / f"{suite.name}-select"
    with Console(stderr=True).status("reading") as status:
        selection = select_model(
            suite,
            folder,
            budget_seconds=seconds,
            jobs=jobs,
            seed=seed,
            started=started,
            command=options.typed_line(),
            on_progress=_Teller(status, started + seconds).tell,
        )
    options.print_notes(selection.notes)
    if selection.is_stopped:
        options.print_notes(["stopped before the time was over: this is the best so far"])
    if as_json:
        options.print_json({**selection.fields, "folder": str(selection.folder)})
    else:
        _show(selection)
    sys.exit(1 if selection.row.error else 0)


def seconds_of(text: str) -> float:
    """60s, 10m, 1.5h and 90 in seconds; raises InputError."""
    match = re.fullmatch(r"([0-9]+\.?[0-9]*)\s*(s|m|min|h|)", text.strip())
    if match is None or not float(match[1]):
        raise InputError(f"--budget takes a time such as 60s, 10m or 2h, got '{text}'")
    return float(match[1]) * UNITS[match[2] or "s"]


class _Teller:
    """Keeps the line of a terminal up to date; elsewhere it prints a line at the beginning of each stage."""

    def __init__(self, status: "Status", end: float) -> None:
        self.status, self.end, self.stage = status, end, ""

    def tell(self, progress: "Progress") -> None:
        """Show what the search has done so far."""
        minutes, seconds = divmod(max(0, round(self.end - time.monotonic())), 60)
        text = f"{minutes}:{seconds:02} left, {progress.stage}: {progress.scores} scores, best so far {progress.best}, "
        text += f"{100 * (1 - progress.error):.1f} % below naive"
        if sys.stderr.isatty():
            self.status.update(text)
        elif progress.stage != self.stage:
            print(text, file=sys.stderr)
        self.stage = progress.stage


def _show(selection: "Selection") -> None:
    from tabulate import tabulate

    print("\n".join(selection.reasons))
    rows = [
        [line.label, line.lookback, line.normalise, f"{100 * (1 - line.error_ratio):+.1f} %", f"{line.seconds:.1f}"]
        for line in selection.table.head(SHOWN).itertuples()
    ]
    heads = ["candidate", "lookback", "normalise", "below naive, before the test part", "seconds"]
    print(f"\n{tabulate(rows, heads, disable_numparse=True)}\n")
    parts = {
        "model": "the model",
        "forecasts.csv": "what it forecasts next",
        "report.md": "the report on the test part",
        "selection.json": "the settings of the pick, and all candidates",
    }
    for name, what in parts.items():
        if (selection.folder / name).exists():
            print(f"{what}: {selection.folder / name}")
