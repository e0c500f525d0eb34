"""zoo speed: what each variant costs on this device."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import Device, Json, names_in, print_json, table_console, typed_line
from zoo.errors import InputError

if TYPE_CHECKING:
    from zoo.cell import SpeedRow
    from zoo.speed.cells import SpeedSuite
    from zoo.speed.run import SpeedEvent

WHAT, HOW, OUTPUT = "What is timed", "How long", "Output"
SpeedSet = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A parameter: lstm.hidden_size=128, or a sweep: lstm.hidden_size=64,128; repeatable.",
        rich_help_panel=WHAT,
    ),
]


def _option(panel: str, text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=panel)


@app.command()
def speed(
    source: Annotated[str | None, typer.Argument(metavar="[SUITE.toml]", help="A speed suite.")] = None,
    models: Annotated[str | None, _option(WHAT, "Variants: lstm,naive (default: all).")] = None,
    phase: Annotated[str | None, _option(WHAT, "infer, train or both: infer,train (default).")] = None,
    device: Device = "auto",
    dtype: Annotated[str | None, _option(WHAT, "float32, tf32, bfloat16, float16 (default: float32).")] = None,
    mode: Annotated[str | None, _option(WHAT, "eager, compile, cuda-graph (default: eager).")] = None,
    batch_size: Annotated[
        str | None, _option(WHAT, "Windows a step: 64,512 or max, the largest that fits (default: 64,512,4096).")
    ] = None,
    lookback: Annotated[str | None, _option(WHAT, "Steps that the model sees: 7,96 (default).")] = None,
    horizon: Annotated[int | None, _option(WHAT, "Steps that it forecasts (default: 1).")] = None,
    channels: Annotated[int | None, _option(WHAT, "Input channels (default: 5).")] = None,
    threads: Annotated[int | None, _option(WHAT, "CPU threads of a step (default: 1).")] = None,
    settings: SpeedSet = None,
    seconds: Annotated[float | None, _option(HOW, "Time limit of one cell (default: 3).")] = None,
    passes: Annotated[int | None, _option(HOW, "Fresh processes that time each cell (default: 3).")] = None,
    out: Annotated[Path | None, _option(OUTPUT, "Output folder (default: results/NAME).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Time existing rows again.", rich_help_panel=OUTPUT)] = False,
    as_json: Json = False,
) -> None:
    """Time training and inference steps of every variant: windows/s, latency, memory, and what bounds them.

    Examples: zoo speed --models lstm,linear --batch-size 64,max; zoo speed benchmarks/suites/speed.toml
    """
    from zoo.report.speed import show_speed, write_speed_report
    from zoo.run.results import frame_of
    from zoo.speed.run import run_speed
    from zoo.speed.table import speed_summary

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
    with progress() as on_event:
        run = run_speed(suite, folder, device=device, force=force, command=typed_line(), on_event=on_event)
    if run.is_stopped:
        print(
            f"stopped: {run.complete} of {run.cells} cells are complete; run the same command again to go on",
            file=sys.stderr,
        )
        sys.exit(130)
    write_speed_report(folder)
    frame = frame_of([(folder, row) for row in run.rows])
    if as_json:
        print_json(speed_summary(frame))
    else:
        show_speed(table_console(), frame)
        print(f"rows, report.md and pictures are in {folder}")
    sys.exit(1 if any(row.error is not None for row in run.rows) else 0)


def speed_suite_from(
    source: str | None, changes: Mapping[str, Mapping[str, Any]], settings: Sequence[str]
) -> "SpeedSuite":
    """The speed suite in a .toml file, or the default settings, with changes and `--set` settings over it.

    changes: values of `speed` and `method` by key, None where unchanged; a batch_size or lookback among them
    replaces the file's grids. Raises InputError.
    """
    from zoo.records import checked
    from zoo.space import scalar
    from zoo.speed.cells import SpeedSuite, read_speed_suite

    base: dict[str, Any] = {"name": "speed"}
    if source is not None:
        base = read_speed_suite(Path(source)).model_dump(exclude_unset=True)
    for section, values in changes.items():
        given = {key: value for key, value in values.items() if value is not None}
        base[section] = {**base.get(section, {}), **given}
    speed = base["speed"]
    if changes["speed"].get("models") is not None:
        speed.pop("tags", None)
        if speed["models"] != ["all"] and "models" in base:
            base["models"] = {name: base["models"][name] for name in speed["models"] if name in base["models"]}
    if any(changes["speed"].get(key) is not None for key in ("batch_size", "lookback")):
        base.pop("grid", None)
    for setting in settings:
        name, equals, value = setting.partition("=")
        owner, dot, parameter = name.strip().rpartition(".")
        if not (equals and dot and owner and parameter):
            raise InputError(f"--set takes VARIANT.PARAMETER=VALUE, with commas for a sweep, got '{setting}'")
        sweep = [scalar(part.strip()) for part in value.split(",")]
        base.setdefault("models", {}).setdefault(owner, {})[parameter] = sweep if len(sweep) > 1 else sweep[0]
    return checked(SpeedSuite, base, source or "zoo speed")


@contextmanager
def progress() -> Iterator[Callable[["SpeedEvent"], None]]:
    """A callback for the events of a run: one line with the time left on a terminal, a plain line a row elsewhere."""
    if not sys.stderr.isatty():
        yield _plain
        return
    from rich.markup import escape

    from zoo.cli.progress import counter, left_text, progress_line

    began = time.monotonic()
    with progress_line() as line:
        task = line.add_task("starting", total=None, counter="", left="")

        def on_event(event: "SpeedEvent") -> None:
            complete = event.visit - (event.cell is not None and event.row is None)
            line.update(
                task,
                completed=complete,
                total=event.visits,
                counter=counter(complete, event.visits),
                left=left_text(time.monotonic() - began, complete, event.visits),
                description=escape(event.text or _name(event)),
            )
            if event.text:
                line.console.print(escape(event.text), highlight=False)
            elif event.row is not None and event.is_complete:
                line.console.print(escape(f"{_name(event)}: {_outcome(event.row)}"), highlight=False)

        yield on_event


def _plain(event: "SpeedEvent") -> None:
    if event.text:
        print(event.text, file=sys.stderr, flush=True)
    elif event.row is not None and event.is_complete:
        print(f"[{event.ended}/{event.cells}] {_name(event)}: {_outcome(event.row)}", file=sys.stderr, flush=True)


def _name(event: "SpeedEvent") -> str:
    from zoo.speed.run import cell_name

    assert event.cell is not None
    return cell_name(event.cell)


def _outcome(row: "SpeedRow") -> str:
    if row.error is not None:
        return f"failed: {row.error}"
    assert row.step_seconds is not None and row.windows_per_second is not None
    settled = "" if row.is_settled else ", not settled"
    step, rate = 1e3 * row.step_seconds.median, row.windows_per_second.median
    return f"{step:.4g} ms a step, {rate:,.0f} windows/s{settled}"


def _sizes(text: str | None, name: str) -> list[int | str] | None:
    """Whole numbers with commas between; `max` is left as it is."""
    if text is None:
        return None
    sizes: list[int | str] = []
    for part in names_in(text) or []:
        if not (part.isdecimal() or (part == "max" and name == "batch size")):
            or_max = " or max" if name == "batch size" else ""
            raise InputError(f"{name} must be whole numbers >= 1{or_max}, with commas between, got '{part}'")
        sizes.append(int(part) if part.isdecimal() else part)
    return sizes
