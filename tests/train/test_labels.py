"""Losses of rare classes and smoothed labels are those of PyTorch and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

import zoo
from tests.cases import made_cases
from zoo.data.cases import cases
from zoo.train.predict import validation_loss
from zoo.train.step import loss_of


@pytest.fixture
def rare():
    """Two classes, one of which is rare and hard to see."""
    random = np.random.default_rng(0)
    labels = np.arange(240) % 8 == 0
    sequences = [random.normal(size=(12, 1)) + 0.6 * label for label in labels]
    return zoo.prepare(cases(sequences, ["rare" if label else "usual" for label in labels], source="made"))


def begun(data, name="gru"):
    model = zoo.create(name, data.problem, hidden_size=8)
    model.begin(data.train)
    return model


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_loss_of_classes_is_that_of_pytorch_with_the_weights_of_scikit_learn(rare, smoothing, weights):
    x, y = next(rare.train.batches(len(rare.train)))
    log_odds, labels = begun(rare)(x), y[:, 0].argmax(dim=1)
    weight = compute_class_weight("balanced", classes=np.arange(2), y=labels.numpy()) if weights == "balanced" else None
    weight = None if weight is None else torch.tensor(weight, dtype=torch.float32)
    every = functional.cross_entropy(log_odds[:, 0], labels, weight, reduction="none", label_smoothing=smoothing)
    config = zoo.FitConfig(label_smoothing=smoothing, class_weights=weights)
    torch.testing.assert_close(loss_of(begun(rare), config, is_training=True)(log_odds, y), every.mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_loss_of_directions_is_that_of_two_classes(prices, smoothing, weights):
    data = zoo.prepare(zoo.load(prices), targets=["close"], direction=True)
    model = begun(data)
    x, y = next(data.train.batches(len(data.train)))
    log_odds = model(x)
    two = torch.stack([torch.zeros_like(log_odds), log_odds], dim=-1).reshape(-1, 2)
    labels = y.flatten().long()
    weight = compute_class_weight("balanced", classes=np.arange(2), y=labels.numpy()) if weights == "balanced" else None
    weight = None if weight is None else torch.tensor(weight, dtype=torch.float32)
    # PyTorch weighs the spread share by the weight of its class, and directions the whole by that of the label
    every = functional.cross_entropy(two, labels, reduction="none", label_smoothing=smoothing)
    every = every if weight is None else every * weight[labels]
    config = zoo.FitConfig(label_smoothing=smoothing, class_weights=weights)
    torch.testing.assert_close(loss_of(model, config, is_training=True)(log_odds, y), every.mean(), rtol=1e-4, atol=0)


def test_validation_weighs_classes_and_does_not_smooth_labels(rare):
    model = begun(rare)
    plain, smooth, balanced = (
        validation_loss(model, rare.valid, zoo.FitConfig(**settings))
        for settings in ({}, {"label_smoothing": 0.3}, {"class_weights": "balanced"})
    )
    assert plain == smooth != balanced


def test_balanced_weights_find_the_rare_class(rare):
    figures = []
    for weights in ("none", "balanced"):
        model = zoo.create("gru", rare.problem, hidden_size=8)
        zoo.fit(model, rare.train, rare.valid, zoo.FitConfig(max_epochs=40, batch_size=16, class_weights=weights))
        figures.append(zoo.evaluate(model, rare.test)["balanced_accuracy"])
    assert figures[1] > figures[0] + 0.1


@pytest.mark.parametrize("settings", [{"label_smoothing": 0.1}, {"class_weights": "balanced"}])
def test_other_tasks_refuse_them(data, settings):
    (name,) = settings
    with pytest.raises(zoo.InputError, match=f"fit.{name} is of classes and directions"):
        zoo.fit(zoo.create("gru", data.problem), data.train, data.valid, zoo.FitConfig(**settings))


def test_a_study_cannot_search_what_its_trials_are_compared_by():
    from zoo.tuning.search import StudySettings, search_for

    data = zoo.prepare(made_cases())
    with pytest.raises(zoo.InputError, match="fit.class_weights, so it cannot have a range"):
        search_for("gru", data, StudySettings(ranges={"fit.class_weights": "none,balanced"}))
    ranges = {"fit.label_smoothing": "0:0.3"}
    assert "fit.label_smoothing" in search_for("gru", data, StudySettings(ranges=ranges)).ranges


def test_settings_that_are_not_used_change_no_row():
    new = {"jitter", "scaling", "masking", "channel_dropout", "mixup", "label_smoothing", "class_weights"}
    assert not new & zoo.FitConfig().settings().keys()
    assert zoo.FitConfig(jitter=0.1).settings()["jitter"] == 0.1
