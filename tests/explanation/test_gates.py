"""Gates are those of the LSTM while it reads what the variant sees."""

import numpy as np
import pytest

import zoo
from tests.explanation.truths import three_channels, trained
from zoo.explanation.gates import gates_over_time
from zoo.explanation.seen import seen_of


@pytest.fixture
def data():
    return zoo.prepare(three_channels(rows=300), targets="y", lookback=5, normalise="last")


def test_the_first_step_s_gates_follow_from_the_equation(data):
    """From a state of zeros: i = s(W_i x + b), f and o likewise, in PyTorch's order i, f, g, o."""
    model = trained("lstm", data, epochs=3)
    seen = seen_of(model, data.test)
    (gates,) = gates_over_time(seen)
    lstm = model.variant.lstm
    driven = seen.inputs[:, 0] @ lstm.weight_ih_l0.T + lstm.bias_ih_l0 + lstm.bias_hh_l0
    i, f, _, o = driven.detach().sigmoid().chunk(4, dim=1)
    np.testing.assert_allclose(gates.openings_PL[:, 0], [i.mean(), f.mean(), o.mean()], rtol=1e-5)
    oldest = gates.frame.iloc[-1]
    assert (oldest["lag"], gates.name) == (5, "lstm") and oldest["forget"] == pytest.approx(float(f.mean()), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("bilstm", ["lstm", "lstm, in reverse"]),
        ("stacked-lstm", ["lstm, layer 1", "lstm, layer 2"]),
        ("seq2seq-lstm", ["encoder"]),
    ],
)
def test_every_layer_and_direction_has_its_gates(name, layers, data):
    gates = gates_over_time(seen_of(zoo.create(name, data.problem, seed=0), data.test))
    assert [each.name for each in gates] == layers
    assert all(each.openings_PL.shape == (3, 5) for each in gates)
    assert all((each.openings_PL > 0).all() and (each.openings_PL < 1).all() for each in gates)


@pytest.mark.parametrize("name", ["gru", "ridge"])
def test_a_variant_without_an_lstm_says_so(name, data):
    with pytest.raises(zoo.InputError, match="no torch.nn.LSTM"):
        gates_over_time(seen_of(zoo.create(name, data.problem, seed=0), data.test))
