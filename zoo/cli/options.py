"""Options that several commands share, and how their text is read."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console


Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Time = Annotated[str | None, typer.Option(help="The time column, where it is not found by itself.")]
Columns = Annotated[str | None, typer.Option(help="Names for a file without a header line: a,b,c.")]
Channels = Annotated[str | None, typer.Option(help="Input columns: a,b (default: all numeric but time).")]
Missing = Annotated[str | None, typer.Option(help="Missing values: refuse, ffill, interpolate or drop.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting: cnn-lstm.kernel_size=5 or fit.max_epochs=20; repeatable."),
]
Targets = Annotated[str | None, typer.Option(help="Columns to forecast: close or high,low.")]
Lookback = Annotated[int | None, typer.Option(help="Steps that the model sees (default: 7).")]
Horizon = Annotated[int | None, typer.Option(help="Steps that it forecasts (default: 1).")]
SplitText = Annotated[
    str | None, typer.Option(help="Train, validation, test: shares, row counts or two dates (default: 0.7,0.1,0.2).")
]
Scaling = Annotated[str | None, typer.Option(help="standard, minmax, robust or none (default: standard).")]
Normalising = Annotated[str | None, typer.Option(help="Per window: last, none or instance (default: last).")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]


def data_changes(
    targets: str | None, columns: str | None, channels: str | None, time: str | None, missing: str | None
) -> dict[str, Any]:
    named = {"targets": names_in(targets), "columns": names_in(columns), "channels": names_in(channels)}
    return {**named, "time": time, "missing": missing}


def problem_changes(
    lookback: int | None, horizon: int | None, split: str | None, scaler: str | None, normalise: str | None
) -> dict[str, Any]:
    shape = {"lookback": lookback, "horizon": horizon, "split": _split(split)}
    return {**shape, "scaler": scaler, "normalise": normalise}


def names_in(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"a list of names is needed, got {text!r}")
    return names


def _split(text: str | None) -> list[Any] | None:
    if text is None:
        return None
    from zoo.space import scalar

    return [scalar(part.strip()) for part in text.split(",")]


def typed_line(shown: dict[str, str] | None = None) -> str:
    """The line that was typed; `shown` replaces what must not be kept, a password say. Of where results go only the
    folder's name is kept if it was told from the root, since rows travel."""
    import shlex

    typed = [argument for argument in sys.argv[1:] if argument not in ("--debug", "--force")]
    for number, argument in enumerate(typed):
        if argument.startswith("--out="):
            typed[number] = f"--out={_from_here(argument.removeprefix('--out='))}"
        elif number and typed[number - 1] == "--out":
            typed[number] = _from_here(argument)
    line = shlex.join(["zoo", *typed])
    for secret, instead in (shown or {}).items():
        line = line.replace(shlex.quote(secret), shlex.quote(instead)).replace(secret, instead)
    return line


def _from_here(path: str) -> str:
    return Path(path).name if Path(path).is_absolute() else path


def table_console() -> "Console":
    from rich.console import Console

    # Where the output is not a terminal, a table must not fold at a guessed width.
    return Console() if sys.stdout.isatty() else Console(width=160)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str))
