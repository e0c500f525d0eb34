"""Speed suites become cells; what cannot be timed is refused before anything runs."""

from pathlib import Path

import pytest

from zoo.errors import InputError
from zoo.problem import EXAMPLE
from zoo.records import checked
from zoo.registry import create, list_models
from zoo.throughput.cells import SpeedSuite, expand_speed, read_speed_suite

SHIPPED = Path(__file__).parents[3] / "benchmarks/suites"


def suite(**speed):
    parts = {key: speed.pop(key) for key in ("grid", "method") if key in speed}
    own = {"models": ["lstm"], "batch_size": [8], "lookback": [7], **speed}
    return checked(SpeedSuite, {"name": "t", "speed": own, **parts}, "test")


def cells_of(**speed):
    return expand_speed(suite(**speed), device="cpu")[0]


def test_each_shape_is_one_cell_and_latency_adds_batch_one():
    timed = {(c.phase, c.batch_size, c.lookback) for c in cells_of(batch_size=[8, 16], lookback=[3, 7])}
    shapes = {(p, b, lb) for p in ("infer", "train") for b in (8, 16) for lb in (3, 7)}
    assert timed == shapes | {("infer", 1, 3), ("infer", 1, 7)}


def test_grids_are_joined_and_each_cell_is_there_once():
    grid = [{"batch_size": [1, 8], "lookback": [7]}, {"batch_size": [8], "lookback": [7, 9]}]
    timed = [(c.batch_size, c.lookback) for c in cells_of(grid=grid, phase=["infer"])]
    assert sorted(timed) == [(1, 7), (1, 9), (8, 7), (8, 9)]


def test_a_list_sweeps_a_parameter():
    timed = cells_of(phase=["train"])
    assert {c.params["hidden_size"] for c in timed} == {64}
    swept = expand_speed(
        checked(
            SpeedSuite,
            {
                "name": "t",
                "speed": {"models": ["lstm"], "batch_size": [8], "lookback": [7], "phase": ["train"]},
                "models": {"lstm": {"hidden_size": [16, 24], "dropout": [0.0, 0.5]}},
            },
            "test",
        ),
        device="cpu",
    )[0]
    assert [(c.params["hidden_size"], c.params["dropout"]) for c in swept] == [
        (16, 0.0),
        (16, 0.5),
        (24, 0.0),
        (24, 0.5),
    ]
    assert len({c.key for c in swept}) == 4


def test_what_learns_nothing_by_descent_is_timed_for_inference_only():
    timed, notes = expand_speed(suite(models=["all"]), device="cpu")
    trained = {c.variant for c in timed if c.phase == "train"}
    assert trained == {name for name in list_models() if create(name, EXAMPLE).is_trainable}
    assert {"lstm", "linear"} <= trained and not {"naive", "ridge", "gradient-boosting"} & trained
    assert {c.variant for c in timed if c.phase == "infer"} == set(list_models())
    assert "naive" in notes[0] and "ridge" in notes[0]


def test_a_key_holds_what_is_measured_and_nothing_else():
    (cell,) = cells_of(phase=["train"])
    assert cell.model_copy(update={"suite": "other", "tags": ()}).keyed().key == cell.key
    changes = {
        "variant": "bilstm", "params": {}, "phase": "infer", "device": "cuda", "dtype": "bfloat16", "batch_size": 9,
        "lookback": 8, "mode": "compile", "channels": 4, "horizon": 2, "normalise": "none", "threads": 2,
    }  # fmt: skip
    keys = {cell.model_copy(update={name: value}).keyed().key for name, value in changes.items()}
    assert len(keys | {cell.key}) == len(changes) + 1
    (again,) = cells_of(phase=["train"], method={"seconds": 9.0, "seed": 5})
    assert again.key == cell.key


def test_the_problem_forecasts_the_close_of_ohlcv_or_the_last_channel():
    (cell,) = cells_of(phase=["train"])
    assert cell.problem.targets == (3,)
    (narrow,) = cells_of(phase=["train"], channels=2)
    assert narrow.problem.targets == (1,)


@pytest.mark.parametrize(
    ("speed", "message"),
    [
        ({"batch_size": [0]}, "speed.batch_size.0 must be a whole number >= 1 or 'max', got 0"),
        ({"lookback": [7, -1]}, "speed.lookback.1 must be >= 1, got -1"),
        ({"threads": 0}, "speed.threads must be >= 1, got 0"),
        ({"dtype": ["tf32"]}, "dtype tf32 is not supported on this cpu device; choose from float32, bfloat16"),
        ({"dtype": ["float16"]}, "dtype float16 is not supported on this cpu device"),
        ({"dtype": ["half"]}, "speed.dtype.0 must be 'float32'"),
        ({"mode": ["cuda-graph"]}, "mode cuda-graph needs device cuda, got cpu"),
        ({"phase": []}, "speed.phase must be a list of at least 1"),
        ({"models": ["lsmt"]}, "unknown variant 'lsmt'; did you mean 'lstm'?"),
        ({"models": ["naive"], "phase": ["train"]}, "nothing to time: naive in phase train"),
        ({"normalise": "first"}, "speed.normalise must be 'last', 'none' or 'instance', got 'first'"),
        ({"batchsize": [3]}, "unknown key 'speed.batchsize'; did you mean 'batch_size'?"),
        ({"grid": [{"batch": [3]}]}, "unknown key 'grid.0.batch'; did you mean 'batch_size'?"),
        ({"method": {"seconds": 0.0}}, "method.seconds must be > 0, got 0.0"),
        ({"method": {"passes": 0}}, "method.passes must be >= 1, got 0"),
    ],
)
def test_a_wrong_setting_is_named_with_its_rule(speed, message):
    with pytest.raises(InputError) as error:
        cells_of(**speed)
    assert message in str(error.value)


def test_parameters_of_a_variant_that_does_not_run_are_refused():
    wrong = {"name": "t", "speed": {"models": ["lstm"]}, "models": {"bilstm": {"hidden_size": 16}}}
    with pytest.raises(InputError, match=r"\[models.bilstm\] sets parameters of a variant that speed.models does not"):
        expand_speed(checked(SpeedSuite, wrong, "test"), device="cpu")


def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(InputError, match="device 'tpu' is not available here"):
        expand_speed(suite(), device="tpu")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("speed*.toml")), ids=lambda path: path.stem)
def test_shipped_suites_expand(path):
    read = read_speed_suite(path)
    assert read.name == path.stem
    assert len(expand_speed(read, device="cpu")[0]) > 20


def test_a_suite_is_read_from_toml(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\n[speed]\nmodels = ["lstm"]\n[[grid]]\nbatch_size = ["max"]\nlookback = [7]\n')
    assert read_speed_suite(path).grid[0].batch_size == ["max"]
    path.write_text("name = ")
    with pytest.raises(InputError, match="not well-formed TOML"):
        read_speed_suite(path)
