"""A cell runs over a window as its step says: compiled, and as a plain loop."""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import zoo
from zoo.layers import recurrence
from zoo.layers.cells import CoupledCell, ElmanCell, GRUCell, LSTMCell, PeepholeCell
from zoo.layers.recurrence import Cell, compiled_for, plain_loop, why_not
from zoo.layers.slstm import SLSTMCell
from zoo.layers.torch_cells import gru_states, rnn_states
from zoo.models.minimal_rnns import MinGRUCell
from zoo.models.odyssey import NoForgetGate

pytestmark = pytest.mark.slow  # numba compiles each cell once for each dtype


@pytest.fixture(scope="module", autouse=True)
def float64_is_compiled_here_alone():
    """Nothing else compiles a cell for float64: elsewhere it runs as a plain loop, or as PyTorch's."""
    yield
    for key in [key for key in recurrence._compiled if key[1] == torch.float64]:
        del recurrence._compiled[key]


CELLS = [ElmanCell, LSTMCell, CoupledCell, PeepholeCell, GRUCell]


def kinds_of(kind):
    """The cells of the zoo's layers and variants: what has a step of its own."""
    own = [kind] if hasattr(kind, "blocks") and kind.__module__.startswith("zoo.") else []
    return own + [each for child in kind.__subclasses__() for each in kinds_of(child)]


zoo.list_models()  # imports the variants
ALL = kinds_of(Cell)


class Odd(Cell):
    """One state is an input, another takes part nowhere near a product; constants, a reused gate, a relu."""

    blocks, states = 2, 3

    @staticmethod
    def shapes(size):
        return {"mix": (size, size), "scale": (size, 1)}

    @staticmethod
    def step(z, state, weights):
        first, second, third = state
        a, b = z.split(len(first))
        gate = (a + weights[1] * second).sigmoid()
        mixed = torch.mm(weights[0], third).relu() - 0.5 * b
        return gate * mixed + (1 - gate) * first, first * gate, (mixed + second / 2).tanh()


class Normed(Cell):
    """Each column of the state is brought to a mean of zero and a deviation of one; the size takes part as a number."""

    blocks = 1

    @staticmethod
    def shapes(size):
        return {"down": (3, size), "up": (size, 3), "gain": (size, 1)}

    @staticmethod
    def step(z, state, weights):
        down, up, gain = weights
        raw = torch.addmm(z, up, torch.mm(down, state[0]))
        centred = raw - raw.sum(0, keepdim=True) / len(raw)
        spread = (centred * centred).sum(0, keepdim=True) / len(raw)
        return ((gain * centred * (spread + 1e-3).rsqrt()).exp() - nn.functional.softplus(raw),)


def both(cell, x):
    """States and gradients of all weights and of x: by the layer, and by a loop over the step."""
    weights = list(cell.parameters())
    shown = torch.randn(len(x), x.shape[1], cell.hidden_size, dtype=x.dtype)
    z = torch.matmul(cell.input, x.permute(1, 2, 0)) + cell.bias[:, None]
    initial = (x.new_zeros(cell.hidden_size, len(x)),) * cell.states
    looped = plain_loop(type(cell), z, initial, tuple(cell.get_parameter(name) for name in cell.names)).permute(2, 0, 1)
    results = []
    for states in (cell(x), looped):
        grads = torch.autograd.grad(states, [x, *weights], shown, allow_unused=True)
        results.append([states, *(torch.zeros(1) if grad is None else grad for grad in grads)])
    return results


def test_every_cell_of_a_variant_is_here():
    assert {*CELLS, MinGRUCell, NoForgetGate, SLSTMCell} <= set(ALL)


@pytest.mark.parametrize("kind", ALL)
def test_every_step_is_compiled(kind):
    assert why_not(kind) is None


@pytest.mark.parametrize("kind", [*ALL, Odd, Normed])
def test_states_and_gradients_are_those_of_the_plain_loop(kind):
    assert why_not(kind, torch.float64) is None

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 8), st.integers(1, 20))
    def check(batch, length, channels, size):
        torch.manual_seed(batch + 10 * length + 100 * size)
        cell = kind(channels, size).double()
        x = torch.randn(batch, length, channels, dtype=torch.float64, requires_grad=True)
        for own, looped in zip(*both(cell, x), strict=True):
            torch.testing.assert_close(own, looped, rtol=0, atol=1e-10)

    check()


@pytest.mark.parametrize("kind", [*CELLS, SLSTMCell])
def test_float32_is_as_close_as_its_digits(kind):
    torch.manual_seed(0)
    cell, x = kind(5, 32), torch.randn(17, 40, 5, requires_grad=True)
    assert why_not(kind) is None
    for own, looped in zip(*both(cell, x), strict=True):
        torch.testing.assert_close(own, looped, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("kind", ALL)
def test_without_gradients_the_states_are_the_same(kind):
    cell, x = kind(3, 8), torch.randn(4, 6, 3, requires_grad=True)
    expected = both(cell, x)[0][0].detach()
    with torch.no_grad():
        torch.testing.assert_close(cell(x), expected, rtol=0, atol=1e-6)


def reordered(weight, order):
    """The blocks of one of PyTorch's weights in another order."""
    blocks = weight.detach().chunk(len(order))
    return torch.cat([blocks[place] for place in order])


@pytest.mark.parametrize(
    ("kind", "module", "order"),
    [(ElmanCell, nn.RNN, (0,)), (LSTMCell, nn.LSTM, (0, 1, 3, 2)), (GRUCell, nn.GRU, (0, 1, 2))],
)
def test_cells_equal_the_modules_of_pytorch(kind, module, order):
    assert why_not(kind, torch.float64) is None
    theirs, own = module(3, 8, batch_first=True).double(), kind(3, 8).double()
    ih, hh = (reordered(getattr(theirs, f"weight_{part}_l0"), order) for part in ("ih", "hh"))
    bias_ih, bias_hh = (reordered(getattr(theirs, f"bias_{part}_l0"), order) for part in ("ih", "hh"))
    with torch.no_grad():
        own.input.copy_(ih)
        if kind is GRUCell:
            own.recurrent.copy_(hh[:16])
            own.recurrent_n.copy_(hh[16:])
            own.bias.copy_(bias_ih + torch.cat([bias_hh[:16], torch.zeros(8)]))
            own.bias_n.copy_(bias_hh[16:, None])
        else:
            own.recurrent.copy_(hh)
            own.bias.copy_(bias_ih + bias_hh)
    x = torch.randn(5, 11, 3, dtype=torch.float64)
    torch.testing.assert_close(own(x), theirs(x)[0], rtol=0, atol=1e-10)


class Sorted(ElmanCell):
    @staticmethod
    def step(z, state, weights):
        return (torch.addmm(z, weights[0], state[0]).sort(dim=0).values,)


class SizeOfItsOwn(Cell):
    """A weight of 122 columns, whatever the hidden size: a trace cannot tell it from twice the hidden size."""

    blocks = 1

    @staticmethod
    def shapes(size):
        return {"down": (122, size), "up": (size, 122)}

    @staticmethod
    def step(z, state, weights):
        return (torch.addmm(z, weights[1], torch.mm(weights[0], state[0])).tanh(),)


@pytest.mark.parametrize("kind", [Sorted, SizeOfItsOwn])
def test_what_is_not_compiled_runs_as_a_loop_and_says_why(kind):
    assert why_not(kind, torch.float64)
    cell, x = kind(2, 4).double(), torch.randn(3, 5, 2, dtype=torch.float64, requires_grad=True)
    for own, looped in zip(*both(cell, x), strict=True):
        assert torch.equal(own, looped)


def test_without_numba_a_cell_runs_as_a_loop(monkeypatch):
    monkeypatch.setattr(recurrence, "_compiled", {})
    for name in ("zoo.layers.blas", "zoo.layers.kernels", "zoo.layers.sequences"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    assert "numba is not installed" in why_not(LSTMCell)
    assert LSTMCell(2, 4)(torch.randn(3, 5, 2)).shape == (3, 5, 4)


def test_other_dtypes_run_as_a_loop():
    cell = LSTMCell(2, 4).bfloat16()
    assert cell(torch.randn(3, 5, 2, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_visible(bad):
    x = torch.randn(3, 5, 2)
    x[0, 1, 0] = bad
    cell = ElmanCell(2, 4)
    expected = plain_loop(
        ElmanCell,
        torch.matmul(cell.input, x.permute(1, 2, 0)) + cell.bias[:, None],
        (torch.zeros(4, 3),),
        (cell.recurrent,),
    ).permute(2, 0, 1)
    assert torch.equal(cell(x).isfinite(), expected.isfinite())


def test_a_second_derivative_is_refused():
    cell, x = ElmanCell(2, 4), torch.randn(3, 5, 2, requires_grad=True)
    (grad,) = torch.autograd.grad(cell(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad.sum().backward()


@pytest.mark.parametrize(("module", "states"), [(nn.GRU, gru_states), (nn.RNN, rnn_states)])
def test_pytorchs_modules_keep_their_states_and_gradients_when_they_run_compiled(module, states):
    torch.manual_seed(0)
    layer = module(3, 5, batch_first=True).double()
    x = torch.randn(4, 6, 3, dtype=torch.float64, requires_grad=True)
    assert why_not(kind := GRUCell if module is nn.GRU else ElmanCell, torch.float64) is None
    assert compiled_for(kind, x) is not None
    shown = torch.randn(4, 6, 5, dtype=torch.float64)
    results = []
    for out in (states(layer, x), layer(x)[0]):
        results.append([out, *torch.autograd.grad(out, [x, *layer.parameters()], shown)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_a_cell_can_be_compiled_at_an_inference(monkeypatch):
    monkeypatch.setattr(recurrence, "_compiled", {})
    cell, x = GRUCell(3, 5), torch.randn(2, 4, 3)
    with torch.inference_mode():
        states = cell(x)
    assert why_not(GRUCell) is None
    torch.testing.assert_close(states, cell(x).detach())
