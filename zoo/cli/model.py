"""zoo fit and predict: train one model, save it, use it."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    print_json,
    problem_changes,
    suite_from,
    typed_line,
)
from zoo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zoo.train.fit import Epoch


FORECAST = "%.7g"  # the digits of float32


FIT_EXAMPLES = """
Examples:\n
  zoo fit lstm prices.csv --targets close --out models/lstm\n
  zoo fit ./mine.py prices.csv --targets close --set fit.max_epochs=50 --out models/mine
"""
PREDICT_EXAMPLES = """
Examples:\n
  zoo predict models/lstm prices.csv --out forecasts.csv
"""


@app.command(epilog=FIT_EXAMPLES)
def fit(
    name: Annotated[str, typer.Argument(help="A variant, or a file with one: ./mine.py.")],
    source: Annotated[str, typer.Argument(metavar="DATA", help="A data file or a built-in name.")],
    out: Annotated[Path, typer.Option(help="Folder to save the model in.")],
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
    """Train one variant and save the model; --split 0.9,0.1,0 trains up to the newest rows and scores nothing."""
    from zoo.run.single import fit_and_save

    changes = {
        "data": data_changes(targets, columns, channels, time, missing),
        "problem": problem_changes(lookback, horizon, split, scaler, normalise),
        "run": {"models": [name], "seeds": [seed]},
    }
    suite = suite_from(source, changes, settings or [])
    with _epoch_line() as on_epoch:
        outcome = fit_and_save(suite, out, device=device, command=typed_line(), on_epoch=on_epoch)
    for note in outcome["notes"]:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(outcome)
        return
    epochs = f"weights of epoch {outcome['best_epoch']} of {outcome['epochs']}"
    print(f"{outcome['variant']}: {epochs}, {outcome['train_seconds']:.1f} s, in {out}")
    if outcome["epochs"] and outcome["best_epoch"] == 0:
        print(
            "note: no epoch was better on validation than the untrained model, so the untrained weights were saved",
            file=sys.stderr,
        )
    if outcome["metrics"] is not None:
        skill = outcome["metrics"]["skill"]
        shown = "undefined" if skill is None else f"{round(100 * skill, 2) + 0.0:+.2f} %"
        rmse, mae = outcome["metrics"]["rmse"], outcome["metrics"]["mae"]
        print(f"test: rmse {rmse:.5g}, mae {mae:.5g}, skill over naive {shown}")


@app.command(epilog=PREDICT_EXAMPLES)
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A folder that zoo fit wrote.")],
    source: Annotated[str, typer.Argument(metavar="DATA", help="A data file or a built-in name.")],
    out: Annotated[Path | None, typer.Option(help="CSV file to write (default: print it).")] = None,
    columns: Columns = None,
    time: Time = None,
    missing: Missing = None,
    variants: Annotated[
        Path | None, typer.Option(help="The file with the model's variant, if it came from a file.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Forecast the horizon after the last row of DATA, in the data's units."""
    from zoo.data.sources import load
    from zoo.files import write_atomically
    from zoo.registry import from_file
    from zoo.train.store import forecast_next, load_model

    if variants is not None:
        from_file(variants)
    saved = load_model(model)
    table = load(source, columns=names_in(columns), time=time)
    forecasts = forecast_next(saved, table, missing=missing, device=device)
    for note in (*saved.notes, *table.notes):
        print(f"note: {note}", file=sys.stderr)
    if table.time is not None and len(forecasts.columns) == len(saved.targets) + 1:
        print("note: the spacing of the rows is irregular: forecasts have no timestamps", file=sys.stderr)
    if out is not None:
        try:
            write_atomically(out, forecasts.to_csv(index=False, float_format=FORECAST).encode())
        except OSError as error:
            raise InputError(f"cannot write {out}: {error.strerror}; choose another --out") from error
    if as_json:
        print_json(forecasts.to_dict(orient="records"))
    elif out is None:
        print(forecasts.to_csv(index=False, float_format=FORECAST), end="")


@contextmanager
def _epoch_line() -> "Iterator[Callable[[Epoch], None]]":
    """A callback that updates one line on a terminal; elsewhere it is silent."""
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
