"""The projected recurrence is nn.LSTM's, forward and backward."""

import warnings

import pytest
import torch
from torch import nn

from zoo.layers.projected import CHUNK, projected_states

SHAPES = [
    (1, 1, 1, 2, 1),
    (5, 6, 3, 8, 4),
    (3, CHUNK, 2, 5, 2),
    (2, CHUNK + 1, 5, 16, 15),
    (32, 3 * CHUNK - 1, 5, 32, 8),
]


def lstm_and_input(shape, dtype):
    batch, length, channels, hidden, projected = shape
    torch.manual_seed(0)
    lstm = nn.LSTM(channels, hidden, batch_first=True, proj_size=projected).to(dtype)
    return lstm, torch.randn(batch, length, channels, dtype=dtype, requires_grad=True)


def reference(lstm, x):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
        return lstm(x)[0]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_states_and_all_gradients_are_those_of_torch(shape):
    lstm, x = lstm_and_input(shape, torch.float64)
    expected, states = reference(lstm, x), projected_states(lstm, x)
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-14)
    gradient = torch.randn_like(expected)
    leaves = [x, *lstm.parameters()]
    for ours, theirs in zip(
        torch.autograd.grad(states, leaves, gradient), torch.autograd.grad(expected, leaves, gradient), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_states_without_gradients_are_the_same(shape):
    lstm, x = lstm_and_input(shape, torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(projected_states(lstm, x), reference(lstm, x), rtol=0, atol=1e-14)


def test_float32_is_as_near_to_float64_as_torch_is():
    lstm, x = lstm_and_input((16, 40, 5, 64, 16), torch.float32)
    with torch.no_grad():
        ours, theirs = projected_states(lstm, x), reference(lstm, x)
        exact = reference(lstm.double(), x.double())
    assert (ours - exact).abs().max() < 3 * (theirs - exact).abs().max() + 1e-7


def test_a_part_of_the_states_may_be_read():
    lstm, x = lstm_and_input(SHAPES[1], torch.float64)
    ours, theirs = (
        torch.autograd.grad(f(lstm, x)[:, -1].square().sum(), [x, *lstm.parameters()])
        for f in (projected_states, reference)
    )
    for own, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-12, atol=1e-13)


def test_gradients_can_be_taken_twice_from_one_graph():
    lstm, x = lstm_and_input(SHAPES[3], torch.float64)
    total = projected_states(lstm, x).sum()
    (first,) = torch.autograd.grad(total, x, retain_graph=True)
    (second,) = torch.autograd.grad(total, x)
    assert torch.equal(first, second)
