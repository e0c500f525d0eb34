"""The `zoo` command: thin; every command imports only what it needs, when it runs."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo import __version__
from zoo.errors import Diverged, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from zoo.train.fit import Epoch

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which recurrent model is best for your series, by how much, at what cost - and does any beat naive?",
)

FORECAST = "%.7g"  # what float32 holds
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


def main() -> None:
    """Run the command; a wrong request is one line on stderr and exit code 2."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    wants_traceback = "--debug" in sys.argv[1:]
    try:
        sys.exit(app(args=arguments, prog_name="zoo", standalone_mode=False) or 0)
    except InputError as error:
        if wants_traceback:
            raise
        _fail(str(error), 2)
    except Diverged as error:
        if wants_traceback:
            raise
        _fail(str(error), 1)
    except typer.TyperException as error:
        _fail(error.format_message(), error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _fail(message: str, code: int) -> None:
    line = " ".join(message.split())
    print(f"zoo: {line}", file=sys.stderr)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (anywhere on the line).")] = False,  # noqa: ARG001
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise InputError("name a command: list, show, data, bench, tune, report, fit or predict (zoo --help)")


@app.command("list")
def list_command(
    tag: Annotated[str | None, typer.Option(help="Only variants with this tag.")] = None,
    as_json: Json = False,
) -> None:
    """List the variants, one line each."""
    from zoo.registry import list_models, variant

    chosen = [variant(name) for name in list_models(tag=tag)]
    if as_json:
        _print_json([{"name": v.name, "summary": v.summary, "tags": v.tags, "source": v.source} for v in chosen])
        return
    width = max(len(v.name) for v in chosen)
    for v in chosen:
        print(f"{v.name:<{width}}  {v.summary} [{', '.join(v.tags)}]")


@app.command()
def show(name: str, as_json: Json = False) -> None:
    """Show a variant: parameters, ranges, defaults, source."""
    from dataclasses import asdict

    from zoo.registry import variant
    from zoo.space import described

    chosen = variant(name)
    if as_json:
        _print_json(
            {
                "name": chosen.name,
                "summary": chosen.summary,
                "source": chosen.source,
                "tags": chosen.tags,
                "limits": chosen.limits,
                "parameters": {
                    p.name: {
                        "default": p.default,
                        "range": None if p.range is None else {"kind": type(p.range).__name__, **asdict(p.range)},
                    }
                    for p in chosen.parameters.values()
                },
            }
        )
        return
    print(f"{chosen.name}: {chosen.summary}")
    print(f"  source  {chosen.source}")
    print(f"  tags    {', '.join(chosen.tags)}")
    for limit in chosen.limits:
        print(f"  limit   {limit}")
    print(f"  code    {chosen.build.__module__}.{chosen.build.__qualname__}")
    print("  parameters" if chosen.parameters else "  no parameters")
    for p in chosen.parameters.values():
        print(f"    {p.name} = {p.default!r}  {described(p.range)}".rstrip())


@app.command("data")
def data_command(
    source: Annotated[
        str | None, typer.Argument(help="A built-in name or a file; none lists the built-in ones.")
    ] = None,
    time: Time = None,
    columns: Columns = None,
    as_json: Json = False,
) -> None:
    """List the built-in data sets, or say what is in a file: columns, frequency, gaps, outliers."""
    from zoo.data.builtin import BUILT_IN

    if source is None:
        entries = {name: entry.summary for name, entry in BUILT_IN.items()}
        if as_json:
            _print_json(entries)
        else:
            for name, summary in entries.items():
                print(f"{name:<12}  {summary}")
        return
    from zoo.data.describe import describe, lines
    from zoo.data.sources import load

    found = describe(load(source, columns=_names(columns), time=time))
    if as_json:
        _print_json(found)
    else:
        print("\n".join(lines(found)))


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
    from zoo.bench.run import run_suite, suite_from

    changes = {
        "data": _data_changes(targets, columns, channels, time, missing),
        "problem": _problem_changes(lookback, horizon, split, scaler, normalise),
        "run": {"models": _names(models), "seeds": seeds},
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
            command=_command(),
            as_json=as_json,
        )
    )


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
    from zoo.bench.run import suite_from
    from zoo.tuning.run import tune_suite
    from zoo.tuning.storage import shown

    changes = {
        "data": _data_changes(targets, columns, channels, time, missing),
        "problem": _problem_changes(lookback, horizon, split, scaler, normalise),
        "run": {},
    }
    search = {
        "trials": trials,
        "timeout": timeout,
        "seed": seed,
        "sampler": sampler,
        "pruner": pruner,
        "objectives": _names(objectives),
        "fix": _settings("--fix", fix),
        "range": _settings("--range", ranges),
    }
    suite = suite_from(source, changes, [])
    sys.exit(
        tune_suite(
            suite,
            _names(names) or [],
            out,
            search,
            storage=storage,
            study=study,
            jobs=jobs,
            device=device,
            command=_command({storage: shown(storage)} if storage else {}),
            as_json=as_json,
        )
    )


@app.command()
def fit(
    name: Annotated[str, typer.Argument(help="A variant.")],
    source: Annotated[str, typer.Argument(metavar="DATA", help="A data file or a built-in name.")],
    out: Annotated[Path, typer.Option(help="Folder to keep the model in.")],
    targets: Targets = None,
    lookback: Lookback = None,
    horizon: Horizon = None,
    split: SplitText = None,
    scaler: Scaling = None,
    normalise: Normalising = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, batch order and dropout.")] = 0,
    columns: Columns = None,
    channels: Channels = None,
    time: Time = None,
    missing: Missing = None,
    settings: Set = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train one variant and keep it. --split 0.9,0.1,0 trains up to the newest rows and scores nothing."""
    from zoo.bench.run import suite_from
    from zoo.bench.single import fit_and_save

    changes = {
        "data": _data_changes(targets, columns, channels, time, missing),
        "problem": _problem_changes(lookback, horizon, split, scaler, normalise),
        "run": {"models": [name], "seeds": [seed]},
    }
    suite = suite_from(source, changes, settings or [])
    with _epoch_line() as on_epoch:
        found = fit_and_save(suite, out, device=device, command=_command(), on_epoch=on_epoch)
    for note in found["notes"]:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        _print_json(found)
        return
    print(f"{name}: kept epoch {found['best_epoch']} of {found['epochs']}, {found['train_seconds']:.1f} s, in {out}")
    if found["epochs"] and found["best_epoch"] == 0:
        print("note: validation never improved on the untrained start, so that is what was kept", file=sys.stderr)
    if found["metrics"] is not None:
        skill = found["metrics"]["skill"]
        shown = "undefined" if skill is None else f"{round(100 * skill, 2) + 0.0:+.2f} %"
        print(f"test: rmse {found['metrics']['rmse']:.5g}, mae {found['metrics']['mae']:.5g}, skill over naive {shown}")


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A folder that zoo fit wrote.")],
    source: Annotated[str, typer.Argument(metavar="DATA", help="A data file or a built-in name.")],
    out: Annotated[Path | None, typer.Option(help="CSV file to write (default: print it).")] = None,
    columns: Columns = None,
    time: Time = None,
    missing: Missing = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Forecast the horizon after the last row of DATA, in the data's units."""
    from zoo.data.sources import load
    from zoo.files import write_atomically
    from zoo.train.store import forecast_next, load_model

    saved = load_model(model)
    table = load(source, columns=_names(columns), time=time)
    found = forecast_next(saved, table, missing=missing, device=device)
    for note in table.notes:
        print(f"note: {note}", file=sys.stderr)
    if table.time is not None and len(found.columns) == len(saved.targets) + 1:
        print("note: the spacing of the rows is irregular: forecasts have no timestamps", file=sys.stderr)
    if out is not None:
        try:
            write_atomically(out, found.to_csv(index=False, float_format=FORECAST).encode())
        except OSError as error:
            raise InputError(f"cannot write {out}: {error.strerror}; choose another --out") from error
    if as_json:
        _print_json(found.to_dict(orient="records"))
    elif out is None:
        print(found.to_csv(index=False, float_format=FORECAST), end="")


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders with rows.jsonl.")],
    as_json: Json = False,
) -> None:
    """Show the results in each folder again, and write its report.md, from the rows alone."""
    from zoo.bench.rows import read_rows
    from zoo.files import write_atomically
    from zoo.report.board import summary
    from zoo.report.markdown import markdown
    from zoo.report.terminal import show as show_boards

    found: list[Any] = []
    for folder in folders:
        rows, left_out = read_rows(folder)
        if not rows:
            raise InputError(f"no rows in {folder / 'rows.jsonl'}: run zoo bench ... --out {folder} first")
        found += summary(rows)
        if as_json:
            continue
        try:
            write_atomically(folder / "report.md", markdown(rows, left_out).encode())
        except OSError as error:
            raise InputError(f"cannot write {folder / 'report.md'}: {error.strerror}") from error
        show_boards(_console(), rows)
        for sentence in left_out:
            print(sentence, file=sys.stderr)
    if as_json:
        _print_json(found)


@contextmanager
def _epoch_line() -> "Iterator[Callable[[Epoch], None]]":
    """A callback that keeps one line on a terminal up to date; elsewhere it says nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:

        def on_epoch(epoch: "Epoch") -> None:
            loss = f"train loss {epoch.train_loss:.4g}"
            if epoch.valid_loss is not None:
                loss += f", validation loss {epoch.valid_loss:.4g}"
            status.update(f"epoch {epoch.number}, {loss}, {epoch.windows_per_second:,.0f} windows/s")

        yield on_epoch


def _data_changes(
    targets: str | None, columns: str | None, channels: str | None, time: str | None, missing: str | None
) -> dict[str, Any]:
    named = {"targets": _names(targets), "columns": _names(columns), "channels": _names(channels)}
    return {**named, "time": time, "missing": missing}


def _problem_changes(
    lookback: int | None, horizon: int | None, split: str | None, scaler: str | None, normalise: str | None
) -> dict[str, Any]:
    shape = {"lookback": lookback, "horizon": horizon, "split": _split(split)}
    return {**shape, "scaler": scaler, "normalise": normalise}


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


def _names(text: str | None) -> list[str] | None:
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


def _command(shown: dict[str, str] | None = None) -> str:
    """The line that was typed; `shown` replaces what must not be kept, a password say."""
    import shlex

    line = shlex.join(["zoo", *(argument for argument in sys.argv[1:] if argument not in ("--debug", "--force"))])
    for secret, instead in (shown or {}).items():
        line = line.replace(shlex.quote(secret), shlex.quote(instead)).replace(secret, instead)
    return line


def _console() -> "Console":
    from rich.console import Console

    # Where the output is not a terminal, a table must not fold at a guessed width.
    return Console() if sys.stdout.isatty() else Console(width=160)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str))


if __name__ == "__main__":
    main()
