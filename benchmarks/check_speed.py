"""Does zoo speed agree with a loop written by hand? Two variants, both phases, timed beside each other.

    python benchmarks/check_speed.py

Each round runs `zoo speed` and then the loops below, each in a fresh process on one CPU thread, and prints their
ratio; the last lines are the medians over rounds. The loops use torch alone, without the window table, the registry
and the harness; they take only the memory settings of zoo's processes.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from zoo.run.server import MEMORY

ROUNDS, BATCH, LOOKBACK, CHANNELS, HIDDEN = 3, 64, 96, 5, 64
BLOCKS, BLOCK_SECONDS, REPEATS = 3, 0.003, 60
MOST_APART = 0.05


class Plain(nn.Module):
    """An LSTM on windows less their last values, its last state read out."""

    def __init__(self, inputs: int = CHANNELS) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, 1)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last = x[:, -1:]
        states, _ = self.lstm(self.features(x - last))
        return self.out(states[:, -1])[:, None] + last[..., 3:4]


class Convolved(Plain):
    """The same behind a causal convolution over time."""

    def __init__(self) -> None:
        super().__init__(32)
        self.convolution = nn.Conv1d(CHANNELS, 32, 3)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(functional.pad(x.transpose(1, 2), (2, 0))).relu().transpose(1, 2)


MODELS = {"lstm": Plain, "cnn-lstm": Convolved}


def by_hand(name: str, phase: str) -> float:
    """Median seconds of a step: each repeat is the fastest of three blocks, and those beside a slow matrix product,
    when neighbours slowed the machine, are left out."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = MODELS[name]()
    inputs = [torch.randn(BATCH, LOOKBACK, CHANNELS) for _ in range(16)]
    targets = [torch.randn(BATCH, 1, 1) for _ in range(16)]
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def train(number: int) -> None:
        optimizer.zero_grad()
        functional.l1_loss(model(inputs[number % 16]), targets[number % 16]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    def infer(number: int) -> None:
        with torch.inference_mode():
            model(inputs[number % 16])

    step = train if phase == "train" else infer

    def block(steps: int) -> float:
        started = time.perf_counter()
        for number in range(steps):
            step(number)
        return (time.perf_counter() - started) / steps

    square = torch.randn(256, 256)

    def reading() -> float:
        started = time.perf_counter()
        torch.mm(square, square)
        return time.perf_counter() - started

    block(20)
    steps = max(1, round(BLOCK_SECONDS / block(5)))
    repeats = []
    for _ in range(REPEATS):
        before = min(reading() for _ in range(5))
        seconds = min(block(steps) for _ in range(BLOCKS))
        repeats.append((max(before, min(reading() for _ in range(5))), seconds))
    best = min(slowness for slowness, _ in repeats)
    return statistics.median(seconds for slowness, seconds in repeats if slowness <= 1.05 * best)


def by_zoo(folder: Path) -> dict[tuple[str, str], float]:
    """Median seconds of a step of both variants and phases, from the rows of zoo speed."""
    shape = ["--models", ",".join(MODELS), "--batch-size", str(BATCH), "--lookback", str(LOOKBACK)]
    command = [sys.executable, "-m", "zoo.cli", "speed", *shape, "--device", "cpu"]
    command += ["--seconds", "2", "--passes", "2", "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    wanted = [row for row in rows if row["batch_size"] == BATCH]
    return {(row["variant"], row["phase"]): row["step_seconds"]["median"] for row in wanted}


def main() -> None:
    """Print each round and the medians; exit 1 where one is more than 5 % off."""
    ratios: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            zoo = by_zoo(Path(folder) / "rows")
        for (name, phase), seconds in sorted(zoo.items()):
            command = [sys.executable, __file__, name, phase]
            surroundings = {**os.environ, **MEMORY}  # the machine is set alike; the loop is its own
            ended = subprocess.run(command, check=True, capture_output=True, text=True, env=surroundings)
            loop = float(ended.stdout)
            ratios.setdefault((name, phase), []).append(seconds / loop)
            print(
                f"round {number + 1}: {name} {phase}: zoo speed {1e3 * seconds:.3f} ms, loop {1e3 * loop:.3f} ms, "
                f"ratio {seconds / loop:.3f}",
                flush=True,
            )
    medians = {cell: statistics.median(values) for cell, values in ratios.items()}
    for (name, phase), median in medians.items():
        print(f"{name} {phase}: median ratio {median:.3f}")
    sys.exit(any(abs(median - 1) > MOST_APART for median in medians.values()))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(by_hand(sys.argv[1], sys.argv[2]))
    else:
        main()
