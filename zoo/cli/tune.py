"""zoo tune: studies of variants."""

import sys
from pathlib import Path
from typing import Annotated, Any

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
    SplitText,
    Targets,
    Time,
    data_changes,
    names_in,
    problem_changes,
    typed_line,
)
from zoo.errors import InputError


@app.command()
def tune(
    names: Annotated[str, typer.Argument(metavar="NAME|all", help="A variant, several (a,b), or all of the suite's.")],
    source: Annotated[
        str, typer.Argument(metavar="SUITE.toml | DATA", help="A suite file, a data file or a built-in name.")
    ],
    trials: Annotated[int | None, typer.Option(help="Trials of each variant (default: 50).")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a variant begins no further trial.")
    ] = None,
    fix: Annotated[
        list[str] | None, typer.Option(help="Hold a parameter: hidden_size=64 or fit.max_epochs=50; repeatable.")
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range", help="Search a range: hidden_size=32:512:log, lookback=7:60, fit.optimizer=adam,sgd; repeatable."
        ),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(help="Trainings of each trial, whose mean is its value (default: 1).")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="tpe, random, grid, gp or cmaes (default: tpe).")] = None,
    pruner: Annotated[
        str | None, typer.Option(help="median, hyperband or none (default: median; none with several objectives).")
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(help="To minimise: valid_loss, latency_ms, parameter_count, train_seconds (default: valid_loss)."),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="Optuna storage URL that several machines share (default: a file in OUT).")
    ] = None,
    study: Annotated[str | None, typer.Option(help="Name of the study (default: SUITE-VARIANT).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the search and its trainings (default: 0).")] = None,
    targets: Targets = None,
    lookback: Lookback = None,
    horizon: Horizon = None,
    split: SplitText = None,
    scaler: Scaling = None,
    normalise: Normalising = None,
    columns: Columns = None,
    channels: Channels = None,
    time: Time = None,
    missing: Missing = None,
    device: Device = "auto",
    jobs: Annotated[
        int | None, typer.Option(help="Worker processes (default: one per variant, as many as cores on CPU).")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder; several variants: one in it for each (default: results/tune)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Search the hyperparameters of variants on validation, each on the same budget; stopped studies go on."""
    from zoo.run.run import suite_from
    from zoo.tuning.run import tune_suite
    from zoo.tuning.storage import shown

    changes = {
        "data": data_changes(targets, columns, channels, time, missing),
        "problem": problem_changes(lookback, horizon, split, scaler, normalise),
        "run": {},
    }
    search = {
        "trials": trials,
        "timeout": timeout,
        "seed": seed,
        "repeats": repeats,
        "sampler": sampler,
        "pruner": pruner,
        "objectives": names_in(objectives),
        "fix": _settings("--fix", fix),
        "range": _settings("--range", ranges),
    }
    suite = suite_from(source, changes, [])
    sys.exit(
        tune_suite(
            suite,
            names_in(names) or [],
            out,
            search,
            storage=storage,
            study=study,
            jobs=jobs,
            device=device,
            command=typed_line({storage: shown(storage)} if storage else {}),
            as_json=as_json,
        )
    )


def _settings(option: str, given: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE options by key: values of --fix as what they say, ranges as text."""
    from zoo.space import scalar

    found = {}
    for setting in given or []:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not (key and equals and value):
            example = "hidden_size=64" if option == "--fix" else "hidden_size=32:512:log"
            raise InputError(f"{option} takes KEY=VALUE such as {example}, got '{setting}'")
        found[key] = scalar(value) if option == "--fix" else value
    return found
