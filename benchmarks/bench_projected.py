"""The projected LSTM's own path on CPU beside nn.LSTM's: lookback 96, 5 channels, hidden 128, projection 32, batch 32.

    pytest benchmarks/bench_projected.py -s

Both compute the same function (tests/layers/test_projected.py); the last test alternates them and prints the ratio.
"""

import statistics
import time
import warnings

import pytest
import torch
from torch import nn

from zoo.layers.projected import projected_states

LEAST_RATIO = {"forward": 1.6, "train": 1.8}  # that a busy machine must reach too
ROUNDS = 25


def torchs_own(lstm, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lstm(x)[0]


PATHS = {"own": projected_states, "torch": torchs_own}


def work(phase, path):
    """What is timed: a forward pass without gradients, or one with its backward pass from the last state."""
    lstm, x = nn.LSTM(5, 128, batch_first=True, proj_size=32), torch.randn(32, 96, 5)

    def forward():
        with torch.no_grad():
            PATHS[path](lstm, x)

    def train():
        PATHS[path](lstm, x)[:, -1].sum().backward()

    return {"forward": forward, "train": train}[phase]


@pytest.mark.parametrize("phase", ["forward", "train"])
@pytest.mark.parametrize("path", list(PATHS))
def test_projected(benchmark, phase, path):
    benchmark.pedantic(work(phase, path), rounds=20, warmup_rounds=2)


@pytest.mark.parametrize("phase", ["forward", "train"])
def test_own_path_beside_torchs(phase, capsys):
    works = {path: work(phase, path) for path in PATHS}
    seconds = {path: [] for path in PATHS}
    for _ in range(ROUNDS + 2):
        for path, do in works.items():
            started = time.perf_counter()
            do()
            seconds[path].append(time.perf_counter() - started)
    own, other = seconds["own"][2:], seconds["torch"][2:]
    ratio = statistics.median(b / a for a, b in zip(own, other, strict=True))
    with capsys.disabled():
        shown = f"{1e3 * statistics.median(other):.2f} ms / {1e3 * statistics.median(own):.2f} ms"
        print(f"\n{phase}: nn.LSTM / own path {shown}, median ratio {ratio:.2f}")
    assert ratio >= LEAST_RATIO[phase]
