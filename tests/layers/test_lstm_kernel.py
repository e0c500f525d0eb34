"""PyTorch's LSTM layers by compiled code: the same numbers, forward and back."""

import pytest
import torch
from torch import nn

from zoo.layers.lstm_kernel import compiled_lstms, lstm_states, replaceable, why_not_compiled

needs_numba = pytest.mark.skipif(why_not_compiled() is not None, reason="nothing is compiled here")

KINDS = {
    "one layer": {},
    "two layers": {"num_layers": 2},
    "both directions": {"bidirectional": True, "num_layers": 2},
    "no bias": {"bias": False},
    "time first": {"batch_first": False},
}


def both(lstm):
    """The layer by compiled code and by PyTorch."""
    return (lambda x: lstm_states(lstm, x)), lstm


def results(run, lstm, x, hx, weights):
    """Outputs, and the gradients of a weighted sum of them by inputs and parameters."""
    tensors = [x, *hx, *lstm.parameters()]
    out, (h, c) = run(lstm, x, hx)
    total = sum((part * weight).sum() for part, weight in zip((out, h, c), weights, strict=True))
    return [out, h, c, *torch.autograd.grad(total, tensors)]


@needs_numba
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 6, 7])
def test_outputs_and_gradients_are_those_of_pytorch(kind, length):
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 16, **{"batch_first": True, **KINDS[kind]})
    batch, layers = 5, lstm.num_layers * (2 if lstm.bidirectional else 1)
    shape = (batch, length, 3) if lstm.batch_first else (length, batch, 3)
    x = torch.randn(shape, requires_grad=True)
    hx = tuple(torch.randn(layers, batch, 16, requires_grad=True) for _ in range(2))
    out, (h, c) = lstm(x, hx)
    weights = [torch.randn_like(part) for part in (out, h, c)]
    for own, other in zip(
        results(lstm_states, lstm, x, hx, weights),
        results(lambda lstm, x, hx: lstm(x, hx), lstm, x, hx, weights),
        strict=True,
    ):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


@needs_numba
def test_inference_starts_at_zero_and_keeps_the_shapes():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 8, batch_first=True)
    x = torch.randn(4, 5, 3)
    with torch.no_grad():
        own, (h, c) = lstm_states(lstm, x)
        other, (h_other, c_other) = lstm(x)
    for one, two in ((own, other), (h, h_other), (c, c_other)):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


@needs_numba
def test_gradients_of_a_layer_that_starts_at_zero_and_shows_only_its_states():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 8, num_layers=2, batch_first=True)
    x = torch.randn(4, 5, 3)
    ours, theirs = (torch.autograd.grad(run(x)[0][:, -1].sum(), list(lstm.parameters())) for run in both(lstm))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    ends = [torch.autograd.grad(run(x)[1][1].square().sum(), lstm.weight_hh_l0)[0] for run in both(lstm)]
    torch.testing.assert_close(*ends, rtol=1e-4, atol=1e-6)


@needs_numba
def test_layers_are_replaced_inside_alone_and_only_where_they_can_be():
    plain, projected = nn.LSTM(3, 8, batch_first=True), nn.LSTM(3, 8, proj_size=4, batch_first=True)
    assert replaceable(nn.ModuleList([plain, projected])) == [plain]
    x = torch.randn(4, 5, 3)
    before = plain(x)[0]
    with compiled_lstms([plain]):
        assert "forward" in vars(plain) and torch.allclose(plain(x)[0], before, atol=1e-5)
    assert "forward" not in vars(plain) and torch.equal(plain(x)[0], before)


def test_what_is_not_compiled_runs_as_pytorch_does():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 8, batch_first=True)
    for model, x in ((lstm, torch.randn(5, 3)), (nn.LSTM(3, 8).double(), torch.randn(5, 2, 3).double())):
        assert torch.equal(lstm_states(model, x)[0], model(x)[0])


@needs_numba
def test_dropout_between_layers_is_that_of_training_alone():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 8, num_layers=2, dropout=0.5, batch_first=True)
    x = torch.randn(4, 5, 3)
    assert not torch.allclose(lstm_states(lstm, x)[0], lstm_states(lstm, x)[0])

    def loss(change=0.0):
        torch.manual_seed(1)  # the same mask
        return (lstm_states(lstm, x + change * toward)[0] ** 2).sum()

    x.requires_grad_()
    toward = torch.randn_like(x)
    slope = (torch.autograd.grad(loss(), x)[0] * toward).sum()
    assert (loss(1e-2) - loss(-1e-2)).item() / 2e-2 == pytest.approx(slope.item(), rel=1e-2)
    lstm.eval()
    torch.testing.assert_close(lstm_states(lstm, x)[0], lstm(x)[0], rtol=1e-5, atol=1e-6)
