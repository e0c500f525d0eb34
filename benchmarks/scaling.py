"""How cost grows with rows, channels, lookback, horizon, seeds and series, and what many series cost in all.

    python benchmarks/scaling.py [--out results/scaling]

One thing grows at a time, over two decades. Of an lstm each size has a fresh process, which prepares its data, trains
two epochs and forecasts the test part. Of seeds and series it is the command `zoo bench` on 1,000 rows a series, with a
linear map that trains two epochs, so that what a cell costs beside its training shows. At last every variant trains
once with its defaults on 1,000 rows; the sum is what a benchmark of many series is made of.

Seconds of an lstm are of the processor, one thread each; those of the command and of the variants are of the clock, so
that nothing else should run.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

USUAL = {"rows": 10_000, "channels": 5, "lookback": 7, "horizon": 1}
GROWING = {
    "rows": (1_000, 10_000, 100_000),
    "channels": (1, 10, 100),
    "lookback": (7, 70, 700),
    "horizon": (1, 10, 100),
}
MANY = {"seeds": (1, 10, 100), "series": (1, 10, 100)}
SERIES_ROWS = 1_000
EPOCHS = 2
GOAL = {"series": 1_000, "variants": 40, "seeds": 5}
NODES, CORES = 64, 2
RAY_SECONDS = 0.0104  # what a cell costs more on a cluster, see docs/cluster.md
TOGETHER = Path(__file__).parents[1] / "results" / "together-h100" / "rows.jsonl"


def table_of(rows: int, channels: int, seed: int = 0) -> pd.DataFrame:
    """A season, an autoregression and noise in each column."""
    random, time = np.random.default_rng(seed), np.arange(rows)
    noise = random.normal(size=(rows, channels))
    values = np.empty_like(noise)
    last = np.zeros(channels)
    for row in range(rows):
        values[row] = last = 0.8 * last + noise[row]
    values += 3 * np.sin(2 * np.pi * time / 24)[:, None]
    return pd.DataFrame(values, columns=[f"c{number}" for number in range(channels)])


def measure(rows: int, channels: int, lookback: int, horizon: int) -> dict[str, float]:
    """What a cell costs in this process."""
    import zoo

    table = table_of(rows, channels)
    zoo.create("lstm", zoo.prepare(table.head(400), targets="c0").problem)  # imports are no cost of a cell
    began, seconds = time.process_time(), {}

    def ended(name: str) -> None:
        nonlocal began
        seconds[name] = time.process_time() - began
        began = time.process_time()

    data = zoo.prepare(table, targets="c0", lookback=lookback, horizon=horizon)
    ended("prepare_seconds")
    model = zoo.create("lstm", data.problem)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=EPOCHS, device="cpu"))
    ended("fit_seconds")
    zoo.evaluate(model, data.test)
    ended("evaluate_seconds")
    return {**seconds, "peak_memory_bytes": peak_memory()}


def peak_memory() -> int:
    """The most that this process has had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def growing() -> Iterator[dict[str, Any]]:
    """The rows of one cell whose size grows."""
    for name, values in GROWING.items():
        for value in values:
            size = {**USUAL, name: value}
            command = [sys.executable, __file__, "--measure", json.dumps(size)]
            ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            yield {"what": name, "value": value, "variant": "lstm", **json.loads(ended.stdout)}


def many(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a command whose cells grow in number."""
    models = ["--models", "linear", "--set", f"fit.max_epochs={EPOCHS}", "--jobs", str(CORES)]
    for name, values in MANY.items():
        for value in values:
            table = table_of(SERIES_ROWS, 1)
            how = ["--seeds", str(value)]
            if name == "series":
                parts = [table_of(SERIES_ROWS, 1, seed).assign(symbol=f"S{seed}") for seed in range(value)]
                table, how = pd.concat(parts), ["--seeds", "1", "--series", "symbol", "--local"]
            source = folder / f"{name}-{value}.csv"
            table.to_csv(source, index=False)
            out = folder / f"{name}-{value}"
            seconds = bench(source, out, *how, *models)
            cells = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in out.rglob("rows.jsonl"))
            yield {"what": name, "value": value, "variant": "linear", "cells": cells, "seconds": seconds}


def bench(source: Path, out: Path, *how: str) -> float:
    """Seconds that zoo bench takes, of the clock: it does not wait for its workers to end, so theirs are not known."""
    command = [sys.executable, "-m", "zoo.cli", "bench", str(source), "--targets", "c0", *how, "--out", str(out)]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def each_variant(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of every variant's own training, with its defaults."""
    import zoo

    source, out = folder / "one.csv", folder / "one"
    table_of(SERIES_ROWS, 1).to_csv(source, index=False)
    bench(source, out, "--models", "all", "--seeds", "1", "--jobs", "1")
    for _, row in zoo.results(out).iterrows():
        kind = "baseline" if "baseline" in row["tags"] else "recurrent"
        yield {
            "what": "variant", "value": kind, "variant": row["variant"], "seconds": float(row["train_seconds"]),
            "epochs": int(row["epochs"]),
        }  # fmt: skip


def exponent(first: tuple[float, float], second: tuple[float, float]) -> str:
    """By which power of the size the cost grows between two points."""
    return f"{math.log(second[1] / first[1]) / math.log(second[0] / first[0]):.2f}"


def report(rows: list[dict[str, Any]], command: str) -> str:
    frame = pd.DataFrame(rows)
    lines = [
        "# How cost grows", "",
        f"An lstm with its defaults, {EPOCHS} epochs. What is not named is as usual: "
        f"{', '.join(f'{name} {value:,}' for name, value in USUAL.items())}. Seconds of the processor. power: the cost "
        "grows as this power of the size, from the line before.", "",
        "| what grows | to | prepare s | fit s | evaluate s | power of fit | peak MiB |",
        "|:--|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    before: tuple[Any, ...] = ("", 0.0, 0.0)
    for row in frame[frame["what"].isin(GROWING)].to_dict("records"):
        point = (float(row["value"]), row["fit_seconds"])
        power = exponent(before[1:], point) if before[0] == row["what"] else ""
        lines.append(
            f"| {row['what']} | {row['value']:,} | {row['prepare_seconds']:.2f} | {row['fit_seconds']:.2f} | "
            f"{row['evaluate_seconds']:.2f} | {power} | {row['peak_memory_bytes'] / 2**20:,.0f} |"
        )
        before = (row["what"], *point)
    lines += [
        "", f"`zoo bench` with a linear map, {EPOCHS} epochs on {SERIES_ROWS:,} rows a series, {CORES} jobs; start and "
        "report included. Seconds of the clock.", "",
        "| what grows | to | cells | s | core seconds a further cell |", "|:--|--:|--:|--:|--:|",
    ]  # fmt: skip
    earlier: dict[str, Any] = {}
    for row in frame[frame["what"].isin(MANY)].to_dict("records"):
        further = ""
        if earlier.get("what") == row["what"]:
            further = f"{CORES * (row['seconds'] - earlier['seconds']) / (row['cells'] - earlier['cells']):.3f}"
        lines.append(f"| {row['what']} | {row['value']} | {row['cells']:.0f} | {row['seconds']:.1f} | {further} |")
        earlier = row
    own = frame[frame["what"] == "variant"]
    recurrent = own[own["value"] == "recurrent"].sort_values("seconds")
    all_s, of_baselines = recurrent["seconds"].sum(), own.loc[own["value"] == "baseline", "seconds"]
    slowest, mean = recurrent.iloc[-1], float(recurrent["seconds"].mean())
    lines += [
        "", f"Every variant once, with its defaults, on {SERIES_ROWS:,} rows of one channel, in seconds of the clock: "
        f"{len(recurrent)} recurrent variants take {all_s:.0f} s of training in all, {len(of_baselines)} baselines "
        f"{of_baselines.sum():.0f} s. A recurrent one takes {mean:.1f} s on average; the median is "
        f"{recurrent['seconds'].median():.1f} s, {slowest['variant']} takes longest, {slowest['seconds']:.1f} s.", "",
        *goal(mean, frame), "",
        "Run it again:", "", f"    {command}", "",
    ]  # fmt: skip
    return "\n".join(lines)


def goal(mean: float, frame: pd.DataFrame) -> list[str]:
    """What the goal costs by these figures, on this processor, on a cluster and on a GPU."""
    cells = math.prod(GOAL.values())
    points = frame[frame["what"] == "seeds"].sort_values("value")
    last, first = points.iloc[-1], points.iloc[-2]
    beside = CORES * (last["seconds"] - first["seconds"]) / (last["cells"] - first["cells"])
    days = cells * (mean + beside) / CORES / 86_400
    cluster = cells * (mean + beside + RAY_SECONDS) / (NODES * CORES) / 3_600
    stored = [json.loads(line) for line in TOGETHER.read_text(encoding="utf-8").splitlines()]
    together = next(row["wall_seconds"] for row in stored if row["kind"] == "seeds" and row["models"] == 32)
    return [
        f"## {GOAL['series']:,} series x {GOAL['variants']} variants x {GOAL['seeds']} seeds", "",
        f"That is {cells:,} trainings, by the mean of a recurrent variant and {beside:.2f} s of a cell beside its "
        "training. None of these was run: they are products of the figures above.", "",
        "| where | takes about |", "|:--|--:|",
        f"| {CORES} cores like these | {24 * days:,.0f} hours |",
        f"| {NODES} such machines with Ray | {cluster:,.1f} hours |",
        f"| one H100, 32 models at a time, if all were like lstm | {cells / 32 * together / 3_600:,.1f} hours |", "",
        f"The figure of the H100 is that of 32 lstm models in one CUDA graph on a price suite, 20 epochs, capture and "
        f"validation: {together:.2f} s (results/together-h100).",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for rows.jsonl and report.md")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure is not None:
        print(json.dumps(measure(**json.loads(asked.measure))))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for part in (growing(), many(Path(folder)), each_variant(Path(folder))):
            for row in part:
                print(json.dumps(row), file=sys.stderr)
                rows.append(row)
    text = report(rows, "python benchmarks/scaling.py --out results/scaling")
    print(text)
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (asked.out / "report.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
