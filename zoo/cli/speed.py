"""zoo speed: what each variant costs on this device."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app, examples
from zoo.cli.options import OUTPUT, Device, Json, names_in, option, table_console, typed_line
from zoo.errors import InputError

if TYPE_CHECKING:
    from zoo.throughput.cells import SpeedSuite
    from zoo.throughput.run import SpeedEvent

WHAT, HOW = "What is timed", "How long"
SpeedSet = Annotated[
    list[str] | None,
    option(WHAT, "A parameter: lstm.hidden_size=128, or a sweep: lstm.hidden_size=64,128; repeatable.", "--set"),
]


@app.command(
    epilog=examples(
        "zoo speed --models lstm,linear --batch-size 64,max",
        "zoo speed --models lstm --set lstm.hidden_size=64,128,256",
        "zoo speed benchmarks/suites/speed.toml --out results/speed-here",
    )
)
def speed(
    source: Annotated[str | None, typer.Argument(metavar="[SUITE.toml]", help="A speed suite.")] = None,
    models: Annotated[str | None, option(WHAT, "Variants: lstm,naive (default: all).")] = None,
    phase: Annotated[str | None, option(WHAT, "infer, train or both: infer,train (default).")] = None,
    device: Device = "auto",
    dtype: Annotated[str | None, option(WHAT, "float32, tf32, bfloat16, float16 (default: float32).")] = None,
    mode: Annotated[str | None, option(WHAT, "eager, kernel, compile, cuda-graph (default: eager).")] = None,
    batch_size: Annotated[
        str | None, option(WHAT, "Windows per step: 64,512 or max, the largest that fits (default: 64,512,4096).")
    ] = None,
    lookback: Annotated[str | None, option(WHAT, "Steps that the model sees: 7,96 (default).")] = None,
    horizon: Annotated[int | None, option(WHAT, "Steps that it forecasts (default: 1).")] = None,
    channels: Annotated[int | None, option(WHAT, "Input channels (default: 5).")] = None,
    threads: Annotated[int | None, option(WHAT, "CPU threads of a step (default: 1).")] = None,
    settings: SpeedSet = None,
    seconds: Annotated[float | None, option(HOW, "Time limit of one cell (default: 1).")] = None,
    passes: Annotated[int | None, option(HOW, "Fresh processes that time each cell (default: 5).")] = None,
    out: Annotated[Path | None, option(OUTPUT, "Output folder (default: results/NAME).")] = None,
    force: Annotated[bool, option(OUTPUT, "Time cells again even if they already have rows.", "--force")] = False,
    as_json: Json = False,
) -> None:
    """Time training and inference steps of every variant: windows/s, latency, memory, and what bounds them."""
    from zoo.run.server import start_early

    if threads in (None, 1):
        start_early("zoo.throughput.worker")
    from zoo.report.folder import write_report
    from zoo.report.formats import as_text
    from zoo.report.speed import speed_section
    from zoo.report.terminal import show
    from zoo.run.results import frame_of
    from zoo.throughput.run import run_speed

    words = {"models": models, "phase": phase, "dtype": dtype, "mode": mode}
    sizes = {"batch_size": _sizes(batch_size, "batch size", "max"), "lookback": _sizes(lookback, "lookback")}
    counts = {"horizon": horizon, "channels": channels, "threads": threads}
    changes: dict[str, dict[str, Any]] = {
        "speed": {**{name: names_in(text) for name, text in words.items()}, **sizes, **counts},
        "method": {"seconds": seconds, "passes": passes},
    }
    suite = speed_suite_from(source, changes, settings or [])
    folder = out or Path("results") / suite.name
    with progress() as on_event:
        run = run_speed(suite, folder, device=device, force=force, command=typed_line(), on_event=on_event)
    if run.is_stopped:
        complete = f"{run.complete} of {run.cells} cells are complete"
        print(f"stopped: {complete}; repeat the command to resume", file=sys.stderr)
        sys.exit(130)
    write_report(folder)
    frame = frame_of([(folder, row) for row in run.rows])
    if as_json:
        sys.stdout.write(as_text(frame, "json"))
    else:
        show(table_console(), [], speed_section(frame, is_brief=True))
        print(f"rows, report.md and pictures are in {folder}")
    sys.exit(1 if any(row.error is not None for row in run.rows) else 0)


def speed_suite_from(
    source: str | None, changes: Mapping[str, Mapping[str, Any]], settings: Sequence[str]
) -> "SpeedSuite":
    """The speed suite in a .toml file, or the default settings, changed by options and `--set` settings.

    changes: values of `speed` and `method` by key, None where unchanged; a batch_size or lookback among them
    replaces the file's grids. Raises InputError.
    """
    from zoo.records import checked
    from zoo.space import scalar
    from zoo.throughput.cells import SpeedSuite, read_speed_suite

    base: dict[str, Any] = {"name": "speed"}
    if source is not None:
        base = read_speed_suite(Path(source)).model_dump(exclude_unset=True)
    changed = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in changes.items()
    }
    base |= {section: base.get(section, {}) | values for section, values in changed.items()}
    parameters: dict[str, dict[str, Any]] = base.setdefault("models", {})
    if names := changed["speed"].get("models"):
        base["speed"].pop("tags", None)
        if names != ["all"]:
            parameters = base["models"] = {name: parameters[name] for name in names if name in parameters}
    if changed["speed"].keys() & {"batch_size", "lookback"}:
        base.pop("grid", None)
    for setting in settings:
        name, equals, value = setting.partition("=")
        owner, dot, parameter = name.strip().rpartition(".")
        if not (equals and dot and owner and parameter):
            raise InputError(f"--set takes VARIANT.PARAMETER=VALUE, with commas for a sweep, got '{setting}'")
        sweep = [scalar(part.strip()) for part in value.split(",")]
        parameters.setdefault(owner, {})[parameter] = sweep if len(sweep) > 1 else sweep[0]
    return checked(SpeedSuite, base, source or "zoo speed")


@contextmanager
def progress() -> Iterator[Callable[["SpeedEvent"], None]]:
    """A listener for the events of a run: a line with the time left on a terminal, elsewhere a line for each row."""
    if not sys.stderr.isatty():

        def on_plain_event(event: "SpeedEvent") -> None:
            if event.text or event.is_complete:
                number = "" if event.text else f"[{event.ended}/{event.cells}] "
                print(number + _news(event), file=sys.stderr, flush=True)

        yield on_plain_event
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
                description=escape(event.text or event.name),
            )
            if event.text or event.is_complete:
                line.console.print(escape(_news(event)), highlight=False)

        yield on_event


def _news(event: "SpeedEvent") -> str:
    """The text of an event, or the figures of a complete row."""
    row = event.row
    if row is None:
        return event.text
    if row.error is not None:
        return f"{event.name}: failed: {row.error}"
    assert row.step_seconds is not None and row.windows_per_second is not None
    settled = "" if row.is_settled else ", not settled"
    figures = f"{1e3 * row.step_seconds.median:.4g} ms a step, {row.windows_per_second.median:,.0f} windows/s"
    return f"{event.name}: {figures}{settled}"


def _sizes(text: str | None, name: str, word: str | None = None) -> list[int | str] | None:
    """The whole numbers in a list with commas; `word` may stand among them."""
    parts = names_in(text) or []
    for part in parts:
        if not part.isdecimal() and part != word:
            or_word = f" or {word}" if word else ""
            raise InputError(f"{name} must be whole numbers >= 1{or_word}, with commas between, got '{part}'")
    return [int(part) if part.isdecimal() else part for part in parts] or None
