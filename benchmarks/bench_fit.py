"""Training throughput of `fit` beside a bare PyTorch loop over pre-staged tensors: same model, same threads.

    pytest benchmarks/bench_fit.py -s

Shape A is a short lookback of daily prices, shape B a long one of hourly series. The last test alternates
both in one run, because timings on a busy machine only compare within one, and prints their ratio.
"""

import statistics
import time

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

import zoo

SHAPES = {
    "A": {
        "variant": "stacked-lstm",
        "channels": 5,
        "lookback": 7,
        "horizon": 1,
        "hidden": 64,
        "batch": 64,
    },
    "B": {"variant": "lstm", "channels": 7, "lookback": 96, "horizon": 24, "hidden": 128, "batch": 32},
}
LEAST_RATIO = 0.97
CLIP_NORM = 1.0


@pytest.fixture(params=list(SHAPES))
def task(request):
    """(model, windows, config, staged x, staged y) of one shape."""
    shape = SHAPES[request.param]
    rows = 4000 if request.param == "A" else 900
    values = np.random.default_rng(0).normal(size=(rows, shape["channels"])).cumsum(axis=0)
    table = zoo.load(pd.DataFrame(values, columns=[f"c{n}" for n in range(shape["channels"])]))
    data = zoo.prepare(table, targets=["c0"], lookback=shape["lookback"], horizon=shape["horizon"], split=(0.9, 0, 0.1))
    model = zoo.create(shape["variant"], data.problem, hidden_size=shape["hidden"])
    config = zoo.FitConfig(max_epochs=1, batch_size=shape["batch"], clip_norm=CLIP_NORM, device="cpu")
    x, y = data.train.gather(torch.arange(len(data.train)))
    return model, data.train, config, x.contiguous(), y.contiguous()


def through_fit(model, windows, config):
    """Windows per second of one epoch of fit."""
    return zoo.fit(model, windows, None, config).epochs[0].windows_per_second


def through_bare_loop(model, x, y, config):
    """Windows per second of the same epoch, written out."""
    model.train()
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate, fused=True)
    generator = torch.Generator().manual_seed(0)
    started = time.perf_counter()
    for index in torch.randperm(len(x), generator=generator).split(config.batch_size):
        loss = functional.l1_loss(model(x[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, config.clip_norm)
        optimizer.step()
    return len(x) / (time.perf_counter() - started)


def test_fit(benchmark, task):
    model, windows, config, *_ = task
    benchmark.pedantic(through_fit, (model, windows, config), rounds=5, warmup_rounds=1)
    benchmark.extra_info["windows_per_second"] = len(windows) / benchmark.stats["median"]


def test_bare_loop(benchmark, task):
    model, windows, config, x, y = task
    benchmark.pedantic(through_bare_loop, (model, x, y, config), rounds=5, warmup_rounds=1)
    benchmark.extra_info["windows_per_second"] = len(windows) / benchmark.stats["median"]


def test_fit_keeps_up_with_the_bare_loop(task, capsys):
    model, windows, config, x, y = task
    through_fit(model, windows, config)
    through_bare_loop(model, x, y, config)
    ratios, speeds = [], []
    for _ in range(15):
        pair = through_fit(model, windows, config), through_bare_loop(model, x, y, config)
        speeds.append(pair)
        ratios.append(pair[0] / pair[1])
    fit_speed, bare_speed = (statistics.median(column) for column in zip(*speeds, strict=True))
    ratio = statistics.median(ratios)
    with capsys.disabled():
        shape = f"{tuple(x.shape[1:])}, batch {config.batch_size}"
        print(f"\n{shape}: fit {fit_speed:,.0f} windows/s, bare loop {bare_speed:,.0f}, median ratio {ratio:.3f}")
    assert ratio >= LEAST_RATIO
