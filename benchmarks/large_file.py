"""How much memory and time a table takes that is too large to copy: 50 million rows of 5 columns, in a .npy file.

    python benchmarks/large_file.py [--rows 50_000_000] [--steps 200] [--lookback 7] [--out results/large-file]

A process writes the file, 5 random walks in float32, into a temporary folder, piece by piece. A second process does
what any program does, zoo.load, zoo.prepare and zoo.fit, and says how much memory it had at most: of its own and of
mapped pages of the file together. Validation and test take 100,000 rows each, training all others. The steps are two
epochs of `steps_per_epoch`, on windows drawn from all training rows, with a validation after each.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

COLUMNS = 5
HELD_OUT = 100_000  # rows of validation, and of test
PIECE = 1_000_000


def write(path: Path, rows: int) -> None:
    """Random walks of float32, [rows, 5]."""
    random, last = np.random.default_rng(0), np.full(COLUMNS, 1000.0)
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, COLUMNS)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for first in range(0, rows, PIECE):
            steps = random.normal(size=(min(PIECE, rows - first), COLUMNS))
            walk = last + steps.cumsum(axis=0)
            last = walk[-1]
            file.write(walk.astype("<f4").tobytes())


def measure(path: Path, steps: int, lookback: int) -> dict[str, object]:
    """What loading, preparing and training take in this process."""
    imported = peak_memory()
    import zoo

    began, began_cpu = time.perf_counter(), time.process_time()
    table = zoo.load(path)
    split = (len(table) - 2 * HELD_OUT, HELD_OUT, HELD_OUT)
    data = zoo.prepare(table, targets=["column3"], lookback=lookback, split=split)
    prepared, prepared_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    after_prepare = peak_memory()
    model = zoo.create("lstm", data.problem)
    config = zoo.FitConfig(max_epochs=2, steps_per_epoch=steps // 2, device="cpu")
    began_cpu = time.process_time()
    history = zoo.fit(model, data.train, data.valid, config)
    fit_cpu = time.process_time() - began_cpu
    return {
        "variant": "lstm", "rows": len(table), "columns": COLUMNS, "bytes": path.stat().st_size, "lookback": lookback,
        "train_windows": len(data.train), "batch_size": config.batch_size, "steps": steps // 2 * len(history.epochs),
        "memory_before_zoo": imported, "memory_prepared": after_prepare, "peak_memory_bytes": peak_memory(),
        "prepare_seconds": prepared, "prepare_cpu_seconds": prepared_cpu,
        "step_seconds": sum(epoch.seconds for epoch in history.epochs) / (steps // 2 * len(history.epochs)),
        "fit_seconds": history.seconds, "fit_cpu_seconds": fit_cpu,
        "skill": zoo.evaluate(model, data.test)["skill"],
    }  # fmt: skip


def peak_memory() -> int:
    """The most that this process has had so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def report(row: dict[str, float], command: str) -> str:
    gigabytes = {name: row[name] / 1e9 for name in ("bytes", "peak_memory_bytes", "memory_prepared")}
    return f"""# A table of {row["rows"]:,} rows

{row["rows"]:,} rows of {row["columns"]} float32 in a .npy file of {gigabytes["bytes"]:.2f} GB train in at most
**{gigabytes["peak_memory_bytes"]:.2f} GB** of resident memory, mapped pages of the file included
({gigabytes["memory_prepared"]:.2f} GB once the windows are prepared).

{row["steps"]} steps in two epochs, on windows drawn from {row["train_windows"]:,}: lstm, lookback {row["lookback"]},
batch {row["batch_size"]}. Other programs may have shared the machine; the processor's seconds are of this one alone.

| | seconds | of the processor |
|:--|--:|--:|
| load and prepare | {row["prepare_seconds"]:.1f} | {row["prepare_cpu_seconds"]:.1f} |
| fit, with three validations of {HELD_OUT:,} rows | {row["fit_seconds"]:.1f} | {row["fit_cpu_seconds"]:.1f} |
| one training step | {row["step_seconds"]:.4f} | |

The values are random walks, so that nothing is to be learned: skill over naive {100 * row["skill"]:+.2f} %.
Run it again:

    {command}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--lookback", type=int, default=7)
    parser.add_argument("--out", type=Path, help="folder for rows.jsonl and report.md")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure is not None:
        print(json.dumps(measure(asked.measure, asked.steps, asked.lookback)))
        return
    how = ["--rows", str(asked.rows), "--steps", str(asked.steps), "--lookback", str(asked.lookback)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.npy"
        write(path, asked.rows)
        command = [sys.executable, __file__, *how, "--measure", str(path)]
        ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    row = json.loads(ended.stdout)
    text = report(row, " ".join(["python benchmarks/large_file.py", *how]))
    print(text)
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
        (asked.out / "report.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
