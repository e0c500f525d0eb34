"""An LSTM without a part is the LSTM with peepholes in which that part does nothing."""

import pytest
import torch

from zoo.layers.cells import CoupledCell, PeepholeCell
from zoo.layers.recurrence import plain_loop
from zoo.models import odyssey

SIZE, OPEN = 4, 1e3  # a gate whose raw value is OPEN is one
X = torch.randn(6, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def cell_of(kind):
    torch.manual_seed(1)
    return kind(3, SIZE).double()


def states_of(cell, blocks=None, **weights):
    """The states over X; blocks: the rows of z to use in place of the cell's own projection."""
    z = torch.matmul(cell.input, X) + cell.bias[:, None] if blocks is None else blocks
    values = {name: cell.get_parameter(name) for name in cell.names} | weights
    return plain_loop(type(cell), z, (X.new_zeros(SIZE, 5),) * cell.states, tuple(values.values()))


def with_open_gate(cell, place):
    """A peephole cell's states, of the weights of a cell that lacks the gate at `place` of i, f, o, g; it is one."""
    whole = cell_of(PeepholeCell)
    z = torch.matmul(cell.input, X) + cell.bias[:, None]
    split = SIZE * place
    blocks = torch.cat([z[:, :split], torch.full((6, SIZE, 5), OPEN).double(), z[:, split:]], dim=1)
    recurrent = cell.get_parameter("recurrent")
    weights = {name: cell.get_parameter(name) for name in cell.names if name.startswith("see")}
    weights |= {f"see_{'ifo'[place]}": torch.zeros(SIZE, 1).double()}
    weights |= {"recurrent": torch.cat([recurrent[:split], torch.zeros(SIZE, SIZE).double(), recurrent[split:]])}
    ordered = {name: weights[name] for name in whole.names}
    return states_of(whole, blocks, **ordered)


@pytest.mark.parametrize(
    ("kind", "place"), [(odyssey.NoInputGate, 0), (odyssey.NoForgetGate, 1), (odyssey.NoOutputGate, 2)]
)
def test_a_missing_gate_is_one_that_is_open(kind, place):
    cell = cell_of(kind)
    torch.testing.assert_close(states_of(cell), with_open_gate(cell, place), rtol=0, atol=1e-12)


def test_full_gate_recurrence_is_the_peephole_lstm_where_gates_do_not_see_gates():
    cell, whole = cell_of(odyssey.FullGateRecurrence), cell_of(PeepholeCell)
    silent = {name: torch.zeros_like(cell.get_parameter(name)) for name in cell.names if name.startswith("from")}
    z = torch.matmul(cell.input, X) + cell.bias[:, None]
    own = {name: cell.get_parameter(name) for name in whole.names}
    torch.testing.assert_close(states_of(cell, **silent), states_of(whole, z, **own), rtol=0, atol=1e-12)
    assert not torch.allclose(states_of(cell), states_of(whole, z, **own))


def test_coupled_gates_without_peepholes_are_those_of_cifg():
    """There f is computed and i = 1 - f, here i and f = 1 - i: sigmoid(-x) = 1 - sigmoid(x)."""
    cell, cifg = cell_of(odyssey.Coupled), cell_of(CoupledCell)
    blind = {name: torch.zeros_like(cell.get_parameter(name)) for name in ("see_i", "see_o")}
    turn = torch.ones(3 * SIZE, 1).double()
    turn[:SIZE] = -1
    z = (torch.matmul(cell.input, X) + cell.bias[:, None]) * turn
    expected = states_of(cifg, z, recurrent=cell.get_parameter("recurrent") * turn)
    torch.testing.assert_close(states_of(cell, **blind), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [odyssey.NoInputActivation, odyssey.NoOutputActivation])
def test_an_activation_that_is_left_out_does_nothing_for_small_values(kind):
    cell, whole = cell_of(kind), cell_of(PeepholeCell)
    z = torch.matmul(cell.input, X) + cell.bias[:, None]
    small = torch.cat([z[:, : 3 * SIZE], 1e-4 * z[:, 3 * SIZE :]], dim=1)
    own = {name: cell.get_parameter(name) for name in whole.names}
    torch.testing.assert_close(states_of(cell, small), states_of(whole, small, **own), rtol=1e-6, atol=0)
    assert not torch.allclose(states_of(cell, 10 * z), states_of(whole, 10 * z, **own), rtol=0.1)
