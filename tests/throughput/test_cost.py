"""Arithmetic, traffic and memory of a step are counted, and agree with arithmetic by hand."""

import pytest
import torch

from tests.throughput.test_cells import cells_of
from zoo.registry import list_models, variant
from zoo.space import resolve
from zoo.throughput.cost import flops_per_window, kernels, least_bytes, peak_bytes, short_name
from zoo.throughput.workload import Workload

L, C, H, P, F, K = 7, 5, 64, 16, 32, 3
GATES = 2 * 4 * H  # operations of one column of the gates' matrix: a multiply and an add each
BY_HAND = {
    "lstm": L * GATES * (C + H) + 2 * H,
    "stacked-lstm": L * GATES * (C + H) + L * GATES * (H + H) + 2 * H,
    "bilstm": 2 * L * GATES * (C + H) + 2 * 2 * H,
    "proj-lstm": L * (GATES * (C + P) + 2 * H * P) + 2 * P,
    "cnn-lstm": L * 2 * F * C * K + L * GATES * (F + H) + 2 * H,
    "attention-lstm": L * GATES * (C + H) + 2 * 2 * L * H + 2 * 2 * H * H + 2 * H,
    "ar-lstm": L * GATES * (C + H) + 2 * H + 2 * L,
    "gru": L * 2 * 3 * H * (C + H) + 2 * H,
    "rnn": L * 2 * H * (C + H) + 2 * H,
    "cifg-lstm": L * 2 * 3 * H * (C + H) + 2 * H,
    "slstm": L * GATES * (C + H) + 2 * H,
    "no-output-gate-lstm": L * 2 * 3 * H * (C + H) + 2 * H,
    "nlinear": 2 * L,
    "dlinear": 2 * 2 * L,
    "linear": 2 * L,
    "ridge": 2 * L,
    "naive": 0,
}


def cell_of(name, phase="infer", batch_size=8, lookback=L):
    (cell,) = cells_of(models=["lstm"], phase=["train"], lookback=[lookback])
    params = resolve(variant(name).build, {}, name)
    return cell.model_copy(update={"variant": name, "params": params, "phase": phase, "batch_size": batch_size})


@pytest.mark.parametrize("name", list_models())
def test_every_variant_but_those_without_products_has_operations(name):
    without = {"naive", "last-sign", "drift", "moving-average", "seasonal-naive", "gradient-boosting"}
    assert (flops_per_window(cell_of(name)) == 0) == (name in without)


@pytest.mark.parametrize("name", list(BY_HAND))
def test_operations_of_inference_are_those_of_arithmetic_by_hand(name):
    assert flops_per_window(cell_of(name)) == BY_HAND[name]


def test_operations_of_a_training_step_of_one_lstm_cell_are_those_of_arithmetic_by_hand():
    """One lookback step, so that nothing recurs: backward needs the gates' weight gradients, those of the head and
    the gradient of its input; the input itself needs none, and neither does the initial state."""
    forward = GATES * (C + H) + 2 * H
    weights = GATES * (C + H) + 2 * H
    to_state = 2 * H
    assert flops_per_window(cell_of("lstm", "train", lookback=1)) == forward + weights + to_state


def test_training_costs_about_three_times_inference():
    ratio = flops_per_window(cell_of("lstm", "train", lookback=96)) / flops_per_window(cell_of("lstm", lookback=96))
    assert 2.8 < ratio < 3


def test_inference_moves_at_least_its_input_weights_and_forecast():
    work = Workload(cell_of("lstm"), 8, seed=0)
    weights = 4 * sum(parameter.numel() for parameter in work.model.parameters())
    assert least_bytes(work) == 8 * L * C * 4 + weights + 8 * 4
    work.close()


def test_a_training_step_moves_what_autograd_keeps_too():
    small, large = (Workload(cell_of("lstm", "train", batch_size=size), size, seed=0) for size in (8, 64))
    for work in (small, large):
        work.run()
    weights = 4 * sum(parameter.numel() for parameter in small.model.parameters())
    adam = 2 * weights  # two moments; the step counters are a few bytes more
    fixed = 6 * weights + 2 * adam
    states = 8 * L * H * 4  # one layer's states of eight windows
    assert fixed + 2 * states < least_bytes(small) < fixed + 40 * states
    per_window = (least_bytes(large) - least_bytes(small)) / 56
    assert per_window > 2 * L * H * 4
    for work in (large, small):  # the last that was opened first: their settings are nested
        work.close()


def test_peak_memory_is_what_the_allocator_holds():
    """A large batch of a model whose forward pass makes one tensor as large as its input, and little else."""
    batch = 20_000
    work = Workload(cell_of("drift", batch_size=batch), batch, seed=0)
    peak, seen = peak_bytes(work), kernels(work)
    read = batch * L * C * 4
    assert 2 * read <= peak < 2.4 * read  # the input, the input less its last values, and a few [B, C]
    assert seen and all(0 < share <= 1 for _, share in seen)
    work.close()


def test_a_step_whose_parts_cannot_be_seen_moves_what_the_same_step_moves_eagerly():
    work = Workload(cell_of("lstm", "train"), 8, seed=0)
    work.run()
    expected = least_bytes(work)
    work.parts = ()
    assert least_bytes(work) == expected
    work.close()


@pytest.mark.parametrize(
    ("kernel", "short"),
    [
        ("void elemWiseRNNcell<float, (cudnnRNNMode_t)2>(int, float)", "elemWiseRNNcell"),
        ("std::enable_if<!(false), void>::type internal::gemvx::kernel<int>(x)", "internal::gemvx::kernel"),
        ("void at::native::(anonymous namespace)::copy<4>(int)", "copy"),
        ("Memcpy DtoD (Device -> Device)", "Memcpy DtoD"),
        ("aten::addmm", "aten::addmm"),
    ],
)
def test_kernels_go_by_short_names(kernel, short):
    assert short_name(kernel) == short


def test_training_holds_gradients_and_moments_beside_the_weights():
    work = Workload(cell_of("stacked-lstm", "train", batch_size=2), 2, seed=0)
    work.run()
    weights = 4 * sum(parameter.numel() for parameter in work.model.parameters())
    assert work.resident_bytes() > 4 * weights
    assert peak_bytes(work) >= work.resident_bytes()
    work.close()


def test_the_kernel_that_runs_is_seen():
    work = Workload(cell_of("lstm", batch_size=64), 64, seed=0)
    work.run()
    seen = [name for name, _ in kernels(work)]
    work.close()
    if torch.backends.mkldnn.is_available():
        assert "aten::mkldnn_rnn_layer" in seen
