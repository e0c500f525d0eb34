"""Options that several commands share, and how they become a suite."""

import json
import math
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.errors import InputError, plain

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.data.cases import Cases
    from zoo.data.table import Table
    from zoo.suite import Suite
    from zoo.tracking.tracking import Tracking

# Panels of --help.
FORECAST, COLUMNS, MODELS, RUN, OUTPUT = (
    "What is forecast", "Columns of the data", "Models and training", "How it runs", "Output",
)  # fmt: skip

SECTIONS = ("data", "problem", "run", "fit")


def _see_only(device: str) -> str:
    from zoo.run.gpus import see_only

    return see_only(device)


def option(panel: str, text: str, *names: str) -> Any:
    """An option in a panel of --help; names: its flags, where they differ from the parameter's name."""
    return typer.Option(*names, help=text, rich_help_panel=panel)


Source = Annotated[
    str, typer.Argument(metavar="SUITE.toml|DATA", help="A suite file, a data file or a built-in data set.")
]
Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SUITE.toml|DATA|BENCHMARK...",
        help="Suite files, data files, built-in data sets, folders of them, or a benchmark: standard, etth1.",
    ),
]
Data = Annotated[str, typer.Argument(metavar="DATA", help="A data file or a built-in data set.")]
Columns = Annotated[str | None, option(COLUMNS, "Names for a file without a header line: a,b,c.")]
Time = Annotated[str | None, option(COLUMNS, "The time column (default: the column that holds dates).")]
Case = Annotated[str | None, option(COLUMNS, "Sequences to classify: the column that tells cases apart.")]
Label = Annotated[str | None, option(COLUMNS, "The column of the cases' classes.")]
Missing = Annotated[
    str | None, option(COLUMNS, "Missing values: refuse, ffill, ffill:3, mask, interpolate, drop, skip (refuse).")
]
Outliers = Annotated[
    str | None, option(COLUMNS, "Outliers in what models read: none, clip or hampel (none); actual values stay.")
]
Variants = Annotated[Path | None, typer.Option(help="The file with the model's variant, if it came from a file.")]
Set = Annotated[
    list[str] | None,
    option(MODELS, "A setting: cnn-lstm.kernel_size=5 or fit.max_epochs=20; repeatable.", "--set"),
]
Device = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, cuda:1 (that GPU alone) or mps.", rich_help_panel=RUN, callback=_see_only),
]
Engine = Annotated[
    str, option(RUN, "local, or ray[:HOST:PORT]: many machines, by default the cluster that this one is in.")
]
Needs = Annotated[
    str | None, option(RUN, "Of a cluster, for each run: cpus=1,gpus=0.5,memory=2GB (default: a CPU; a GPU on cuda).")
]
MinimumSkill = Annotated[
    str, option(OUTPUT, "The least gain over naive that matters, such as 1% or 0.01.", "--minimum-skill")
]
Track = Annotated[
    str | None,
    option(OUTPUT, "Send runs to a tracker too: tensorboard:DIR, mlflow or mlflow:URI.", "--track"),
]
Json = Annotated[bool, option(OUTPUT, "Print JSON.", "--json")]


def names_in(text: str | None) -> list[str] | None:
    """The names in a list with commas; None stays None."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"a list must hold at least one name, such as a,b, got {text!r}")
    return names


def suite_from(source: str, changes: Mapping[str, Mapping[str, Any]], settings: Sequence[str]) -> "Suite":
    """The suite in a .toml file, or one for a data source, changed by options and `--set` settings.

    changes: values by section and key, None where unchanged. Raises InputError.
    """
    from zoo.data.sources import NAMES
    from zoo.suite import read_suite

    wanted = {section: dict(values) for section, values in changes.items()}
    is_advised = wanted.get("problem", {}).pop("advised", None)
    if source.endswith(".toml"):
        if is_advised:
            raise InputError(f"--advised is for data without a suite, and {source} has settings: leave it out")
        base = read_suite(Path(source)).model_dump(exclude_unset=True)
    else:
        if wanted["data"].get("source") is not None:
            raise InputError(f"--data names the file of a suite, and {source} is data itself: leave one of them out")
        name = _slug(Path(source))
        # The suites of the project have the names of the built-in data, and committed results.
        base = {"name": f"my-{name}" if name in NAMES else name, "data": {"source": source}}
        if is_advised:
            _advise(source, wanted)
    return changed_suite(base, wanted, settings, source)


def changed_suite(
    base: dict[str, Any], changes: Mapping[str, Mapping[str, Any]], settings: Sequence[str], where: str
) -> "Suite":
    """The suite of nested settings `base`, changed by options and `--set` settings; `where` names it in errors."""
    from zoo.registry import named
    from zoo.space import scalar
    from zoo.suite import suite_of

    for section, values in changes.items():
        changed = _given(values)
        if changed:
            base[section] = {**base.get(section, {}), **changed}
    names = changes["run"].get("models")
    if names is not None:  # they replace the file's tags; settings of variants that no longer run go
        base["run"].pop("tags", None)
        if list(names) != ["all"]:
            chosen = [name for text in names for name in (named(text) if text.endswith(".py") else [text])]
            base["models"] = {name: base["models"][name] for name in chosen if name in base.get("models", {})}
    for setting in settings:
        name, equals, value = setting.partition("=")
        owner, dot, parameter = name.strip().rpartition(".")
        if not (equals and dot and owner and parameter):
            raise InputError(f"--set takes VARIANT.PARAMETER=VALUE or fit.SETTING=VALUE, got '{setting}'")
        tables = base if owner == "fit" else base.setdefault("models", {})
        tables.setdefault(owner, {})[parameter] = scalar(value.strip())
    return suite_of(base, where)


def _advise(source: str, changes: dict[str, dict[str, Any]]) -> None:
    """Set what the first target asks for, where no option sets it, and print why."""
    from zoo.data.advice import advised_settings
    from zoo.data.one_series import choose_columns
    from zoo.data.table import Table

    data, problem = changes["data"], changes["problem"]
    table = _loaded(source, data)
    if not isinstance(table, Table) or table.series is not None:
        raise InputError(f"--advised takes one series, and {source} is read as several: leave it out")
    targets = data["targets"] or list(choose_columns(table, None, ())[1])
    if targets == ["all"] and "all" not in table.columns:
        targets = table.numeric
    settings, reasons = advised_settings(table, targets, data.get("channels"), problem.get("horizon") or 1)
    for name, value in settings.items():
        section = data if name in ("missing", "channels") else problem
        if section.get(name) is None:
            section[name] = value
            shown = ",".join(value) if isinstance(value, list) else value
            print_notes([f"--{name} {shown}: {reasons[name]}"])


def suites_from(
    sources: Sequence[str],
    changes: Mapping[str, Mapping[str, Any]],
    settings: Sequence[str],
    preset: str | None,
    *,
    is_local: bool = False,
) -> "tuple[list[Suite], bool]":
    """The suites of sources (suite files, data, benchmarks, folders of suites and data), and whether they are several.

    changes and settings: as suite_from takes them, over what a benchmark says; is_local: each series of a source is a
    problem of its own. Raises InputError.
    """
    from zoo.benchmark import is_benchmark, read_benchmark, shipped
    from zoo.data.sources import NAMES

    suites: list[Suite] = []
    is_many, is_preset_used = len(sources) > 1, False
    for source in sources:
        path: Path | None = Path(source)
        if not Path(source).exists() and source not in NAMES:
            path = shipped(source)
        if path is not None and path.is_dir():
            files = sorted(
                each for each in path.iterdir() if each.suffix in (".toml", ".csv", ".parquet", ".npy", ".ts")
            )
            files = [file for file in files if not file.name.endswith("_TEST.ts")]  # that of a _TRAIN.ts
            files = [file for file in files if file.suffix != ".toml" or not is_benchmark(file)]
            if not files:
                raise InputError(f"{path} holds no suites (.toml) and no data (.csv, .parquet, .npy)")
            suites += [suite_from(str(file), changes, settings) for file in files]
            is_many = True
        elif path is not None and path.suffix == ".toml" and path.is_file() and is_benchmark(path):
            is_many = is_preset_used = True
            for file, own in read_benchmark(path, preset):
                merged = {section: {**own.get(section, {}), **_given(changes.get(section, {}))} for section in SECTIONS}
                suites.append(suite_from(str(file), merged, settings))
        else:
            suites.append(suite_from(source if path is None else str(path), changes, settings))
    if preset is not None and not is_preset_used:
        raise InputError(f"--preset belongs to a benchmark, such as standard, got {', '.join(sources)}")
    if is_local:
        return [local for suite in suites for local in _of_each_series(suite)], True
    return suites, is_many


def _of_each_series(suite: "Suite") -> "list[Suite]":
    """A suite for each series of a suite's data, called by the series' name."""
    from zoo.data.table import Table

    if suite.data.series is None or suite.data.only is not None:
        raise InputError("--local trains models for each of several series: name their column with --series, no --only")
    table = _loaded(suite.data.source, suite.data.model_dump())
    assert isinstance(table, Table)  # series and cases exclude each other
    named = {_slug(Path(name)): name for name in table.of_each_series()}
    if len(named) < len(table.of_each_series()):
        raise InputError(f"two series of {table.source} have names that make the same folder: rename one")
    return [
        suite.model_copy(update={"name": slug, "data": suite.data.model_copy(update={"only": name})})
        for slug, name in named.items()
    ]


def _loaded(source: str, data: Mapping[str, Any]) -> "Table | Cases":
    """What a source holds, read as the settings of [data] say."""
    from zoo.suite import load_from

    return load_from({**data, "source": source})


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _slug(path: Path) -> str:
    name = path.name
    for ending in (".gz", ".csv", ".txt", ".parquet", ".npy", ".tsv", ".ts"):
        name = name.removesuffix(ending)
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)[:100].strip("-.") or "data"


@contextmanager
def tracked(track: str | None, *suites: str) -> "Iterator[Tracking]":
    """The tracking of --track, for runs of these suites; it says at its end how many have arrived."""
    from zoo.tracking.tracking import tracking_of

    with tracking_of(track, *suites) as tracking:
        yield tracking
    if tracking.tracker is not None and tracking.error is None:
        print_notes([f"{tracking.shown} has {tracking.fresh} new run{'s' * (tracking.fresh != 1)}"])


def typed_line(replacements: dict[str, str] | None = None, track: str | None = None) -> str:
    """The command line as the user typed it, without --debug and --force.

    replacements: texts that must not be stored, such as a password, and what stands in their place; track: of --track,
    whose user and password must not be stored. An absolute --out
    is cut to the folder's name, because rows travel between machines.
    """
    typed = [argument for argument in sys.argv[1:] if argument not in ("--debug", "--force")]
    for number, argument in enumerate(typed):
        if argument.startswith("--out="):
            typed[number] = f"--out={_portable(argument.removeprefix('--out='))}"
        elif number and typed[number - 1] == "--out":
            typed[number] = _portable(argument)
    line = shlex.join(["zoo", *typed])
    if track is not None:
        from zoo.tracking.tracking import hidden

        replacements = {**(replacements or {}), track: hidden(track)}
    for secret, instead in (replacements or {}).items():
        line = line.replace(shlex.quote(secret), shlex.quote(instead)).replace(secret, instead)
    return line


def _portable(path: str) -> str:
    return Path(path).name if Path(path).is_absolute() else path


def table_console() -> "Console":
    """A console on standard output; outside a terminal it is wide enough for every table."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=160)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, indent=2, default=str))


def print_notes(notes: Sequence[str]) -> None:
    """Print each note as a line on standard error."""
    for note in notes:
        print(f"note: {plain(note)}", file=sys.stderr)


def error_text(error: float | None) -> str:
    """An error metric with five digits."""
    return "undefined" if error is None else f"{error:.5g}"


def errors_text(metrics: Mapping[str, Any]) -> str:
    """What a forecast is worth: rmse and mae, of quantiles crps and coverage, of directions brier and accuracy, of
    classes accuracy and log loss."""
    if metrics.get("macro_f1") is not None:
        return f"accuracy {100 * metrics['accuracy']:.1f} %, log loss {error_text(metrics['log_loss'])}"
    if metrics.get("brier") is not None:
        return f"brier {error_text(metrics['brier'])}, accuracy {100 * metrics['accuracy']:.1f} %"
    if metrics.get("crps") is not None:
        return f"crps {error_text(metrics['crps'])}, coverage {100 * metrics['coverage']:.1f} %"
    return f"rmse {error_text(metrics['rmse'])}, mae {error_text(metrics['mae'])}"


def skill_text(skill: float | None) -> str:
    """Skill over naive in percent."""
    return "undefined" if skill is None else f"{round(100 * skill, 2) + 0.0:+.2f} %"  # + 0.0: no -0.00


def share_of(text: str, flag: str) -> float:
    """5%, 5 % and 0.05 as 0.05."""
    number = text.strip().removesuffix("%")
    try:
        value = float(number) / (100 if number != text.strip() else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise InputError(f"{flag} takes a share below 1, such as 5% or 0.05, got '{text}'")
    return value
