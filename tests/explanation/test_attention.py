"""Attention weights are those that the variant computes, told from any other softmax."""

import numpy as np
import pytest
import torch

import zoo
from tests.conftest import price_frame
from tests.explanation.truths import three_channels, trained
from zoo.explanation.attention import attention_weights
from zoo.explanation.seen import seen_of


def seen(name, lookback=6, columns=4, horizon=1, epochs=3):
    frame = three_channels(rows=300).iloc[:, :columns]
    data = zoo.prepare(frame, targets="y", lookback=lookback, horizon=horizon, normalise="none")
    return seen_of(trained(name, data, epochs=epochs), data.test)


def test_weights_are_those_of_the_equation():
    own = seen("attention-lstm")
    states, _ = own.model.variant.lstm(own.x)
    expected = torch.einsum("blh,bh->bl", states, states[:, -1]).softmax(dim=1).mean(dim=0).detach()
    attention = attention_weights(own)
    np.testing.assert_allclose(attention.weights_KL[0], expected, rtol=1e-5)
    np.testing.assert_allclose(attention.by_lag, expected.flip(0), rtol=1e-5)
    assert list(attention.frame.columns) == ["time", "lag", "weight"]
    assert attention.frame["weight"].iloc[0] == pytest.approx(float(expected[-1]), rel=1e-5)  # lag 1 is the last step


@pytest.mark.parametrize(
    ("name", "times"), [("multihead-attention-lstm", 1), ("seq2seq-attention-lstm", 3), ("da-rnn", 6)]
)
def test_every_time_that_a_variant_attends_is_read(name, times):
    """Heads are averaged, a decoder attends once a step, and da-rnn's attention to channels is none to steps."""
    attention = attention_weights(seen(name, horizon=3))
    assert attention.weights_KL.shape == (times, 6)
    np.testing.assert_allclose(attention.weights_KL.sum(axis=1), 1.0, rtol=1e-5)


def test_where_lookback_and_channels_are_as_many_steps_are_still_told_apart():
    assert attention_weights(seen("attention-lstm", lookback=4)).weights_KL.shape == (1, 4)
    with pytest.raises(zoo.InputError, match="the lookback and the number of channels are both 4"):
        attention_weights(seen("da-rnn", lookback=4, epochs=1))


@pytest.mark.parametrize("name", ["lstm", "ridge", "tpa-lstm"])
def test_a_variant_without_attention_over_steps_says_so(name):
    with pytest.raises(zoo.InputError, match="no attention over the steps"):
        attention_weights(seen(name, epochs=1))


def test_weights_of_more_windows_than_a_batch_are_their_mean(monkeypatch):
    own = seen("attention-lstm")
    whole = attention_weights(own).weights_KL
    monkeypatch.setattr("zoo.explanation.attention.EVALUATION_BATCH", 7)
    np.testing.assert_allclose(attention_weights(own).weights_KL, whole, rtol=1e-5)


def test_a_model_of_prices_is_read_too():
    data = zoo.prepare(price_frame(), targets="close")
    assert zoo.explain(trained("attention-lstm", data, epochs=2), data, methods=["attention"]).attention is not None
