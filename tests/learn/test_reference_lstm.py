"""The six equations against torch.nn.LSTM, in float64, forward and gradients."""

import itertools

import pytest
import torch
from torch import nn

from zoo.learn.reference_lstm import reference_lstm, steps_of

FORMS = list(itertools.product((1, 2, 3), (False, True), (False, True), (0, 2), (False, True)))
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")


@pytest.mark.parametrize(("layers", "both", "bias", "projected", "batch_first"), FORMS)
def test_it_equals_torch_forward_and_in_every_gradient(layers, both, bias, projected, batch_first):
    torch.manual_seed(0)
    lstm = nn.LSTM(
        3, 5, layers, bias=bias, bidirectional=both, proj_size=projected, batch_first=batch_first, dtype=torch.float64
    )
    x = torch.randn(4, 6, 3, dtype=torch.float64, requires_grad=True)
    weights = list(lstm.parameters())
    results = []
    for run in (lstm, lambda x: reference_lstm(lstm, x)):
        out, (state, cell) = run(x)
        total = (out * torch.arange(1.0, out.numel() + 1).reshape(out.shape)).sum() + state.square().sum() + cell.sum()
        results.append(((out, state, cell), torch.autograd.grad(total, [x, *weights])))
    for one, other in zip(results[0][0], results[1][0], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)


def test_one_unit_by_hand():
    """Weights that are round numbers: every gate's drive can be worked out on paper."""
    lstm = nn.LSTM(1, 1, dtype=torch.float64)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(torch.tensor([[1.0], [2.0], [3.0], [4.0]]))
        lstm.weight_hh_l0.zero_()
        lstm.bias_ih_l0.copy_(torch.tensor([0.5, 0.0, 0.0, 0.0]))
        lstm.bias_hh_l0.copy_(torch.tensor([0.5, 1.0, 0.0, 0.0]))
    (step,) = steps_of(lstm, torch.full((1, 1, 1), 0.5, dtype=torch.float64))[0, False]
    drives = torch.tensor([0.5 + 1.0, 1.0 + 1.0, 1.5, 2.0], dtype=torch.float64)
    i, f, o = torch.sigmoid(drives[[0, 1, 3]])
    g = torch.tanh(drives[2])
    assert step.forget.item() == pytest.approx(f.item())
    assert step.cell.item() == pytest.approx((i * g).item())
    assert step.state.item() == pytest.approx((o * torch.tanh(i * g)).item())
