"""Made-up speed rows of known times, for tests of what is reported of them."""

import json

MEASURED = (
    "batch_measured", "repeats", "passes", "disturbed", "steps_per_block", "blocks_per_repeat", "is_settled",
    "step_seconds", "windows_per_second", "latency_seconds", "part_seconds", "peak_memory_bytes", "parameter_count",
    "flops_per_window", "flops_per_second", "bytes_per_step", "ceilings", "ceiling_share", "algorithm_expected",
    "kernels_seen", "graph_breaks", "fallback", "search", "alone", "load", "clocks",
)  # fmt: skip
# name: tags, seconds of a step whatever its size, seconds for each lookback step of each window
VARIANTS = {
    "linear": (("baseline",), 1e-4, 1e-9),
    "lstm": (("lstm",), 4e-4, 1e-7),
    "bilstm": (("lstm",), 6e-4, 2e-7),
    "stacked-lstm": (("lstm",), 7e-4, 2.5e-7),
}


def speed_row(variant="lstm", phase="train", batch=64, lookback=24, seconds=1e-3, *, error=None, **fields):
    """A row of the format that a speed run writes: intervals of ± 1 %, a middle part within them."""
    measured = batch if batch != "max" else 4096
    params = fields.pop("params", {"hidden_size": 64, "dropout": 0.0})
    row = {
        "kind": "speed", "suite": "speed", "variant": variant, "tags": list(VARIANTS.get(variant, (("lstm",),))[0]),
        "params": params, "phase": phase, "device": "cpu", "dtype": "float32", "batch_size": batch,
        "lookback": lookback, "channels": 5, "horizon": 1, "threads": 1, "normalise": "last", "mode": "eager",
        "batch_measured": measured, "repeats": [seconds] * 12, "passes": [6, 6], "disturbed": 0, "steps_per_block": 10,
        "blocks_per_repeat": 3, "is_settled": True,
        "step_seconds": {"median": seconds, "p5": 0.97 * seconds, "p95": 1.05 * seconds, "low": 0.99 * seconds,
                         "high": 1.01 * seconds},
        "windows_per_second": {"median": measured / seconds, "p5": measured / (1.05 * seconds),
                               "p95": measured / (0.97 * seconds)},
        "latency_seconds": None, "part_seconds": None, "peak_memory_bytes": 1000 * measured * lookback,
        "parameter_count": 100 * params.get("hidden_size", 1), "flops_per_window": 20_000 * lookback,
        "flops_per_second": 20_000 * lookback * measured / seconds, "bytes_per_step": 40 * measured * lookback + 9999,
        "ceilings": {"flops_per_second": 6e10, "bytes_per_second": 1e10}, "ceiling_share": 0.25,
        "algorithm_expected": {"variant.lstm": {"forward": "onednn", "backward": "onednn-backward"}},
        "kernels_seen": [["aten::mkldnn_rnn_layer", 0.8], ["aten::addmm", 0.1]], "graph_breaks": None,
        "fallback": None, "search": None, "alone": None, "load": {"others": 0.03, "stolen": 0.001},
        "clocks": {"cpu_mhz": 2450.0},
        "machine": {"cpu": "a cpu", "cores": 2, "system": "an OS"}, "versions": {"torch": "2"}, "commit": "abc",
        "command": "zoo speed --out x", "started": "2026-01-01T00:00:00", "schema": 1, "error": error,
    }  # fmt: skip
    if phase == "infer" and batch == 1:
        row["latency_seconds"] = {"p50": seconds, "p95": 1.5 * seconds, "p99": 2 * seconds, "count": 1000}
    if phase == "train":
        row["part_seconds"] = {"forward": 0.3 * seconds, "backward": 0.6 * seconds, "optimizer": 0.1 * seconds}
    if error is not None:
        row |= dict.fromkeys(MEASURED)
    row.update(fields)
    names = ("variant", "params", "phase", "device", "dtype", "batch_size", "lookback", "mode", "machine")
    return {"key": json.dumps([row[name] for name in names]), **row}


def speed_rows():
    """Four variants at two lookbacks and three batches in both phases; one cell failed, one did not settle."""
    rows = []
    for variant, (_, fixed, each) in VARIANTS.items():
        for phase in ("train", "infer"):
            for lookback in (24, 96):
                for batch in (1, 64, 512):
                    seconds = (fixed + each * batch * lookback) * (3 if phase == "train" else 1)
                    rows.append(speed_row(variant, phase, batch, lookback, seconds))
    place = next(n for n, row in enumerate(rows) if named(row, "stacked-lstm", "train", 512, 96))
    rows[place] = speed_row("stacked-lstm", "train", 512, 96, error="RuntimeError: out of | memory")
    next(row for row in rows if named(row, "bilstm", "infer", 64, 96))["is_settled"] = False
    return rows


def largest_row():
    search = {"largest": 8192, "limit": "out of memory", "tried": []}
    return speed_row(batch="max", seconds=0.5, search=search)


def sweep_rows(ratio=0.8, at=200):
    """Step time grows with hidden_size, but at one size it falls to ratio of its smaller neighbour's."""
    rows = []
    for batch in (64, 512):
        before = 0.0
        for size in (64, 96, 128, 160, 192, 200, 224, 256):
            seconds = 1e-6 * batch * size
            if size == at and batch == 64:
                seconds = ratio * before
            before = seconds
            path = "small" if size < at else "large"
            expected = {"variant.lstm": {"forward": path, "backward": "standard"}}
            params = {"hidden_size": size, "dropout": 0.0}
            rows.append(speed_row("proj-lstm", "train", batch, 24, seconds, params=params, algorithm_expected=expected))
    return rows


def scaling_rows(exponent=0.7):
    """Step times that are powers of the batch size at lookback 48, and of the lookback at batch 128."""
    over_batch = [speed_row("lstm", "train", batch, 48, 1e-4 * batch**exponent) for batch in (16, 64, 256, 1024, 4096)]
    over_lookback = [speed_row("bilstm", "train", 128, steps, 1e-4 * steps**exponent) for steps in (12, 24, 48, 96)]
    return [*over_batch, *over_lookback]


def bare_row(row):
    """The row with nothing measured but its time."""
    kept = ("batch_measured", "step_seconds", "windows_per_second")
    bare = row | dict.fromkeys(name for name in MEASURED if name not in kept)
    bare["step_seconds"] = row["step_seconds"] | {"low": None, "high": None}
    return bare


def named(row, variant, phase, batch, lookback):
    return (row["variant"], row["phase"], row["batch_size"], row["lookback"]) == (variant, phase, batch, lookback)


def text_of(table):
    return [[cell.text for cell in cells] for cells in table.rows]
