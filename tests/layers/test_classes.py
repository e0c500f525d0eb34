"""Classes: which variants classify, what they learn, and that a sequence is judged by itself alone."""

import numpy as np
import pytest
import torch
from torch.nn import functional

import zoo
from tests.cases import made_cases
from zoo.data.cases import cases
from zoo.data.prepare import prepare
from zoo.errors import Unsuitable
from zoo.layers.classes import Classes

LITTLE = zoo.FitConfig(max_epochs=1, device="cpu", batch_size=16)
CANNOT = {
    "ridge": "it is solved for values, not for classes",
    "hybrid-lstm": "its members forecast values",
    "drift": "it learns nothing, and a class cannot be repeated",
    "channel-independent-lstm": "it has one map for all targets, and classes need one each",
    "segrnn": "it does not look at channel 2: each target has its own channel alone",
}


def fitted(name, data, config=LITTLE, **params):
    model = zoo.create(name, data.problem, **params)
    zoo.fit(model, data.train, data.valid, config)
    return model


@pytest.mark.parametrize("name", zoo.list_models(classifiers=True))
def test_every_variant_gives_probabilities_or_says_why_not(name):
    data = prepare(made_cases(45, (8, 8)))
    try:
        model = fitted(name, data)
    except Unsuitable as error:
        reason = str(error.__cause__)
    else:
        reason = ""
    assert reason == CANNOT.get(name, reason)
    if reason:
        assert reason in CANNOT.values()
        return
    chances = zoo.forecast(model, data.test)
    assert chances.shape == (len(data.test), 1, 3)
    np.testing.assert_allclose(chances.sum(axis=2), 1)
    assert (chances > 0).all()


def test_most_recurrent_variants_classify():
    problem = prepare(made_cases(45, (8, 8))).problem
    names = [name for name in zoo.list_models() if "baseline" not in zoo.variant(name).tags]
    able = []
    for name in names:
        try:
            zoo.create(name, problem)
            able.append(name)
        except Unsuitable:
            continue
    assert len(able) >= 0.85 * len(names)


@pytest.mark.parametrize(
    "name", ["lstm", "gru", "bilstm", "attention-lstm", "cnn-lstm", "minirocket", "dtw-nearest-neighbour"]
)
def test_other_sequences_change_no_output_whatever_their_length(name):
    data = prepare(made_cases(60, (5, 12)))
    model = fitted(name, data)
    together = zoo.forecast(model, data.test)
    for number in (0, len(data.test) // 2, len(data.test) - 1):
        index = torch.tensor([number])
        x, _ = data.test.gather(index)
        assert x.shape[1] == data.test.lengths[number]  # nothing is padded
        with torch.no_grad():
            alone = Classes.restored(model(x).numpy(), None)
        np.testing.assert_allclose(alone[0], together[number], atol=1e-6)


def test_a_variant_of_one_length_is_refused_where_lengths_differ():
    problem = prepare(made_cases(60, (5, 12))).problem
    for name in ("tpa-lstm", "nearest-neighbour", "logistic-regression"):
        with pytest.raises(Unsuitable, match="needs sequences of one length, and these have 5 to 12 steps"):
            zoo.create(name, problem)


def test_naive_names_the_most_frequent_class_of_training():
    values = np.random.default_rng(0).normal(size=(50, 6, 1))
    data = prepare(cases(values, ["a"] * 35 + ["b"] * 15))
    chances = zoo.forecast(fitted("naive", data), data.test)
    np.testing.assert_allclose(chances[:, 0], np.tile(data.train.truth().mean(axis=0), (len(data.test), 1)), rtol=1e-6)


def test_the_loss_is_the_cross_entropy():
    data = prepare(made_cases(45))
    model = zoo.create("lstm", data.problem)
    x, y = data.train.gather(torch.arange(9))
    expected = functional.cross_entropy(model(x)[:, 0], y[:, 0].argmax(dim=1))
    torch.testing.assert_close(model.loss(model(x), y), expected)


@pytest.mark.parametrize("normalise", ["none", "instance"])
def test_a_recurrence_learns_what_tells_classes_apart(normalise):
    data = prepare(made_cases(150, (10, 14), noise=0.2), normalise=normalise)
    model = fitted("gru", data, zoo.FitConfig(max_epochs=40, device="cpu", batch_size=16, learning_rate=5e-3))
    naive = fitted("naive", data)
    scores = zoo.evaluate(model, data.test, naive=naive)
    assert scores["accuracy"] > 0.9 and scores["skill"] > 0.85 and scores["log_loss"] < 0.4


def test_instance_normalising_ignores_level_and_scale_of_each_channel():
    made = made_cases(45)
    data = prepare(made, normalise="instance", scaler="none")
    model = fitted("lstm", data)
    x, _ = data.test.gather(torch.arange(5))
    with torch.no_grad():
        torch.testing.assert_close(model(x), model(3 * x + torch.tensor([5.0, -2.0])), atol=1e-3, rtol=1e-3)


def test_the_slope_of_solved_scores_moves_no_class():
    data = prepare(made_cases(60))
    model = fitted("nearest-neighbour", data)
    assert float(model.slope) > 0
    x, _ = data.test.gather(torch.arange(9))
    with torch.no_grad():
        assert torch.equal(model(x).argmax(dim=2), model.variant(x).argmax(dim=2))


def test_a_classifier_forecasts_nothing(prices):
    data = zoo.prepare(zoo.load(prices), targets=["close"])
    with pytest.raises(Unsuitable, match="variant 'minirocket' cannot forecast: it classifies"):
        zoo.create("minirocket", data.problem)


def test_the_same_seed_gives_the_same_probabilities_bit_for_bit():
    data = prepare(made_cases(45, (6, 9)))
    first, second = (zoo.forecast(fitted("lstm", data), data.test) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_max_batches_counts_batches_also_where_lengths_differ():
    data = prepare(made_cases(120, (5, 12)))
    model = zoo.create("lstm", data.problem)
    steps = []
    model.register_forward_pre_hook(lambda module, _: steps.append(1) if module.training else None)
    zoo.fit(model, data.train, None, zoo.FitConfig(max_batches=13, batch_size=8, device="cpu"))
    assert len(steps) == 13
