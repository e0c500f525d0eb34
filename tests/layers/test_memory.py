"""The mLSTM at once equals its recurrence, and the published package's."""

import pytest
import torch

from zoo.layers.memory import MLSTM, matrix_memory


def drawn(length):
    torch.manual_seed(length)
    q, k, v = (torch.randn(2, 3, length, 4, dtype=torch.float64) for _ in range(3))
    i, f = (3 * torch.randn(2, 3, length, dtype=torch.float64) for _ in range(2))
    return q, k, v, i, f


@pytest.mark.parametrize("length", [1, 2, 9])
def test_all_steps_at_once_are_the_recurrence(length):
    q, k, v, i, f = drawn(length)
    k_scaled = k / 2  # the square root of 4 features
    memory, norm, states = torch.zeros(2, 3, 4, 4).double(), torch.zeros(2, 3, 4).double(), []
    for t in range(length):
        keep, write = f[:, :, t].sigmoid()[..., None], i[:, :, t].exp()[..., None]
        memory = keep[..., None] * memory + write[..., None] * v[:, :, t, :, None] * k_scaled[:, :, t, None, :]
        norm = keep * norm + write * k_scaled[:, :, t]
        read = torch.einsum("bkvf,bkf->bkv", memory, q[:, :, t])
        size = torch.einsum("bkf,bkf->bk", norm, q[:, :, t]).abs().clamp_min(1.0)
        states.append(read / size[..., None])
    expected = torch.stack(states, dim=2)
    torch.testing.assert_close(matrix_memory(q, k, v, i, f), expected, rtol=0, atol=1e-10)


def test_the_last_steps_alone_are_the_end_of_all_steps():
    torch.manual_seed(0)
    layer, x = MLSTM(3, 2, 5).double(), torch.randn(4, 7, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(x, last=3), layer(x)[:, -3:], rtol=0, atol=1e-12)


def test_it_equals_the_published_package():
    backends = pytest.importorskip("xlstm.blocks.mlstm.backends")
    q, k, v, i, f = drawn(9)
    theirs = backends.parallel_stabilized_simple(q, k, v, i[..., None], f[..., None], eps=0.0)
    torch.testing.assert_close(matrix_memory(q, k, v, i, f), theirs, rtol=0, atol=1e-10)
