"""zoo fit and predict: train one model, save it, use it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli import options
from zoo.cli.app import app, examples
from zoo.cli.data_options import takes_data
from zoo.cli.options import option
from zoo.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame

    from zoo.ahead import Network
    from zoo.model_file import ModelFile
    from zoo.suite import Suite
    from zoo.train.descent import Epoch


@app.command(
    epilog=examples(
        "zoo fit lstm prices.csv --targets close --horizon 5 --out models/close",
        "zoo fit ./mine.py prices.csv --targets close --out models/mine",
        "zoo fit lstm prices.csv --targets close --refit --out models/newest",
        "zoo fit --from results/mine --refit --out models/best",
        "zoo fit best newer.csv --from results/mine --out models/newer",
    )
)
@takes_data(without=["folds", "sliding"])
def fit(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME|FILE.py", help="A variant, or a file with one: ./mine.py.")
    ] = None,
    source: Annotated[str | None, typer.Argument(metavar="DATA", help="A data file or a built-in data set.")] = None,
    *,
    out: Annotated[Path, option(options.OUTPUT, "Folder to save the model in.")],
    changes: dict[str, dict[str, Any]],
    run: Annotated[
        Path | None,
        option(
            options.MODELS,
            "A folder of zoo bench: take the settings that are best on validation rows; of any variant where NAME is "
            "best or left out, and the data too where DATA is.",
            "--from",
        ),
    ] = None,
    seed: Annotated[
        int | None, option(options.MODELS, "Seed of weights, batch order and dropout (default: 0).")
    ] = None,
    settings: options.Set = None,
    tuned: Annotated[Path | None, option(options.MODELS, "A folder that zoo tune wrote: take its settings.")] = None,
    refit: Annotated[
        bool, option(options.MODELS, "Train once more on all rows, for the epochs that were best.", "--refit")
    ] = False,
    device: options.Device = "auto",
    track: options.Track = None,
    as_json: options.Json = False,
) -> None:
    """Train one variant and save the model; --split 0.9,0.1,0 trains up to the newest rows and scores nothing."""
    from rich.console import Console

    from zoo.run.single import fit_and_save

    fingerprint = None
    if run is not None:
        if tuned is not None:
            raise InputError("--from and --tuned each say where the settings come from: leave one of them out")
        if changes["problem"].pop("advised", None):
            raise InputError(
                "--from takes the settings of a run, and --advised those of zoo data: leave one of them out"
            )
        suite, fingerprint = _suite_of_best(run, name, source, changes, settings or [], seed)
    elif name is None or source is None:
        raise InputError("name a variant and data, as in zoo fit lstm prices.csv, or take both from a run: --from OUT")
    else:
        changes["run"] = {"models": [name], "seeds": [seed or 0]}
        suite = options.suite_from(source, changes, settings or [])
    with options.tracked(track, suite.name) as tracking, Console(stderr=True).status("starting") as status:
        outcome = fit_and_save(
            suite,
            out,
            device=device,
            tuned=tuned,
            refit=refit,
            command=options.typed_line(track=track),
            fingerprint=fingerprint,
            tracking=tracking,
            on_epoch=lambda epoch: status.update(_epoch_text(epoch)),
        )
    options.print_notes(outcome["notes"])
    if as_json:
        options.print_json(outcome)
        return
    epochs = f"weights of epoch {outcome['best_epoch']} of {outcome['epochs']}"
    print(f"{outcome['variant']}: {epochs}, {outcome['train_seconds']:.1f} s, in {out}")
    if outcome["epochs"] and outcome["best_epoch"] == 0:
        options.print_notes(
            ["no epoch was better on validation than the untrained model, so the untrained weights were saved"]
        )
    metrics, rows, learned = outcome["metrics"], outcome["rows"], outcome["rows_learned"]
    if outcome["is_trained_again"] and outcome["parameter_count"]:
        which = (
            f"all {rows} rows" if learned == rows else f"the oldest {learned} of {rows} rows, the others for validation"
        )
        print(f"trained once more on {which}; the test figures are those of the first training")
    elif learned < rows and outcome["parameter_count"]:
        share = f"{rows - learned} of {rows}"
        options.print_notes(
            [f"no weight has learned from the newest {share} rows; --refit trains once more on all rows"]
        )
    if metrics is not None:
        print(f"test: {options.errors_text(metrics)}, skill over naive {options.skill_text(metrics['skill'])}")


def _suite_of_best(
    run: Path,
    name: str | None,
    source: str | None,
    changes: dict[str, dict[str, Any]],
    settings: list[str],
    seed: int | None,
) -> "tuple[Suite, str]":
    """The suite of the best row of a run, on its own data or on `source`, and the fingerprint of the run's data."""
    from zoo.registry import named
    from zoo.run.best_row import best_row, suite_settings

    if name is not None and source is None and not name.endswith(".py") and Path(name).exists():
        raise InputError(f"{name} is a file of data: name the variant before it, or zoo fit best {name} --from {run}")
    best = best_row(run, None if name is None or name == "best" else named(name))
    options.print_notes(best.notes)
    changes["run"] = {"seeds": None if seed is None else [seed]}
    suite = options.changed_suite(suite_settings(best.row, source), changes, settings, str(run))
    return suite, best.row.data.fingerprint


def _epoch_text(epoch: "Epoch") -> str:
    loss = "" if epoch.valid_loss is None else f", validation loss {epoch.valid_loss:.4g}"
    return f"epoch {epoch.number}, train loss {epoch.train_loss:.4g}{loss}, {epoch.windows_per_second:,.0f} windows/s"


@app.command(
    epilog=examples(
        "zoo predict models/close prices.csv",
        "zoo predict models/close prices.csv --out forecasts.csv",
        "zoo predict models/close prices.csv --origin all --out past.csv",
        "zoo predict models/mine prices.csv --variants ./mine.py",
    )
)
def predict(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL_DIR|FILE.onnx", help="A folder that zoo fit wrote, or an exported model.")
    ],
    source: options.Data,
    variants: options.Variants = None,
    columns: options.Columns = None,
    time: options.Time = None,
    case: options.Case = None,
    label: options.Label = None,
    missing: options.Missing = None,
    origin: Annotated[
        str | None,
        option(
            options.FORECAST, "A time: forecast as if it were the last row; all: after every row, with actual values."
        ),
    ] = None,
    device: options.Device = "auto",
    out: Annotated[Path | None, option(options.OUTPUT, "CSV file to write (default: print it).")] = None,
    as_json: options.Json = False,
) -> None:
    """Forecast the horizon after the last row of DATA, in the data's units, or classify its cases."""
    from zoo.ahead import classified, forecast_ahead
    from zoo.data.cases import Cases
    from zoo.data.sources import load
    from zoo.data.table import Table

    file, network, notes = (_exported if model.suffix == ".onnx" else _loaded)(model, variants, device)
    how: dict[str, Any] = {"columns": options.names_in(columns), "time": time, "case": case, "label": label}
    table = load(source, **how, **file.reading)
    if isinstance(table, Cases):
        if origin is not None:
            raise InputError("origin is a time of a series to forecast: leave it out for sequences to classify")
        table = table.without_test()  # the file that was named, not the one beside it
        forecasts = classified(file, network, table)
    else:
        forecasts = forecast_ahead(file, network, table, origin=origin, missing=missing)
    options.print_notes([*notes, *table.notes])
    if left_out := forecasts.attrs.get("left_out"):
        options.print_notes([f"not in the fit, so not forecast: {', '.join(left_out[:10])}"])
    has_times = isinstance(table, Table) and table.time is not None
    if has_times and not {"time", "timestamp"}.intersection(set(forecasts.columns) - set(file.targets)):
        options.print_notes(["the spacing of the rows is irregular: forecasts have no timestamps"])
    _write(forecasts, out, as_json=as_json)


def _loaded(folder: Path, variants: Path | None, device: str) -> "tuple[ModelFile, Network, tuple[str, ...]]":
    """What a model's folder says of itself, what computes its output, and notes."""
    from zoo.registry import from_file
    from zoo.train.forecast_next import network_of
    from zoo.train.store import load_model

    if variants is not None:
        from_file(variants)
    saved = load_model(folder)
    return saved.file, network_of(saved, device), saved.notes


def _exported(path: Path, variants: Path | None, device: str) -> "tuple[ModelFile, Network, tuple[str, ...]]":
    """The same of an exported file, without torch."""
    from zoo.onnx_model import OnnxModel

    if variants is not None:
        raise InputError(f"{path} holds its variant, and needs no file of it: leave out --variants")
    if device not in ("auto", "cpu"):
        raise InputError(f"{path} runs on the CPU, got --device {device}: leave it out, or predict from the folder")
    exported = OnnxModel(path)
    return exported.file, exported.network, ()


def _write(forecasts: "DataFrame", out: Path | None, *, as_json: bool) -> None:
    from zoo.files import write_text

    text = forecasts.to_csv(index=False, float_format="%.7g")  # the digits of float32
    if out is not None:
        write_text(out, text)
    if as_json:
        options.print_json(forecasts.to_dict(orient="records"))
    elif out is None:
        print(text, end="")


@app.command(
    epilog=examples("zoo export models/close --out close.onnx", "zoo export models/close --to pt2 --out close.pt2")
)
def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A folder that zoo fit wrote.")],
    out: Annotated[Path, option(options.OUTPUT, "File to write.")],
    to: Annotated[str, option(options.OUTPUT, "onnx (ONNX Runtime) or pt2 (torch.export).")] = "onnx",
    variants: options.Variants = None,
    as_json: options.Json = False,
) -> None:
    """Write a model as one file from raw values to raw forecasts, compared with the model before it is written."""
    from zoo.registry import from_file
    from zoo.train.export import export as export_model
    from zoo.train.store import load_model

    if variants is not None:
        from_file(variants)
    saved = load_model(model)
    options.print_notes(saved.notes)
    exported = export_model(saved, out, to=to)
    if as_json:
        options.print_json({"path": str(out), "bytes": exported.bytes, "difference": exported.difference})
    else:
        print(f"{out}: {exported.bytes / 1024:,.0f} KiB, differs from the model by {exported.difference:.1g} at most")
