"""One forecast of an exported LSTM in ONNX Runtime beside the model in PyTorch: one window, one thread.

    pytest benchmarks/bench_serve.py -s

The last test alternates them and prints both times and their ratio. Both map raw values to raw forecasts.
"""

import statistics
import time

import numpy as np
import pytest
import torch

import zoo
from zoo.train.export import RawModel, export

ROUNDS = 300
MOST_MILLISECONDS = 1.0  # of one forecast in ONNX Runtime, which a busy machine must reach too


@pytest.fixture(scope="module", params=[7, 96], ids=lambda lookback: f"lookback{lookback}")
def paths(request, tmp_path_factory):
    """What forecasts one window, by name."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("model")
    data = zoo.prepare("sp500", targets=["Close"], lookback=request.param)
    model = zoo.create("lstm", data.problem)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=1, max_batches=10))
    zoo.save(model, folder / "model", data, variant="lstm")
    saved = zoo.load_model(folder / "model")
    export(saved, folder / "model.onnx")
    exported, raw = zoo.OnnxModel(folder / "model.onnx"), RawModel(saved)
    x = data.test.raw[None, -request.param :]
    np.testing.assert_allclose(exported.forecasts(x), in_torch(raw, x), rtol=1e-6)
    return {"onnx": lambda: exported.forecasts(x), "torch": lambda: in_torch(raw, x)}


@torch.inference_mode()
def in_torch(raw, x):
    return raw(torch.from_numpy(x)).numpy()


@pytest.mark.parametrize("path", ["onnx", "torch"])
def test_one_forecast(benchmark, paths, path):
    benchmark.pedantic(paths[path], rounds=200, warmup_rounds=20)


def test_onnx_takes_less_than_a_millisecond(paths):
    seconds = {name: [] for name in paths}
    for _ in range(ROUNDS):
        for name, forecast in paths.items():
            started = time.perf_counter()
            forecast()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: 1000 * statistics.median(each) for name, each in seconds.items()}
    text = ", ".join(f"{name} {median:.3f} ms" for name, median in medians.items())
    print(f"\none forecast: {text}; torch / onnx {medians['torch'] / medians['onnx']:.1f}")
    assert medians["onnx"] < MOST_MILLISECONDS
