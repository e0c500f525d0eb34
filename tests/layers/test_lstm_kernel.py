"""PyTorch's LSTM layers by compiled code: the same numbers, forward and back."""

import pytest
import torch
from torch import nn

from zoo.layers import lstm_kernel
from zoo.layers.lstm_kernel import compiled_lstms, lstm_states, replaceable, why_not_compiled

WHY = why_not_compiled() or ""  # other numbers than PyTorch's are no reason to skip
needs_numba = pytest.mark.skipif(bool(WHY) and "other numbers" not in WHY, reason=WHY)

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
@pytest.mark.parametrize(("length", "scale"), [(1, 1.0), (6, 1.0), (7, 1.0), (7, 100.0)])  # of 100: gates at their ends
def test_outputs_and_gradients_are_those_of_pytorch(kind, length, scale):
    assert why_not_compiled() is None
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 16, **{"batch_first": True, **KINDS[kind]})
    batch, layers = 5, lstm.num_layers * (2 if lstm.bidirectional else 1)
    shape = (batch, length, 3) if lstm.batch_first else (length, batch, 3)
    x = (scale * torch.randn(shape)).requires_grad_()
    hx = tuple(torch.randn(layers, batch, 16, requires_grad=True) for _ in range(2))
    out, (h, c) = lstm(x, hx)
    weights = [torch.randn_like(part) for part in (out, h, c)]
    for own, other in zip(
        results(lstm_states, lstm, x, hx, weights),
        results(lambda lstm, x, hx: lstm(x, hx), lstm, x, hx, weights),
        strict=True,
    ):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5 * scale)


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
@pytest.mark.parametrize("is_batch_first", [True, False])
def test_outputs_lie_in_memory_as_pytorchs_and_may_be_changed_in_place(is_batch_first):
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 8, batch_first=is_batch_first)
    x = torch.randn(4, 5, 3)
    ours, theirs = ([run(x)[0], *run(x)[1]] for run in both(lstm))
    assert [each.stride() for each in ours[:1]] == [each.stride() for each in theirs[:1]]
    expected = torch.autograd.grad(2 * lstm(x)[0].sum(), lstm.weight_hh_l0)[0]
    for place in range(3):
        states, (h, c) = lstm_states(lstm, x)
        (states, h, c)[place].mul_(2)
        assert place or torch.allclose(torch.autograd.grad(states.sum(), lstm.weight_hh_l0)[0], expected, atol=1e-5)


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
    with torch.autocast("cpu", torch.bfloat16):
        assert lstm_states(lstm, torch.randn(2, 5, 3))[0].dtype == torch.bfloat16


def test_what_pytorch_refuses_is_refused():
    """Compiled code gets addresses alone, and would read whatever lies there."""
    lstm, start = nn.LSTM(3, 8, batch_first=True), torch.zeros(1, 1, 8)
    for layer, *given in (
        (lstm, torch.randn(4, 5, 7)),
        (nn.LSTM(3, 8).double(), torch.randn(4, 5, 3)),
        (lstm, torch.randn(4, 5, 3), (start, start)),
        (lstm, torch.randn(4, 0, 3)),
    ):
        with pytest.raises((RuntimeError, ValueError)):
            lstm_states(layer, *given)
    assert lstm_states(lstm, torch.randn(0, 5, 3))[0].shape == (0, 5, 8)


@needs_numba
def test_other_weights_and_changed_inputs_are_noticed():
    torch.manual_seed(0)
    lstm, x = nn.LSTM(3, 8, batch_first=True), torch.randn(1, 5, 3)
    other = {name: 2 * weight.detach() for name, weight in lstm.named_parameters()}
    expected = torch.func.functional_call(lstm, other, (x,))[0]
    with compiled_lstms([lstm]), compiled_lstms([lstm]):
        torch.testing.assert_close(torch.func.functional_call(lstm, other, (x,))[0], expected)
    for changed in (x, lstm.weight_hh_l0):
        out = lstm_states(lstm, x)[0]
        with torch.no_grad():
            changed.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.sum().backward()


def test_code_that_gives_other_numbers_is_not_used(monkeypatch):
    why_not_compiled.cache_clear()
    try:
        monkeypatch.setattr(lstm_kernel, "_by_compiled_code", lambda lstm, x: nn.LSTM.forward(lstm, 2 * x))
        assert why_not_compiled() == (WHY or "compiled LSTM layers give other numbers than PyTorch's")
        why_not_compiled.cache_clear()
        monkeypatch.setattr(lstm_kernel, "_compiled", lambda: (_ for _ in ()).throw(RuntimeError("no locator")))
        assert why_not_compiled() == "no locator"
    finally:
        why_not_compiled.cache_clear()


@needs_numba
def test_dropout_between_layers_is_that_of_training_alone():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 8, num_layers=2, dropout=0.5, batch_first=True)
    x = torch.randn(4, 5, 3)
    assert not torch.allclose(lstm_states(lstm, x)[0], lstm_states(lstm, x)[0])

    torch.manual_seed(1)
    out = lstm_states(lstm, x)[0]
    first, second = (nn.LSTM(size, 8, batch_first=True) for size in (3, 8))
    for layer, end in ((first, "_l0"), (second, "_l1")):
        layer.load_state_dict({name: getattr(lstm, name.replace("_l0", end)) for name in layer.state_dict()})
    torch.manual_seed(1)
    mask = torch.empty(5, 8, 4).bernoulli_(0.5).permute(2, 0, 1)
    expected = second(first(x)[0] * mask / 0.5)[0]
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-6)
    ours, theirs = (
        torch.autograd.grad(each.sum(), w)[0] for each, w in ((out, lstm.weight_hh_l0), (expected, first.weight_hh_l0))
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    lstm.eval()
    torch.testing.assert_close(lstm_states(lstm, x)[0], lstm(x)[0], rtol=1e-5, atol=1e-6)
