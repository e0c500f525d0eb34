"""The path that PyTorch takes is told by PyTorch's own rules, in their order."""

import pytest
import torch
from torch import nn

from zoo.speed.algorithm import Gpu, cudnn_algorithm, expected

H100, A100, A30, A40 = Gpu(9, 0, 132), Gpu(8, 0, 108), Gpu(8, 0, 56), Gpu(8, 6, 84)
V100, T4, OLD = Gpu(7, 0, 80), Gpu(7, 5, 40), Gpu(5, 2, 16)
SMALL, STATIC, STANDARD = "persistent-static-small-h", "persistent-static", "standard"


def told(gpu, hidden, dtype="float32", *, kind=nn.LSTM, batch=64, lookback=96, inputs=128, forward=True, **how):
    return cudnn_algorithm(kind(inputs, hidden, **how), gpu, dtype, batch, lookback, is_forward=forward)


@pytest.mark.parametrize(
    ("hidden", "forward", "algorithm"),
    [(192, True, SMALL), (193, True, STANDARD), (128, False, SMALL), (129, False, STANDARD)],
)
def test_small_hidden_sizes_are_persistent(hidden, forward, algorithm):
    assert told(H100, hidden, forward=forward) == algorithm
    assert told(H100, hidden, forward=forward, kind=nn.GRU) == algorithm


def test_plain_recurrent_layers_have_larger_limits():
    assert told(H100, 384, kind=nn.RNN) == SMALL
    assert told(H100, 385, kind=nn.RNN) == STANDARD
    assert told(H100, 256, kind=nn.RNN, forward=False) == SMALL
    assert told(H100, 257, kind=nn.RNN, forward=False) == STANDARD


def test_a_projection_is_standard_before_anything_else():
    assert told(H100, 64, proj_size=16) == STANDARD
    assert told(H100, 256, "float16", proj_size=128) == STANDARD


def test_double_is_never_persistent():
    assert told(H100, 64, "float64") == STANDARD


def test_old_devices_have_no_small_persistence():
    assert told(OLD, 64) == STANDARD


def test_float16_alone_is_persistent_at_larger_sizes():
    assert told(H100, 256, "float16") == STATIC
    for dtype in ("float32", "tf32", "bfloat16"):
        assert told(H100, 256, dtype) == STANDARD


def test_small_persistence_comes_before_static():
    assert told(H100, 128, "float16") == SMALL
    assert told(H100, 128, "float16", forward=False) == SMALL


@pytest.mark.parametrize(
    "how",
    [
        {"hidden": 1152}, {"hidden": 200}, {"inputs": 5}, {"num_layers": 2}, {"bidirectional": True}, {"batch": 136},
        {"batch": 60}, {"kind": nn.GRU},
    ],
    ids=str,
)  # fmt: skip
def test_static_persistence_needs_layer_and_batch_that_suit(how):
    assert told(H100, **{"hidden": 256, "dtype": "float16", **how}) == STANDARD


def test_static_persistence_needs_a_large_device_that_is_not_excluded():
    assert [told(gpu, 256, "float16") for gpu in (H100, A100, V100)] == [STATIC] * 3
    assert [told(gpu, 256, "float16") for gpu in (A30, A40, T4)] == [STANDARD] * 3


@pytest.mark.parametrize(
    ("batch", "lookback", "algorithm"),
    [(128, 40, STATIC), (128, 39, STANDARD), (96, 20, STATIC), (32, 10, STATIC), (32, 9, STANDARD), (80, 40, STANDARD),
     (112, 40, STANDARD), (8, 40, STATIC), (24, 40, STANDARD)],
)  # fmt: skip
def test_volta_asks_for_long_sequences_and_certain_batches(batch, lookback, algorithm):
    assert told(V100, 256, "float16", batch=batch, lookback=lookback) == algorithm


def test_on_cpu_a_projection_leaves_onednn():
    model = nn.ModuleDict(
        {"a": nn.LSTM(5, 8), "b": nn.LSTM(5, 8, proj_size=4), "c": nn.GRU(5, 8), "d": nn.Linear(5, 8)}
    )
    how = {"device": "cpu", "dtype": "float32", "batch_size": 1, "lookback": 7}
    a = "onednn" if torch.backends.mkldnn.is_available() else "native"
    assert expected(model, is_training=False, **how) == {
        "a": {"forward": a},
        "b": {"forward": "native"},
        "c": {"forward": "native"},
    }
    assert expected(model, is_training=True, **how)["a"] == {"forward": a, "backward": a}
