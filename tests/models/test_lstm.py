"""The recurrent variants against torch.nn.LSTM, read by hand."""

import pytest
import torch

import zoo
from zoo.problem import Problem

PROBLEM = Problem(8, 3, (0,), (2, 1), "none")
X = torch.randn(5, 8, 3, generator=torch.Generator().manual_seed(0))


def drawn_variant(name, **params):
    model = zoo.create(name, PROBLEM, **params).variant.eval()
    torch.nn.init.normal_(model.head.linear.weight, generator=torch.Generator().manual_seed(1))
    return model


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # PyTorch's own path, once in a process
def test_lstm_reads_the_state_at_the_last_lookback_step():
    for name in ("lstm", "stacked-lstm", "proj-lstm"):
        model = drawn_variant(name)
        states, (final, _) = torch.nn.LSTM.forward(model.lstm, X)
        torch.testing.assert_close(states[:, -1], final[-1])
        torch.testing.assert_close(model(X), model.head.linear(states[:, -1]).reshape(5, 2, 1))


def test_bilstm_reads_both_final_states():
    model = drawn_variant("bilstm")
    states, _ = model.lstm(X)
    final = torch.cat([states[:, -1, :64], states[:, 0, 64:]], dim=1)
    torch.testing.assert_close(model(X), model.head.linear(final).reshape(5, 2, 1))


def test_cnn_lstm_sees_nothing_later_than_the_step_it_convolves():
    model = drawn_variant("cnn-lstm", kernel_size=3)
    features = model.convolution(model.pad(X.transpose(1, 2)))
    changed = X.clone()
    changed[:, 5:] += 1
    after = model.convolution(model.pad(changed.transpose(1, 2)))
    torch.testing.assert_close(after[..., :5], features[..., :5])
    assert features.shape[-1] == 8


def test_attention_weights_are_a_softmax_of_dot_products():
    model = drawn_variant("attention-lstm")
    states, _ = model.lstm(X)
    expected = []
    for h in states:
        weights = torch.stack([torch.exp(step @ h[-1]) for step in h])
        recalled = sum(w * step for w, step in zip(weights / weights.sum(), h, strict=True))
        expected.append(model.head.linear(torch.tanh(model.mix(torch.cat([recalled, h[-1]])))))
    torch.testing.assert_close(model(X), torch.stack(expected).reshape(5, 2, 1))


def test_ar_lstm_adds_its_last_state_to_a_linear_map():
    model = drawn_variant("ar-lstm")
    torch.nn.init.normal_(model.linear.weight, generator=torch.Generator().manual_seed(2))
    torch.nn.init.normal_(model.linear.bias, generator=torch.Generator().manual_seed(3))
    linear = (X[:, :, 0] @ model.linear.weight[0].T + model.linear.bias[0])[..., None]
    recurrent = model.head.linear(model.lstm(X)[0][:, -1]).reshape(5, 2, 1)
    torch.testing.assert_close(model(X), linear + recurrent)
