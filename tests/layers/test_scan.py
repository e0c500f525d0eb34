"""All steps at once give what step by step gives."""

import pytest
import torch

from zoo.layers.recurrence import compiled_for, plain_loop
from zoo.layers.scan import linear_scan
from zoo.models.minimal_rnns import MinGRUCell, MinLSTMCell


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 33])
def test_a_scan_is_the_recurrence(length):
    torch.manual_seed(length)
    keep, add = torch.rand(3, length, 4, dtype=torch.float64), torch.randn(3, length, 4, dtype=torch.float64)
    state, states = torch.zeros(3, 4, dtype=torch.float64), []
    for t in range(length):
        state = keep[:, t] * state + add[:, t]
        states.append(state)
    torch.testing.assert_close(linear_scan(keep, add), torch.stack(states, dim=1), rtol=0, atol=1e-12)


def test_gradients_of_a_scan_are_those_of_its_differences():
    keep, add = (torch.rand(2, 5, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(linear_scan, (keep, add))


@pytest.mark.parametrize("kind", [MinGRUCell, MinLSTMCell])
def test_a_linear_cell_runs_at_once_where_it_is_not_compiled(kind):
    torch.manual_seed(0)
    cell, x = kind(3, 6), torch.randn(4, 9, 3)
    z = torch.matmul(cell.input, x.permute(1, 2, 0)) + cell.bias[:, None]
    expected = plain_loop(kind, z, (torch.zeros(6, 4),), ()).permute(2, 0, 1)
    torch.testing.assert_close(cell(x), expected, rtol=1e-4, atol=1e-5)
    double = cell.double()
    assert compiled_for(kind, x.double().permute(1, 2, 0)) is None  # so it runs as a scan
    torch.testing.assert_close(double(x.double()).float(), expected, rtol=1e-4, atol=1e-5)


def test_a_weight_of_min_lstm_stays_finite_with_closed_gates():
    keep, add = MinLSTMCell.parts(torch.tensor([[-200.0], [-300.0], [1.0]]))
    assert keep.item() == pytest.approx(1.0) and add.item() == pytest.approx(0.0)
