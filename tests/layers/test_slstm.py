"""The sLSTM without a stabiliser equals the published one with it."""

import pytest
import torch
from torch.nn.functional import logsigmoid

from zoo.layers.recurrence import plain_loop, why_not
from zoo.layers.slstm import SLSTMCell


def drawn(scale):
    torch.manual_seed(0)
    cell = SLSTMCell(3, 5).double()
    with torch.no_grad():
        cell.input.mul_(scale)
    return cell, torch.randn(2, 40, 3, dtype=torch.float64, requires_grad=True)


def published(cell, x):
    """The equations of the paper with c, n and m (section 2.2, equations 8 to 17), gates in the order i, f, o, g."""
    h, c, n, m = (x.new_zeros(len(x), 5) for _ in range(4))
    states = []
    for t in range(x.shape[1]):
        raw = x[:, t] @ cell.input.T + cell.bias + h @ cell.get_parameter("recurrent").T
        i, f, o, g = raw.chunk(4, dim=1)
        kept = logsigmoid(f) + m
        m = i if t == 0 else torch.maximum(i, kept)
        write, keep = (i - m).exp(), (kept - m).exp() if t else torch.zeros_like(m)
        c, n = keep * c + write * g.tanh(), keep * n + write
        h = o.sigmoid() * c / n
        states.append(h)
    return torch.stack(states, dim=1)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1, 30])
def test_states_and_gradients_are_those_of_the_paper(scale):
    cell, x = drawn(scale)
    assert why_not(SLSTMCell, torch.float64) is None
    shown = torch.randn(2, 40, 5, dtype=torch.float64)
    results = [
        [states, *torch.autograd.grad(states, [x, *cell.parameters()], shown)]
        for states in (cell(x), published(cell, x))
    ]
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_it_equals_the_published_package():
    vanilla = pytest.importorskip("xlstm.blocks.slstm.src.vanilla.slstm")
    cell, x = drawn(1)
    z_LZB = torch.matmul(cell.input, x.permute(1, 2, 0)) + cell.bias[:, None]
    recurrent = cell.get_parameter("recurrent")
    states = plain_loop(SLSTMCell, z_LZB, (x.new_zeros(5, 2),) * 3, (recurrent,)).permute(2, 0, 1)
    order = torch.cat([torch.arange(10), torch.arange(15, 20), torch.arange(10, 15)])  # theirs: i, f, g, o
    kept = x.new_zeros(4, 2, 5)
    for t in range(x.shape[1]):
        raw_x, raw_h = z_LZB[t].T[:, order], (kept[0] @ recurrent.T)[:, order]
        kept, _ = vanilla.slstm_forward_pointwise(raw_x, raw_h, x.new_zeros(1, 20), kept, {})
        torch.testing.assert_close(states[:, t], kept[0], rtol=0, atol=1e-10)
