"""Options that several commands share, and how they become a suite."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.suite import Suite


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


def suite_from(source: str, changes: Mapping[str, Mapping[str, Any]], settings: Sequence[str]) -> "Suite":
    """The suite in a .toml file, or one for a data source, with changes and `--set` settings over it.

    changes: values by section and key, None where unchanged. Raises InputError.
    """
    from zoo.data.builtin import NAMES
    from zoo.space import scalar
    from zoo.suite import read_suite, suite_of

    if source.endswith(".toml"):
        base = read_suite(Path(source)).model_dump(exclude_unset=True)
    else:
        base = {"name": source if source in NAMES else _slug(Path(source)), "data": {"source": source}}
        if changes["data"].get("targets") is None:
            from zoo.data.sources import load

            table = load(source, columns=changes["data"].get("columns"), time=changes["data"].get("time"))
            raise InputError(f"name what to forecast with --targets, one or more of: {', '.join(table.columns)}")
    for section, values in changes.items():
        given = {key: value for key, value in values.items() if value is not None}
        if given:
            base[section] = {**base.get(section, {}), **given}
    if changes["run"].get("models") is not None:
        _choose(base, changes["run"]["models"])
    for setting in settings:
        name, equals, value = setting.partition("=")
        owner, dot, parameter = name.strip().rpartition(".")
        if not (equals and dot and owner and parameter):
            raise InputError(f"--set takes VARIANT.PARAMETER=VALUE or fit.SETTING=VALUE, got '{setting}'")
        place = base.setdefault("fit", {}) if owner == "fit" else base.setdefault("models", {}).setdefault(owner, {})
        place[parameter] = scalar(value.strip())
    return suite_of(base, source)


def _choose(base: dict[str, Any], names: Sequence[str]) -> None:
    """Let the named variants replace the file's tags; settings of variants that no longer run go with them."""
    base["run"].pop("tags", None)
    if list(names) != ["all"]:
        base["models"] = {name: base["models"][name] for name in names if name in base.get("models", {})}


def _slug(path: Path) -> str:
    name = path.name
    for ending in (".gz", ".csv", ".txt", ".parquet", ".tsv"):
        name = name.removesuffix(ending)
    kept = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)
    return kept.strip("-.") or "data"


def typed_line(replacements: dict[str, str] | None = None) -> str:
    """The command line as the user typed it, without --debug and --force.

    replacements: texts that must not be stored, such as a password, and what stands in their place. An absolute --out
    is cut to the folder's name, because rows travel between machines.
    """
    import shlex

    typed = [argument for argument in sys.argv[1:] if argument not in ("--debug", "--force")]
    for number, argument in enumerate(typed):
        if argument.startswith("--out="):
            typed[number] = f"--out={_portable(argument.removeprefix('--out='))}"
        elif number and typed[number - 1] == "--out":
            typed[number] = _portable(argument)
    line = shlex.join(["zoo", *typed])
    for secret, instead in (replacements or {}).items():
        line = line.replace(shlex.quote(secret), shlex.quote(instead)).replace(secret, instead)
    return line


def _portable(path: str) -> str:
    return Path(path).name if Path(path).is_absolute() else path


def table_console() -> "Console":
    from rich.console import Console

    # Where the output is not a terminal, a table must not fold at a guessed width.
    return Console() if sys.stdout.isatty() else Console(width=160)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str))
