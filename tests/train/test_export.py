"""An exported model forecasts what the model forecasts, without torch."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from tests.conftest import run_zoo_here
from zoo.train.export import export

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
TASKS = {
    "two targets": {"targets": ["close", "open"], "horizon": 3},
    "logarithms": {"targets": ["close"], "scaler": "log", "large": 1000.0},
    "instance": {"targets": ["close"], "normalise": "instance"},
    "interval": {"targets": ["close"], "quantiles": (0.1, 0.5, 0.9), "horizon": 2},
    "direction": {"targets": ["close"], "direction": True},
    "moves": {"targets": ["close", "open"], "direction": "1%", "horizon": 2},
}


def kept(prices, folder, name="gru", hidden_size=8, **how):
    prices[["open", "high", "low", "close"]] *= how.pop("large", 1.0)
    data = zoo.prepare(zoo.load(prices), **{"targets": ["close"], **how})
    model = zoo.create(name, data.problem, hidden_size=hidden_size)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=2))
    zoo.save(model, folder, data, variant=name, params={"hidden_size": hidden_size})
    return zoo.load_model(folder)


@pytest.mark.parametrize("task", TASKS)
def test_onnx_gives_the_forecasts_of_the_model_after_every_row(prices, tmp_path, task):
    saved = kept(prices, tmp_path / "model", **dict(TASKS[task]))
    exported = export(saved, tmp_path / "model.onnx")
    assert exported.difference <= 1e-5 and exported.bytes == (tmp_path / "model.onnx").stat().st_size
    table = zoo.load(prices)
    own = zoo.OnnxModel(tmp_path / "model.onnx").forecast_next(table, origin="all")
    pd.testing.assert_frame_equal(own, zoo.forecast_next(saved, table, origin="all"), rtol=1e-5)


def test_torch_export_gives_the_forecasts_of_the_model(prices, tmp_path):
    saved = kept(prices, tmp_path / "model")
    export(saved, tmp_path / "model.pt2", to="pt2")
    x = torch.from_numpy(prices[list(saved.channels)].to_numpy(dtype=float)[-7:])[None]
    raw = torch.export.load(tmp_path / "model.pt2").module()(x.repeat(3, 1, 1))  # any batch size
    expected = zoo.forecast_next(saved, zoo.load(prices))["close"].to_numpy()
    np.testing.assert_allclose(raw[:, 0, 0].numpy(), expected.repeat(3), rtol=1e-6)


@pytest.mark.process
def test_the_command_forecasts_from_onnx_without_torch(prices, prices_csv, tmp_path):
    kept(prices, tmp_path / "model")
    out = tmp_path / "model.onnx"
    ended = run_zoo_here("export", tmp_path / "model", "--out", out)
    assert ended.returncode == 0 and "differs from the model by" in ended.stdout
    program = (
        "import sys\nsys.argv = ['zoo', 'predict', *sys.argv[1:]]\nfrom zoo.cli import main\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules, file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(out), str(prices_csv)], capture_output=True, text=True, check=False
    )
    assert ended.stderr.splitlines()[-1] == "False", ended.stderr
    with_torch = run_zoo_here("predict", tmp_path / "model", prices_csv)
    assert ended.stdout == with_torch.stdout != ""


def test_what_cannot_be_exported_says_why_and_leaves_no_file(prices, prices_csv, tmp_path):
    panel = pd.concat([prices.assign(symbol="a"), prices.assign(symbol="b")])
    data = zoo.prepare(zoo.load(panel, series="symbol"), targets=["close"])
    zoo.save(zoo.create("naive", data.problem), tmp_path / "panel", data, variant="naive")
    kept(prices, tmp_path / "calendar", calendar=["weekday"])
    kept(prices, tmp_path / "proj", name="proj-lstm", hidden_size=40)
    for folder, message in (
        ("panel", "is of several series"),
        ("calendar", "has a calendar among its inputs"),
        ("proj", "variant 'proj-lstm' cannot be exported to onnx: its LSTM operator has no recurrent projection"),
    ):
        ended = run_zoo_here("export", tmp_path / folder, "--out", tmp_path / "m.onnx")
        assert (ended.returncode, ended.stdout) == (2, "") and message in ended.stderr
    ended = run_zoo_here("export", tmp_path / "proj", "--to", "tflite", "--out", tmp_path / "m.onnx")
    assert ended.returncode == 2 and "onnx or pt2, got 'tflite'" in ended.stderr
    assert not (tmp_path / "m.onnx").exists()
    (tmp_path / "no.onnx").write_text("no model")
    for name, message in (("no.onnx", "is not an ONNX model"), ("absent.onnx", "cannot be read")):
        ended = run_zoo_here("predict", tmp_path / name, prices_csv)
        assert ended.returncode == 2 and message in ended.stderr and ended.stderr.count("\n") == 1


def test_a_file_of_another_program_is_refused(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "x.onnx")
    with pytest.raises(zoo.InputError, match="was not written by zoo export"):
        zoo.OnnxModel(tmp_path / "x.onnx")
