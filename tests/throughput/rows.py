"""Made-up speed rows of known times, as a run writes them, and the table of them that a report is made of."""

from pathlib import Path
from typing import Any

import pandas as pd

from tests.rows import merged
from zoo.cell import SpeedRow, row_from
from zoo.run.results import frame_of
from zoo.throughput import table

MEASURED = (
    "batch_measured", "repeats", "all_repeats", "reference", "passes", "seconds", "disturbed", "steps_per_block",
    "blocks_per_repeat", "step_seconds", "is_settled", "is_calm", "windows_per_second", "latency_seconds",
    "part_seconds", "peak_memory_bytes", "parameter_count", "flops_per_window", "flops_per_second", "bytes_per_step",
    "ceilings", "ceiling_share", "kernels_seen", "graph_breaks", "fallback", "search", "alone", "clocks",
)  # fmt: skip
# name: tags, seconds of a step whatever its size, seconds for each lookback step of each window
VARIANTS = {
    "linear": (("baseline",), 1e-4, 1e-9),
    "lstm": (("lstm",), 4e-4, 1e-7),
    "bilstm": (("lstm",), 6e-4, 2e-7),
    "stacked-lstm": (("lstm",), 7e-4, 2.5e-7),
}
GPU = {"cpu": "a cpu", "cores": 2, "system": "an OS", "gpu": "a gpu"}


def speed_row(
    variant: str = "lstm",
    phase: str = "train",
    batch: int | str = 64,
    lookback: int = 24,
    seconds: float = 1e-3,
    *,
    error: str | None = None,
    **changes: Any,
) -> SpeedRow:
    """A row that a speed run writes: intervals of ± 1 %, a middle part within them. changes: fields by name."""
    measured = batch if isinstance(batch, int) else 4096
    params = changes.get("params", {"hidden_size": 64, "dropout": 0.0})
    row: dict[str, Any] = {
        "kind": "speed", "suite": "speed", "variant": variant, "tags": list(VARIANTS.get(variant, (("lstm",),))[0]),
        "params": params, "phase": phase, "device": "cpu", "dtype": "float32", "batch_size": batch,
        "lookback": lookback, "mode": "eager", "channels": 5, "horizon": 1, "normalise": "last", "threads": 1,
        "code": {"kind": "zoo", "name": "zoo.models", "sha256": "c" * 64},
        "batch_measured": measured, "repeats": [seconds] * 12, "all_repeats": [[seconds, 1e-4]] * 12, "reference": 1e-4,
        "passes": [4, 4, 4], "seconds": 1.0, "disturbed": 0, "steps_per_block": 10, "blocks_per_repeat": 3,
        "step_seconds": {"median": seconds, "p5": 0.97 * seconds, "p95": 1.05 * seconds, "low": 0.99 * seconds,
                         "high": 1.01 * seconds},
        "is_settled": True, "is_calm": True,
        "windows_per_second": {"median": measured / seconds, "p5": measured / (1.05 * seconds),
                               "p95": measured / (0.97 * seconds)},
        "latency_seconds": None, "part_seconds": None, "peak_memory_bytes": 1000 * measured * lookback,
        "parameter_count": 100 * params.get("hidden_size", 1), "flops_per_window": 20_000 * lookback,
        "flops_per_second": 20_000 * lookback * measured / seconds, "bytes_per_step": 40 * measured * lookback + 9999,
        "ceilings": {"flops_per_second": 6e10, "bytes_per_second": 1e10}, "ceiling_share": 0.25,
        "kernels_seen": [["aten::mkldnn_rnn_layer", 0.8], ["aten::addmm", 0.1]], "graph_breaks": None,
        "fallback": None, "search": None, "alone": None, "clocks": {"cpu_mhz": 2450.0},
        "machine": {"cpu": "a cpu", "cores": 2, "system": "an OS", "gpu": None}, "versions": {"torch": "2"},
        "commit": "abc", "command": "zoo speed --out x", "started": "2026-01-01T00:00:00+00:00",
        "error": None, "traceback": None, "schema_version": 2,
    }  # fmt: skip
    if phase == "infer" and batch == 1:
        row["latency_seconds"] = {"p50": seconds, "p95": 1.5 * seconds, "p99": 2 * seconds, "count": 1000}
    if phase == "train":
        row["part_seconds"] = {"forward": 0.3 * seconds, "backward": 0.6 * seconds, "optimizer": 0.1 * seconds}
    if error is not None:
        row |= {**dict.fromkeys(MEASURED), "error": error}
    record = row_from({"key": "", **merged(row, changes)})
    assert isinstance(record, SpeedRow)
    return record if "key" in changes else record.keyed()


def changed(row: SpeedRow, **changes: Any) -> SpeedRow:
    """The row with other fields, merged where both are objects; its key stays."""
    record = row_from(merged(row.model_dump(mode="json"), changes))
    assert isinstance(record, SpeedRow)
    return record


def frame(rows: list[SpeedRow]) -> pd.DataFrame:
    """The rows as zoo.results gives them."""
    return frame_of([(Path("out"), row) for row in rows])


def tabled(rows: list[SpeedRow]) -> pd.DataFrame:
    """The rows as a report takes them."""
    return table.speed_rows(frame(rows))


def many_rows() -> list[SpeedRow]:
    """Four variants at two lookbacks and three batches in both phases; one cell failed, one did not settle."""
    rows = []
    for variant, (_, fixed, each) in VARIANTS.items():
        for phase in ("train", "infer"):
            for lookback in (24, 96):
                for batch in (1, 64, 512):
                    seconds = (fixed + each * batch * lookback) * (3 if phase == "train" else 1)
                    place = (variant, phase, batch, lookback)
                    error = "RuntimeError: out of | memory" if place == ("stacked-lstm", "train", 512, 96) else None
                    row = speed_row(*place, seconds, error=error)
                    rows.append(changed(row, is_settled=False) if place == ("bilstm", "infer", 64, 96) else row)
    return rows


def largest_row() -> SpeedRow:
    return speed_row(batch="max", seconds=0.5, search={"largest": 8192, "limit": "out of memory", "tried": []})


def sweep_rows(ratio: float = 0.8, at: int = 200) -> list[SpeedRow]:
    """Step time grows with hidden_size, but at one size it falls to ratio of its smaller neighbour's."""
    rows = []
    for batch in (64, 512):
        before = 0.0
        for size in (64, 96, 128, 160, 192, 200, 224, 256):
            seconds = ratio * before if size == at and batch == 64 else 1e-6 * batch * size
            before = seconds
            params = {"hidden_size": size, "dropout": 0.0}
            rows.append(speed_row("proj-lstm", "train", batch, 24, seconds, params=params))
    return rows


def scaling_rows(exponent: float = 0.7) -> list[SpeedRow]:
    """Step times that are powers of the batch size at lookback 48, and of the lookback at batch 128."""
    over_batch = [speed_row("lstm", "train", batch, 48, 1e-4 * batch**exponent) for batch in (16, 64, 256, 1024, 4096)]
    over_lookback = [speed_row("bilstm", "train", 128, steps, 1e-4 * steps**exponent) for steps in (12, 24, 48, 96)]
    return [*over_batch, *over_lookback]


def bare_row(row: SpeedRow) -> SpeedRow:
    """The row with little measured but its time, as an older version may have written it."""
    names = ("batch_measured", "repeats", "step_seconds", "windows_per_second")
    nothing = dict.fromkeys(name for name in MEASURED if name not in names)
    return changed(row, **nothing, step_seconds={"low": None, "high": None})
