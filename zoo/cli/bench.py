"""zoo bench: a suite to rows."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import (
    Channels,
    Columns,
    Device,
    Horizon,
    Json,
    Lookback,
    Missing,
    Normalising,
    Scaling,
    Set,
    SplitText,
    Targets,
    Time,
    data_changes,
    names_in,
    problem_changes,
    typed_line,
)


@app.command()
def bench(
    source: Annotated[
        str, typer.Argument(metavar="SUITE.toml | DATA", help="A suite file, a data file or a built-in name.")
    ],
    targets: Targets = None,
    lookback: Lookback = None,
    horizon: Horizon = None,
    split: SplitText = None,
    scaler: Scaling = None,
    normalise: Normalising = None,
    models: Annotated[str | None, typer.Option(help="Variants: lstm,naive (default: all).")] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each variant that learns at random (default: 5).")] = None,
    columns: Columns = None,
    channels: Channels = None,
    time: Time = None,
    missing: Missing = None,
    settings: Set = None,
    device: Device = "auto",
    jobs: Annotated[int | None, typer.Option(help="Worker processes (default: cores on CPU, else 1).")] = None,
    out: Annotated[Path | None, typer.Option(help="Output folder (default: results/NAME).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Measure again what is already there.")] = False,
    tuned: Annotated[
        Path | None, typer.Option(help="A folder that zoo tune wrote: run its settings beside the suite's own.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a suite, or every variant on a data file; stopped runs go on where they were."""
    from zoo.run.run import run_suite, suite_from

    changes = {
        "data": data_changes(targets, columns, channels, time, missing),
        "problem": problem_changes(lookback, horizon, split, scaler, normalise),
        "run": {"models": names_in(models), "seeds": seeds},
    }
    suite = suite_from(source, changes, settings or [])
    folder = out or Path("results") / (f"{suite.name}-tuned" if tuned else suite.name)
    sys.exit(
        run_suite(
            suite,
            folder,
            device=device,
            jobs=jobs,
            force=force,
            tuned=tuned,
            command=typed_line(),
            as_json=as_json,
        )
    )
