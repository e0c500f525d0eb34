"""Windows and batches: from a table of a million rows to the input of a training step.

pytest benchmarks/bench_data.py --benchmark-autosave
"""

import numpy as np
import pandas as pd
import pytest
import torch

import zoo

ROWS, CHANNELS, LOOKBACK = 1_000_000, 5, 96


@pytest.fixture(scope="module")
def table():
    values = np.random.default_rng(0).normal(size=(ROWS, CHANNELS)).cumsum(axis=0)
    return zoo.load(pd.DataFrame(values, columns=[f"c{number}" for number in range(CHANNELS)]))


@pytest.fixture(scope="module")
def data(table):
    return zoo.prepare(table, targets=["c0"], lookback=LOOKBACK)


def test_prepare_a_million_rows(benchmark, table):
    benchmark.pedantic(zoo.prepare, (table,), {"targets": ["c0"], "lookback": LOOKBACK}, rounds=3)


@pytest.mark.parametrize("batch_size", [64, 4096])
def test_gather_a_batch(timed, data, device, batch_size):
    windows = data.train.to(device)
    index = torch.randint(len(windows), (batch_size,), device=device)
    timed(lambda: windows.gather(index), device, batch_size)


def test_all_batches_of_a_shuffled_epoch(benchmark, data, device):
    windows, generator = data.train.to(device), torch.Generator().manual_seed(0)

    def epoch():
        for _ in windows.batches(4096, generator=generator):
            pass
        if device.type == "cuda":
            torch.cuda.synchronize()

    benchmark.pedantic(epoch, rounds=3, warmup_rounds=1)
