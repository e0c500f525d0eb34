"""zoo speed: what each variant costs on this device."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import Device, Json, names_in, typed_line
from zoo.errors import InputError

SpeedSet = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter: lstm.hidden_size=128, or a sweep: lstm.hidden_size=64,128; repeatable."),
]


@app.command()
def speed(
    source: Annotated[str | None, typer.Argument(metavar="[SUITE.toml]", help="A speed suite.")] = None,
    models: Annotated[str | None, typer.Option(help="Variants: lstm,naive (default: all).")] = None,
    phase: Annotated[str | None, typer.Option(help="infer, train or both: infer,train (default).")] = None,
    device: Device = "auto",
    dtype: Annotated[str | None, typer.Option(help="float32, tf32, bfloat16, float16 (default: float32).")] = None,
    mode: Annotated[str | None, typer.Option(help="eager, compile, cuda-graph (default: eager).")] = None,
    batch_size: Annotated[
        str | None, typer.Option(help="Windows a step: 64,512 or max, the largest that fits (default: 64,512,4096).")
    ] = None,
    lookback: Annotated[str | None, typer.Option(help="Steps that the model sees: 7,96 (default).")] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps that it forecasts (default: 1).")] = None,
    channels: Annotated[int | None, typer.Option(help="Input channels (default: 5).")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads of a step (default: 1).")] = None,
    settings: SpeedSet = None,
    seconds: Annotated[float | None, typer.Option(help="Time cap of one cell (default: 3).")] = None,
    passes: Annotated[int | None, typer.Option(help="Fresh processes that each cell is timed in (default: 3).")] = None,
    out: Annotated[Path | None, typer.Option(help="Output folder (default: results/NAME).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Time again what is already there.")] = False,
    as_json: Json = False,
) -> None:
    """Time training and inference steps of every variant: windows/s, latency, memory, and what bounds them."""
    from zoo.speed.run import run_speed, speed_suite_from

    changes: dict[str, dict[str, Any]] = {
        "speed": {
            "models": names_in(models),
            "phase": names_in(phase),
            "dtype": names_in(dtype),
            "mode": names_in(mode),
            "batch_size": _sizes(batch_size, "batch size"),
            "lookback": _sizes(lookback, "lookback"),
            "horizon": horizon,
            "channels": channels,
            "threads": threads,
        },
        "method": {"seconds": seconds, "passes": passes},
    }
    suite = speed_suite_from(source, changes, settings or [])
    folder = out or Path("results") / suite.name
    sys.exit(run_speed(suite, folder, device=device, force=force, command=typed_line(), as_json=as_json))


def _sizes(text: str | None, name: str) -> list[int | str] | None:
    """Whole numbers with commas between; `max` is left as it is."""
    if text is None:
        return None
    found: list[int | str] = []
    for part in names_in(text) or []:
        if not (part.isdecimal() or (part == "max" and name == "batch size")):
            or_max = " or max" if name == "batch size" else ""
            raise InputError(f"{name} must be whole numbers >= 1{or_max}, with commas between, got '{part}'")
        found.append(int(part) if part.isdecimal() else part)
    return found
