"""Weights by gate and by name: what is written is what the LSTM computes with."""

import pytest
import torch
from torch import nn

from zoo.errors import InputError
from zoo.learn.gates import (
    GATES,
    forget_bias,
    freeze,
    frozen_gates,
    get_weight,
    load_weights,
    orthogonal_state,
    set_weight,
    trace_gates,
)
from zoo.learn.reference_lstm import reference_lstm

H, INPUTS = 4, 3
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")


def lstm(**how):
    torch.manual_seed(0)
    return nn.LSTM(INPUTS, H, batch_first=True, **how)


X = torch.randn(2, 6, INPUTS, generator=torch.Generator().manual_seed(1))


def test_gates_are_rows_in_pytorchs_order():
    """A forget gate shut for good (bias -100) loses the cell before; an output gate shut for good says nothing."""
    shut = lstm()
    set_weight(shut, "output", "input_bias", -100.0)
    assert shut(X)[0].abs().max() < 1e-6
    forgetful = lstm()
    set_weight(forgetful, "forget", "input_bias", -100.0)
    for gate in GATES:
        set_weight(forgetful, gate, "state", 0.0)
    alone = forgetful(X[:, -1:])[0][:, -1]
    torch.testing.assert_close(forgetful(X)[0][:, -1], alone)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(("part", "shape"), [("input", (H, INPUTS)), ("state", (H, H)), ("input_bias", (H,))])
def test_what_is_set_is_read_and_nothing_else_moves(gate, part, shape):
    model = lstm(num_layers=2, bidirectional=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    value = torch.full(shape, 7.0)
    set_weight(model, gate, part, value, reverse=True)
    assert torch.equal(get_weight(model, gate, part, reverse=True), value)
    changed = {name for name, value in before.items() if not torch.equal(value, model.state_dict()[name])}
    (name,) = changed
    assert name.endswith("_l0_reverse")
    assert int((model.state_dict()[name] != before[name]).sum()) == value.numel()


def test_weights_are_views_that_gradients_reach():
    model = lstm()
    get_weight(model, "candidate", "input").square().sum().backward()
    touched = model.weight_ih_l0.grad.abs().sum(dim=1) > 0
    assert touched.tolist() == [False] * (2 * H) + [True] * H + [False] * H


def test_forget_bias_is_the_sum_of_both_biases_everywhere():
    model = lstm(num_layers=2, bidirectional=True)
    forget_bias(model, 1.0)
    for layer, reverse in ((0, False), (0, True), (1, False), (1, True)):
        where = {"layer": layer, "reverse": reverse}
        total = sum(get_weight(model, "forget", part, **where) for part in ("input_bias", "state_bias"))
        assert torch.equal(total, torch.ones(H))
    assert get_weight(model, "input", "state_bias").abs().sum() > 0


def test_orthogonal_state_keeps_lengths_gate_by_gate():
    model = lstm(bidirectional=True)
    orthogonal_state(model)
    for gate in GATES:
        matrix = get_weight(model, gate, "state", reverse=True)
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(H))


def trained(model, steps=3):
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        model(X)[0].square().sum().backward()
        optimizer.step()


def test_frozen_parts_keep_their_values_and_the_others_learn():
    model = lstm(num_layers=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    freeze(model, ["state"])
    trained(model)
    same = {name for name, value in before.items() if torch.equal(value, model.state_dict()[name])}
    assert same == {"weight_hh_l0", "weight_hh_l1"}


def test_frozen_gates_keep_their_rows_while_the_context_lasts():
    model = lstm()
    before = {gate: get_weight(model, gate, "input").clone() for gate in GATES}
    with frozen_gates(model, ["forget"]):
        trained(model)
    moved = {gate for gate in GATES if not torch.equal(before[gate], get_weight(model, gate, "input"))}
    assert moved == {"input", "candidate", "output"}
    trained(model)
    assert not torch.equal(before["forget"], get_weight(model, "forget", "input"))


def test_gates_are_frozen_beside_parts_that_are():
    model = lstm()
    freeze(model, ["state"])
    with frozen_gates(model, ["forget"]):
        trained(model)
    assert model.weight_hh_l0.grad is None and model.weight_ih_l0.grad[H : 2 * H].abs().sum() == 0


def test_weights_of_ones_own_are_loaded_all_or_none():
    model = lstm()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    good = {("forget", "input"): torch.ones(H, INPUTS), ("output", "state_bias"): torch.zeros(H)}
    with pytest.raises(InputError, match=r"the output gate's state has shape \[4, 4\], got \[4, 3\]"):
        load_weights(model, {**good, ("output", "state"): torch.ones(H, INPUTS)})
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())
    load_weights(model, good)
    assert torch.equal(get_weight(model, "forget", "input"), torch.ones(H, INPUTS))
    assert torch.equal(get_weight(model, "output", "state_bias"), torch.zeros(H))


@pytest.mark.parametrize("projected", [0, 2])
@pytest.mark.parametrize(("layer", "reverse"), [(0, False), (0, True), (1, False), (1, True)])
def test_a_trace_is_what_the_lstm_did(layer, reverse, projected):
    model = lstm(num_layers=2, bidirectional=True, proj_size=projected)
    trace = trace_gates(model, X, layer=layer, reverse=reverse)
    assert trace.input.shape == trace.cell.shape == (2, 6, H) and trace.state.shape == (2, 6, projected or H)
    for gate in (trace.input, trace.forget, trace.output):
        assert ((gate > 0) & (gate < 1)).all()
    assert (trace.candidate.abs() <= 1).all()
    # c_t = f_t c_t-1 + i_t g_t, in the direction of reading
    cell, forget, entered = (
        part.flip(1) if reverse else part for part in (trace.cell, trace.forget, trace.input * trace.candidate)
    )
    torch.testing.assert_close(cell[:, 1:], forget[:, 1:] * cell[:, :-1] + entered[:, 1:])
    if layer == 1:
        states = model(X)[0]
        size = projected or H
        torch.testing.assert_close(trace.state, states[..., size:] if reverse else states[..., :size])
        torch.testing.assert_close(reference_lstm(model, X)[0], states)


@pytest.mark.parametrize(
    ("how", "place", "rule"),
    [
        ({}, ("forgot", "input"), "unknown gate 'forgot'; did you mean 'forget'"),
        ({}, ("forget", "inputs"), "unknown part 'inputs'; did you mean 'input'"),
        ({"bias": False}, ("forget", "input_bias"), "this LSTM has no input bias"),
        ({}, (None, "projection"), "this LSTM has no projection"),
        ({"proj_size": 2}, ("forget", "projection"), "the projection belongs to no gate"),
    ],
)
def test_what_is_not_there_is_named(how, place, rule):
    with pytest.raises(InputError, match=rule):
        get_weight(lstm(**how), *place)


@pytest.mark.parametrize(
    ("where", "rule"), [({"layer": 1}, "no layer 1"), ({"reverse": True}, "no layer 0 in reverse")]
)
def test_a_layer_that_is_not_there_is_named(where, rule):
    with pytest.raises(InputError, match=f"this LSTM has 1 layer and one direction: {rule}"):
        trace_gates(lstm(), X, **where)


def test_a_wrong_shape_is_named_and_nothing_written():
    model = lstm()
    before = model.weight_ih_l0.clone()
    with pytest.raises(InputError, match=r"the input gate's input has shape \[4, 3\], got \[3, 4\]"):
        set_weight(model, "input", "input", torch.ones(INPUTS, H))
    assert torch.equal(before, model.weight_ih_l0)
    assert set_weight(lstm(proj_size=2), None, "projection", 0.5) is None
