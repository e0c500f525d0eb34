import pytest
import torch

from zoo.data.columns import columns


@pytest.mark.parametrize("numbers", [(3,), (1, 2, 3), (3, 0), (4, 2, 0), (0, 0)])
def test_columns_are_those_that_indexing_by_a_list_gives(numbers):
    x = torch.randn(4, 7, 5)
    assert torch.equal(columns(x, numbers), x[..., list(numbers)])
    assert torch.equal(columns(x[0, 0], numbers), x[0, 0, list(numbers)])


def test_neighbours_are_a_view():
    x = torch.zeros(2, 5)
    columns(x, (1, 2)).fill_(1)
    assert x.sum() == 4
