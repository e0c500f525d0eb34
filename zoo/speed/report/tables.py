"""Tables of speed: windows per second, the cost of a step, the largest batch; each with its legend."""

from collections.abc import Sequence

from zoo.report.board import Row
from zoo.report.text_table import Text, TextTable
from zoo.speed.report.rows import is_measured, labels, parameter_count, thinned, value
from zoo.speed.report.sheets import MOST_COLUMNS, Sheet
from zoo.speed.report.words import counted, short

PARTS = ("forward", "backward", "optimizer")  # of a training step
THROUGHPUT_LEGEND = (
    "Windows per second at each batch size, the median over repeats; bold is the fastest that is no baseline, "
    "(b) marks a baseline; ~ marks a cell whose 95 % interval was still wider than ± 2 % when its time was up, † one "
    "where a mode other than the one asked for was measured; - was not asked for."
)
COST_LEGEND = (
    "ms/step is the median time of one step, ± the half width of its 95 % interval; forward, backward and optimizer "
    "are shares of the time of an eager training step; p50, p95 and p99 are percentiles of the latency of one forecast "
    "at batch 1; peak MB is the most memory that torch's allocator held during a step (10^6 bytes; weights, optimizer "
    "state and input included); kFLOP/window counts matrix products and convolutions, 2 for each multiply-add; "
    "ceiling % is the least possible time of the step (the larger of its arithmetic and its memory traffic at the "
    "measured ceilings) over the time measured."
)
LARGEST_LEGEND = (
    "largest batch is the largest that ran and what stopped the search there; best windows/s is the highest median "
    "among the batch sizes tried, reached at the batch beside it; peak MB (10^6 bytes) is the memory there."
)


def throughput_table(sheet: Sheet) -> TextTable:
    """Windows a second of each line at each batch size; the fastest that is no baseline is bold."""
    best = {
        batch: max((line.rate(batch) or 0.0 for line in sheet.lines if not line.is_baseline), default=0.0)
        for batch in sheet.batches
    }
    rows = []
    for line in sheet.lines:
        cells = [Text(line.label), Text(counted(parameter_count(line.cells.values())))]
        for batch in sheet.batches:
            is_best = not line.is_baseline and line.rate(batch) == best[batch]
            cells.append(Text(_rate(line.cells.get(batch)), is_best))
        rows.append(tuple(cells))
    header = ("variant", "parameters", *(f"batch {batch:,}" for batch in sheet.batches))
    return TextTable(header, tuple(rows), tuple(line.is_baseline for line in sheet.lines))


def lookback_table(found: Sequence[Sheet]) -> TextTable | None:
    """Windows a second of each line and batch size over the lookbacks of some sheets; None without any."""
    lookbacks = thinned([sheet.lookback for sheet in found], MOST_COLUMNS)
    rows: dict[tuple[str, int], dict[int, Row]] = {}
    baseline = {}
    for sheet in found:
        for line in sheet.lines:
            for batch, row in line.cells.items():
                rows.setdefault((line.label, batch), {})[sheet.lookback] = row
                baseline[line.label, batch] = line.is_baseline
    texts = tuple(
        (Text(label), Text(f"{batch:,}"), *(Text(_rate(rows[label, batch].get(lookback))) for lookback in lookbacks))
        for label, batch in sorted(rows)
    )
    header = ("variant", "batch", *(f"lookback {lookback:,}" for lookback in lookbacks))
    return TextTable(header, texts, tuple(baseline[key] for key in sorted(rows))) if rows else None


def cost_table(sheet: Sheet, batch: int) -> TextTable:
    """What a step at one batch size costs and how near it comes to the ceiling; columns without a value are left out.

    For inference with the latency of one forecast, for training with the parts of a step.
    """
    lines = [line for line in sheet.lines if batch in line.cells]
    rows = []
    for line in lines:
        row, single = line.cells[batch], line.cells.get(1)
        if sheet.phase == "infer":
            own = {f"{p} ms": short(value(single, "latency_seconds", p), 1e3) for p in ("p50", "p95", "p99")}
        else:
            parts = value(row, "part_seconds") or {}
            total = sum(part or 0.0 for part in parts.values()) or None
            shares = {p: parts[p] / total if parts.get(p) is not None and total else None for p in PARTS}
            own = {f"{p} %": short(shares[p], 100) for p in PARTS}
        rows.append(
            {
                "variant": line.label,
                "ms/step": short(row["step_seconds"]["median"], 1e3) + _marks(row) if is_measured(row) else "failed",
                "± %": short(_half_width_share(row), 100),
                **own,
                "peak MB": short(value(row, "peak_memory_bytes"), 1e-6),
                "kFLOP/window": short(value(row, "flops_per_window"), 1e-3),
                "GFLOP/s": short(value(row, "flops_per_second"), 1e-9),
                "ceiling %": short(value(row, "ceiling_share"), 100),
            }
        )
    header = [name for name in rows[0] if name == "variant" or any(row[name] != "-" for row in rows)]
    texts = tuple(tuple(Text(row[name]) for name in header) for row in rows)
    return TextTable(tuple(header), texts, tuple(line.is_baseline for line in lines))


def largest_table(rows: Sequence[Row]) -> TextTable | None:
    """What the search for the largest batch found, a line for each; None where none was searched for."""
    names = labels(rows)
    found = [row for row in rows if row["batch_size"] == "max" and is_measured(row)]
    if not found:
        return None
    lines = [
        (
            names[row["key"]],
            row["phase"],
            f"{row['lookback']:,}",
            counted(value(row, "search", "largest")),
            value(row, "search", "limit") or "-",
            counted(value(row, "windows_per_second", "median")),
            counted(row.get("batch_measured")),
            short(value(row, "peak_memory_bytes"), 1e-6),
        )
        for row in found
    ]
    header = ("variant", "phase", "lookback", "largest batch", "limited by", "best windows/s", "at batch", "peak MB")
    cells = tuple(tuple(Text(str(text)) for text in line) for line in lines)
    return TextTable(header, cells, tuple("baseline" in row["tags"] for row in found))


def _rate(row: Row | None) -> str:
    """Windows a second, that it failed, or a dash for what was not asked for."""
    if row is None:
        return "-"
    found = value(row, "windows_per_second", "median")
    return "failed" if found is None else f"{counted(found)}{_marks(row)}"


def _marks(row: Row) -> str:
    """A tilde where the measurement did not settle, a dagger where another mode than asked for was measured."""
    if not is_measured(row):
        return ""
    return "~" * (row.get("is_settled") is False) + "†" * bool(row.get("fallback"))


def _half_width_share(row: Row) -> float | None:
    """Half the width of the interval of the step time as a share of the median."""
    low, high, median = (value(row, "step_seconds", name) for name in ("low", "high", "median"))
    return None if low is None or high is None or not median else float((high - low) / 2 / median)
