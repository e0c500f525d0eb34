"""zoo.speed: what each variant costs on this machine, from Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from zoo.errors import InputError
from zoo.inline import in_folder, is_watched
from zoo.records import checked
from zoo.report.chart import canvas_of
from zoo.report.section import Captioned, Section
from zoo.report.speed import speed_section
from zoo.report.speed_pictures import speed_charts
from zoo.report.text_table import TextTable, html_table, html_text, plain_text
from zoo.run.results import results
from zoo.throughput.cells import SpeedSuite
from zoo.throughput.run import SpeedEvent, run_speed
from zoo.throughput.table import speed_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = {  # of a row, and what they are called here
    "label": "variant", "phase": "phase", "lookback": "lookback", "batch_measured": "batch_size",
    "windows_per_second.median": "windows_per_second", "step_seconds.median": "step_seconds",
    "step_seconds.low": "step_seconds_low", "step_seconds.high": "step_seconds_high",
    "latency_seconds.p50": "latency_seconds", "peak_memory_bytes": "peak_memory_bytes",
    "flops_per_window": "flops_per_window", "parameter_count": "parameters", "is_settled": "is_settled",
    "error": "error",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class SpeedResults:
    """What zoo.speed measured: its rows lie in `folder`, which an equal call goes on from."""

    folder: Path
    keys: frozenset[str]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Each timed cell, as zoo.results gives them."""
        frame = results(self.folder)
        return frame[frame["key"].isin(self.keys)]

    @property
    def table(self) -> pd.DataFrame:
        """A row for each variant, phase, lookback and batch size, the fastest first: medians over repeats, the 95 %
        interval of the step's, memory, operations; error: why a cell has no figures."""
        frame = speed_rows(self.rows)
        frame = frame.reindex(columns=[*COLUMNS]).rename(columns=COLUMNS)
        order = ["phase", "lookback", "batch_size", "windows_per_second"]
        return frame.sort_values(order, ascending=[True, True, True, False]).reset_index(drop=True)

    @property
    def verdict(self) -> str:
        """Which variant is fastest, by how much, and what else stands out."""
        return "\n".join(self._section().sentences)

    def plot(self, name: str | None = None) -> "Figure":
        """A picture of the report, such as throughput; the first one where none is named. Raises InputError."""
        charts = speed_charts(speed_rows(self.rows))
        known = [file.removesuffix(".png") for file in charts]
        if (name or next(iter(known), None)) not in known:
            raise InputError(f"there is no picture '{name or 'of speed'}' here: {', '.join(known) or 'none'}")
        figure: Figure = canvas_of(charts[f"{name or known[0]}.png"])
        return figure

    def __repr__(self) -> str:
        section = self._section()
        tables = [f"{title}\n{plain_text(table)}".strip() for title, table in _tables(section)]
        return "\n\n".join([section.title, section.sentences[0], *tables])

    def _repr_html_(self) -> str:
        section = self._section()
        tables = [html_text(title) + html_table(table) for title, table in _tables(section)]
        return "".join([html_text(section.title, section.sentences[0]), *tables])

    def _section(self) -> Section:
        section = speed_section(self.rows, is_brief=True)
        assert section is not None  # there are rows
        return section


def speed(
    models: Sequence[str] = ("all",),
    *,
    phase: str | Sequence[str] = ("infer", "train"),
    device: str = "auto",
    dtype: str | Sequence[str] = "float32",
    mode: str | Sequence[str] = "eager",
    batch_size: int | str | Sequence[int | str] = (64, 512, 4096),
    lookback: int | Sequence[int] = (7, 96),
    horizon: int = 1,
    channels: int = 5,
    threads: int = 1,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    seconds: float = 1.0,
    passes: int = 5,
    out: str | Path | None = None,
    progress: bool = True,
) -> SpeedResults:
    """Time training and inference steps of variants, each cell in fresh processes, as the command zoo speed does.

    models: names, or ["all"]; phase: infer, train; dtype: float32, tf32, bfloat16, float16; mode: eager, compile,
    cuda-graph; batch_size: windows a step, or "max"; params: of variants, by name, where a list sweeps; seconds: time
    limit of a cell; passes: processes that time it; out: folder of the rows, where the same call goes on after an
    interruption (default: one that lasts as long as the results). Raises InputError before anything runs.
    """
    what = {"phase": phase, "dtype": dtype, "mode": mode, "batch_size": batch_size, "lookback": lookback}
    settings = {
        "name": "speed",
        "speed": {name: _listed(value) for name, value in what.items()}
        | {"models": _listed(models), "horizon": horizon, "channels": channels, "threads": threads},
        "method": {"seconds": seconds, "passes": passes},
        "models": {name: dict(own) for name, own in (params or {}).items()},
    }
    suite = checked(SpeedSuite, settings, "zoo.speed")

    def measure(folder: Path) -> SpeedResults:
        from rich.progress import Progress

        with Progress(disable=not (progress and is_watched()), transient=True) as bar:
            task = bar.add_task("zoo.speed", total=None)

            def listen(event: SpeedEvent) -> None:
                completed = event.visit - (event.cell is not None and event.row is None)
                bar.update(task, completed=completed, total=event.visits or None, description=event.name or "zoo.speed")

            run = run_speed(suite, folder, device=device, on_event=listen)
        if run.is_stopped:
            raise KeyboardInterrupt
        return SpeedResults(folder, frozenset(row.key for row in run.rows))

    return in_folder(out, measure)


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | int) else list(value)


def _tables(section: Section) -> list[tuple[str, TextTable]]:
    return [(block.title, block.table) for block in section.blocks if isinstance(block, Captioned)]
