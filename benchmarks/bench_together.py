"""Many models in one CUDA graph beside one model in one graph: training windows a second, on a GPU.

    python benchmarks/bench_together.py --out DIR

float32, batch 64, 5 channels, default sizes. Each line trains K models one step per replay: stacked (equal configs) or
as branches. The step of a model alone is a CUDA graph too. The last lines train the seeds of the price suite, 20 epochs
each, alone and together, in seconds of wall time with capture and validation.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate

import zoo
from zoo.data.scaling import Units
from zoo.data.windows import Windows
from zoo.errors import first_line
from zoo.problem import Problem
from zoo.run import environment
from zoo.train.fit import fit_many
from zoo.train.fused import Branches, Fused, Stack, _cuda_capture_many
from zoo.train.modes import captured
from zoo.train.step import Step, float32_rounding

BATCH, CHANNELS, ROUNDS, SECONDS = 64, 5, 5, 0.1
VARIANTS = ("stacked-lstm", "bilstm", "proj-lstm", "cnn-lstm", "attention-lstm", "ar-lstm", "linear")
# variant, lookback, models, how
GRID = [
    *[("lstm", lookback, models, "stacked") for lookback in (7, 96) for models in (8, 32, 128)],
    *[("lstm", lookback, models, "branches") for lookback in (7, 96) for models in (8, 32)],
    *[(name, lookback, 32, "stacked") for name in VARIANTS for lookback in (7, 96)],
]


def windows_of(lookback: int) -> Windows:
    """Random windows on the GPU."""
    values = torch.randn(4096 + lookback, CHANNELS, device="cuda")
    units = Units(("target",), np.zeros(1), *[np.ones(1)] * 3)
    starts = torch.arange(4096, device="cuda")
    return Windows(values, starts, lookback, 1, (0,), np.empty((0, CHANNELS)), units)


def step_of(name: str, windows: Windows, seed: int) -> Step:
    """A training step of a variant with its default parameters."""
    problem = Problem(windows.lookback, CHANNELS, (0,), (1, 1), "last")
    model = zoo.create(name, problem, seed=seed).cuda().train()
    return Step(model, windows, zoo.FitConfig(mode="cuda-graph", device="cuda", batch_size=BATCH))


def seconds_of(run: Callable[[], object]) -> float:
    """Seconds of a call, from events around many of them: the median of rounds."""
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    torch.cuda.synchronize()
    count = max(3, int(SECONDS / (time.perf_counter() - started)))
    rounds = []
    for _ in range(ROUNDS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(count):
            run()
        end.record()
        end.synchronize()
        rounds.append(begin.elapsed_time(end) / 1000 / count)
    return float(np.median(rounds))


def alone(name: str, lookback: int) -> float:
    """Seconds of a step of one model, captured."""
    windows = windows_of(lookback)
    index = torch.randint(len(windows), (BATCH,), device="cuda")
    mode = captured(step_of(name, windows, 0), index)
    return seconds_of(lambda: mode.run(index))


def together(name: str, lookback: int, models: int, how: str) -> float:
    """Seconds of a step of that many models in one graph."""
    windows = windows_of(lookback)
    index = torch.randint(len(windows), (BATCH,), device="cuda")
    steps = [step_of(name, windows, seed) for seed in range(models)]
    kind = Stack if how == "stacked" else Branches
    fused: Fused = kind(steps, index, _cuda_capture_many)
    every = torch.randint(len(windows), (models, BATCH), device="cuda")

    def run() -> None:
        fused.place.copy_(every)
        fused.replay()

    return seconds_of(run)


def seeds_of_prices(rows: list[dict[str, object]]) -> None:
    """Seconds to train 1 and 5 seeds of lstm on the price suite."""
    data = zoo.prepare(zoo.load("sp500"), targets=["close"])
    for mode, count in (("eager", 1), ("cuda-graph", 1), ("cuda-graph", 5), ("cuda-graph", 32)):
        config = zoo.FitConfig(mode=mode, device="cuda", max_epochs=20, patience=0)
        models = [zoo.create("lstm", data.problem, seed=seed) for seed in range(count)]
        started = time.perf_counter()
        histories = fit_many(models, data.train, data.valid, [config] * count, seeds=list(range(count)))
        torch.cuda.synchronize()
        seconds = time.perf_counter() - started
        fallback = histories[0].fallback if isinstance(histories[0], zoo.History) else str(histories[0])
        rows.append(
            {"kind": "seeds", "variant": "lstm", "data": "sp500", "mode": mode, "models": count, "epochs": 20}
            | {"wall_seconds": seconds, "fallback": fallback}
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    with float32_rounding("float32"):
        single: dict[tuple[str, int], float] = {}
        for name, lookback, models, how in GRID:
            row: dict[str, object] = {"kind": "together", "variant": name, "lookback": lookback, "batch_size": BATCH}
            row |= {"models": models, "how": how}
            try:
                if (name, lookback) not in single:
                    single[name, lookback] = alone(name, lookback)
                one, seconds = single[name, lookback], together(name, lookback, models, how)
                row |= {"step_seconds": seconds, "step_seconds_alone": one}
                row |= {"windows_per_second": models * BATCH / seconds, "gain": models * one / seconds}
            except Exception as error:
                row["error"] = first_line(error)
            torch.cuda.empty_cache()
            rows.append(row)
    try:
        seeds_of_prices(rows)
    except zoo.InputError as error:
        rows.append({"kind": "seeds", "error": str(error)})
    about = {"machine": environment.machine("cuda"), "versions": environment.versions()}
    about |= {"commit": environment.commit(), "command": "python benchmarks/bench_together.py --out DIR"}
    (folder / "rows.jsonl").write_text("".join(json.dumps(row | about) + "\n" for row in rows))
    (folder / "report.md").write_text(report(rows, str(about["machine"].get("gpu") or "GPU")))
    print((folder / "report.md").read_text())


def report(rows: list[dict[str, object]], gpu: str) -> str:
    """The tables."""
    lines = [
        (
            row["variant"], row["lookback"], row["models"], row["how"],
            *([f"{1e6 * row['step_seconds_alone']:.0f}", f"{1e6 * row['step_seconds']:.0f}",
               f"{row['windows_per_second']:,.0f}", f"{row['gain']:.1f}"] if "error" not in row
              else ["", "", "", row["error"]]),
        )
        for row in rows if row["kind"] == "together"
    ]  # fmt: skip
    header = ["variant", "lookback", "models", "how", "step alone, us", "step of all, us", "windows/s in all", "gain"]
    seeds = [
        (row.get("mode"), row.get("models"), f"{row['wall_seconds']:.2f}" if "wall_seconds" in row else row["error"],
         row.get("fallback") or "")
        for row in rows if row["kind"] == "seeds"
    ]  # fmt: skip
    return "\n".join(
        [
            f"# Many models in one CUDA graph ({gpu})\n",
            "Gain: training windows/s of all models over those of one model in a graph of its own.\n",
            tabulate(lines, header, tablefmt="pipe", disable_numparse=True),
            "\nlstm on the price suite, 20 epochs, wall time with capture and validation:\n",
            tabulate(seeds, ["mode", "models", "seconds", "fallback"], tablefmt="pipe", disable_numparse=True),
            "",
        ]
    )


if __name__ == "__main__":
    main()
