"""An exported model forecasts what the model forecasts, without torch."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from tests.cases import made_cases
from tests.conftest import price_frame, run_zoo_here
from zoo.train.export import export

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("one_translation_table")
TASKS = {
    "two targets": {"targets": ["close", "open"], "horizon": 3},
    "counts": {"targets": ["close"], "scaler": "log1p", "large": 1000.0},
    "logarithms": {"targets": ["close"], "scaler": "log", "large": 1000.0},
    "instance": {"targets": ["close"], "normalise": "instance"},
    "interval": {"targets": ["close"], "quantiles": (0.1, 0.5, 0.9), "horizon": 2},
    "direction": {"targets": ["close"], "direction": True},
    "moves": {"targets": ["close", "open"], "direction": "1%", "horizon": 2},
    "calendar": {"calendar": ["weekday", "month"], "horizon": 2},
    "logarithms and a calendar": {"scaler": "log", "large": 1000.0, "calendar": ["weekday"]},
    "marks": {"targets": ["close"], "missing": "mask", "normalise": "instance", "gaps": True},
    "hampel": {"outliers": "hampel"},
    "adaptive": {"quantiles": (0.1, 0.5, 0.9), "conformal": True, "adaptive": True, "horizon": 2},
}


def kept(prices, folder, name="gru", hidden_size=8, **how):
    prices[["open", "high", "low", "close"]] *= how.pop("large", 1.0)
    if how.pop("gaps", False):
        prices.loc[[4, 100, 101, 299], ["volume", "open"]] = np.nan
    return fitted(zoo.prepare(zoo.load(prices), **{"targets": ["close"], **how}), folder, name, hidden_size)


def fitted(data, folder, name="gru", hidden_size=8):
    model = zoo.create(name, data.problem, hidden_size=hidden_size)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=2))
    zoo.save(model, folder, data, variant=name, params={"hidden_size": hidden_size})
    return zoo.load_model(folder)


def shops(rows=150, horizon=3):
    """Two series on scales of their own, with gaps; what is planned is known of `horizon` further rows."""
    random, frames = np.random.default_rng(0), []
    for shop, scale in (("south", 1.0), ("north", 1000.0)):
        day = np.arange(rows + horizon)
        frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=len(day)), "shop": shop})
        frame["sales"] = scale * (5 + np.sin(day / 3) + 0.1 * random.normal(size=len(day)))
        frame["visits"] = scale * random.normal(size=len(day))
        frame["weather"] = random.choice(["dry", "wet"], size=len(day))
        frame["price"] = scale * random.normal(10, 1, size=len(day))
        frame["plan"] = random.choice(["usual", "sale"], size=len(day))
        frame.loc[[20, 60, 61], "visits"] = np.nan
        frame.loc[rows:, ["sales", "visits", "weather"]] = None
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


PLANNED = {"targets": ["sales"], "channels": ["sales", "visits"], "horizon": 3, "known": ["price", "plan"]}
MUCH = {
    **PLANNED, "categories": ["weather", "plan"], "calendar": ["weekday"], "missing": "mask", "outliers": "clip",
    "quantiles": (0.1, 0.5, 0.9),
}  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
def test_onnx_gives_the_forecasts_of_the_model_after_every_row(prices, tmp_path, task):
    saved = kept(prices, tmp_path / "model", "lstm", **dict(TASKS[task]))
    exported = export(saved, tmp_path / "model.onnx")
    assert exported.difference <= 1e-5 and exported.bytes == (tmp_path / "model.onnx").stat().st_size
    table = zoo.load(prices)
    own = zoo.OnnxModel(tmp_path / "model.onnx").forecast_next(table, origin="all")
    pd.testing.assert_frame_equal(own, zoo.forecast_next(saved, table, origin="all"), rtol=1e-5)


@pytest.mark.parametrize("series", [None, "shop"])
def test_onnx_reads_what_is_known_kinds_marks_and_each_series_in_its_own_units(tmp_path, series):
    frame = shops() if series else shops().query("shop == 'south'").drop(columns="shop")
    how = {**MUCH, "categories": [*MUCH["categories"], *([series] if series else [])]}
    saved = fitted(zoo.prepare(frame, series=series, **how), tmp_path / "model")
    assert export(saved, tmp_path / "model.onnx").difference <= 1e-5
    exported = zoo.OnnxModel(tmp_path / "model.onnx")
    table = zoo.load(frame, **exported.file.reading)
    for origin in (None, "all"):
        expected = zoo.forecast_next(saved, table, origin=origin)
        pd.testing.assert_frame_equal(exported.forecast_next(table, origin=origin), expected, rtol=1e-5)
    last = exported.forecast_next(table)
    assert list(last["time"]) == list(pd.date_range("2024-05-30", periods=3)) * (2 if series else 1)
    for column, value in (("price", 0.0), ("plan", "unknown"), ("weather", "unknown"), ("visits", 1.0)):
        other = zoo.load(frame.assign(**{column: frame[column].where(frame[column].isna(), value)}), **saved.reading)
        assert np.abs(exported.forecast_next(other)["sales"] - last["sales"]).max() > 1e-6, column
    with pytest.raises(zoo.InputError, match="price, plan must be known for the 3 steps after 2024-05-29"):
        exported.forecast_next(zoo.load(frame[frame["date"] < "2024-06-01"], **saved.reading))
    with pytest.raises(zoo.InputError, match="the model is of (several|one) series: (name|leave)"):
        exported.forecast_next(zoo.load(frame.iloc[:153], series=None if series else "plan"))


def test_windows_of_several_series_are_forecast_by_the_names_of_these(tmp_path):
    frame = shops(horizon=0).drop(columns=["weather", "plan", "price"]).dropna()
    saved = fitted(zoo.prepare(frame, series="shop", targets=["sales"]), tmp_path / "model")
    export(saved, tmp_path / "model.onnx")
    export(saved, tmp_path / "model.pt2", to="pt2")
    exported = zoo.OnnxModel(tmp_path / "model.onnx")
    windows = {name: rows[["sales", "visits"]].to_numpy()[-7:] for name, rows in frame.groupby("shop")}
    order = ["south", "north", "south"]
    x = np.stack([windows[name] for name in order])
    expected = zoo.forecast_next(saved, zoo.load(frame, series="shop")).set_index("shop")["sales"]
    forecasts = exported.forecasts(x, series=order)[:, 0, 0]
    np.testing.assert_allclose(forecasts, expected[order], rtol=1e-5)
    places = torch.tensor([list(saved.file.series).index(name) for name in order])
    raw = torch.export.load(tmp_path / "model.pt2").module()(torch.from_numpy(x), places)
    np.testing.assert_allclose(raw[:, 0, 0].numpy(), expected[order], rtol=1e-5)
    with pytest.raises(zoo.InputError, match="the model is of several series: name that of each window"):
        exported.forecasts(x)
    with pytest.raises(zoo.InputError, match="unknown series 'nord'.*did you mean 'north'"):
        exported.forecasts(x[:1], series=["nord"])


@pytest.mark.parametrize("name", ["lstm", "minirocket", "naive"])
@pytest.mark.parametrize("steps", [(16, 16), (9, 16)], ids=["equal", "unequal"])
def test_onnx_gives_the_probabilities_of_the_model(tmp_path, steps, name):
    cases = made_cases(steps=steps)
    data = zoo.prepare(cases, split=(0.8, 0.2, 0))
    params = {"features": 1000} if name == "minirocket" else {}  # the exporter traces each of them
    model = zoo.create(name, data.problem, **params)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=2))
    zoo.save(model, tmp_path / "model", data, variant=name, params=params)
    saved = zoo.load_model(tmp_path / "model")
    export(saved, tmp_path / "model.onnx")
    exported = zoo.OnnxModel(tmp_path / "model.onnx")
    pd.testing.assert_frame_equal(exported.classify(cases), zoo.classify(saved, cases), rtol=0, atol=1e-5)


def test_torch_export_gives_the_forecasts_of_the_model(prices, tmp_path):
    saved = kept(prices, tmp_path / "model")
    export(saved, tmp_path / "model.pt2", to="pt2")
    x = torch.from_numpy(prices[list(saved.channels)].to_numpy(dtype=float)[-7:])[None]
    raw = torch.export.load(tmp_path / "model.pt2").module()(x.repeat(3, 1, 1))  # any batch size
    expected = zoo.forecast_next(saved, zoo.load(prices))["close"].to_numpy()
    np.testing.assert_allclose(raw[:, 0, 0].numpy(), expected.repeat(3), rtol=1e-6)


def prices_model(folder):
    prices = price_frame()
    kept(prices, folder / "model")
    prices.to_csv(folder / "data.csv", index=False)


def shops_model(folder):
    frame = shops()
    frame.to_csv(folder / "data.csv", index=False)
    fitted(zoo.prepare(folder / "data.csv", series="shop", **MUCH), folder / "model")


def cases_model(folder):
    made_cases(steps=(9, 16)).frame().to_csv(folder / "data.csv", index=False)
    cases = zoo.load(folder / "data.csv", case="case", label="class")
    fitted(zoo.prepare(cases, split=(0.8, 0.2, 0)), folder / "model")


@pytest.mark.process
@pytest.mark.parametrize("made", [prices_model, shops_model, cases_model])
def test_the_command_forecasts_and_classifies_from_onnx_without_torch(tmp_path, made):
    made(tmp_path)
    out, how = tmp_path / "model.onnx", [tmp_path / "data.csv"]
    how += ["--case", "case", "--label", "class"] if made is cases_model else []
    ended = run_zoo_here("export", tmp_path / "model", "--out", out)
    assert ended.returncode == 0 and "differs from the model by" in ended.stdout
    program = (
        "import sys\nsys.argv = ['zoo', 'predict', *sys.argv[1:]]\nfrom zoo.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    print([name for name in ('torch', 'sklearn', 'scipy', 'rich') if name in sys.modules], file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, [out, *how])], capture_output=True, text=True, check=False
    )
    assert ended.stderr.splitlines()[-1] == "[]", ended.stderr
    with_torch = run_zoo_here("predict", tmp_path / "model", *how)
    assert len(ended.stdout.splitlines()) == len(with_torch.stdout.splitlines()) > 1
    own, expected = (pd.read_csv(io.StringIO(each.stdout)) for each in (ended, with_torch))
    pd.testing.assert_frame_equal(own, expected, rtol=1e-5, atol=1e-5 if made is cases_model else 0)
    assert ended.stderr.splitlines()[:-1] == with_torch.stderr.splitlines()


def test_onnx_names_what_its_input_lacks_in_one_line(tmp_path):
    shops_model(tmp_path)
    out = tmp_path / "model.onnx"
    export(zoo.load_model(tmp_path / "model"), out)
    frame = shops()
    for changed, message in (
        (frame.drop(columns="visits"), "unknown column 'visits'"),
        (frame[:153].drop(columns="shop"), "unknown column 'shop'"),
        (frame.groupby("shop").tail(8), "the model's lookback is 7"),
        (frame.assign(shop=frame["shop"] + "east"), "no series of"),
        (frame.drop(columns="date"), "has no time column"),
    ):
        changed.to_csv(tmp_path / "other.csv", index=False)
        ended = run_zoo_here("predict", out, tmp_path / "other.csv")
        assert (ended.returncode, ended.stdout) == (2, "") and ended.stderr.count("\n") == 1, ended.stderr
        assert (
            message in ended.stderr
            and ended.stderr == run_zoo_here("predict", tmp_path / "model", tmp_path / "other.csv").stderr
        )


def test_a_variant_that_goes_through_the_steps_itself_is_exported_for_one_length_alone(tmp_path):
    for steps in ((4, 6), (6, 6)):
        saved = fitted(zoo.prepare(made_cases(steps=steps), split=(0.8, 0.2, 0)), tmp_path / "model", "cifg-lstm")
        if steps == (4, 6):
            with pytest.raises(zoo.InputError, match=r"of several lengths \(4 to 6 steps\): keep the model folder"):
                export(saved, tmp_path / "model.onnx")
            assert not (tmp_path / "model.onnx").exists()
    export(saved, tmp_path / "model.onnx")
    with pytest.raises(zoo.InputError, match="cifg-lstm needs sequences of 6 steps, and case '1' of made has 5"):
        zoo.OnnxModel(tmp_path / "model.onnx").classify(made_cases(steps=(5, 5)))


def test_what_cannot_be_exported_says_why_and_leaves_no_file(prices, prices_csv, tmp_path):
    kept(prices, tmp_path / "proj", name="proj-lstm", hidden_size=40)
    message = "cannot be exported to onnx: its LSTM operator has no recurrent projection; keep the model folder"
    ended = run_zoo_here("export", tmp_path / "proj", "--out", tmp_path / "m.onnx")
    assert (ended.returncode, ended.stdout) == (2, "") and message in ended.stderr
    ended = run_zoo_here("export", tmp_path / "proj", "--to", "tflite", "--out", tmp_path / "m.onnx")
    assert ended.returncode == 2 and "onnx or pt2, got 'tflite'" in ended.stderr
    assert not (tmp_path / "m.onnx").exists()
    (tmp_path / "no.onnx").write_text("no model")
    (tmp_path / "data.csv").write_text("date,close\n2020-01-01,1\n")
    for more, rule in (["--device", "cuda"], "runs on the CPU"), (["--variants", "mine.py"], "holds its variant"):
        ended = run_zoo_here("predict", tmp_path / "no.onnx", tmp_path / "data.csv", *more)
        assert ended.returncode == 2 and rule in ended.stderr and ended.stderr.count("\n") == 1
    for name, message in (("no.onnx", "is not an ONNX model"), ("absent.onnx", "cannot be read")):
        ended = run_zoo_here("predict", tmp_path / name, prices_csv)
        assert ended.returncode == 2 and message in ended.stderr and ended.stderr.count("\n") == 1


def test_a_file_of_another_program_or_version_is_refused(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    for metadata, message in (
        ({}, "was not written by zoo export"),
        ({"lstm-zoo": '{"variant": "gru"}'}, "was exported by another version of zoo .*: export the model again"),
    ):
        helper.set_model_props(model, metadata)
        onnx.save(model, tmp_path / "x.onnx")
        with pytest.raises(zoo.InputError, match=message):
            zoo.OnnxModel(tmp_path / "x.onnx")
