"""Baselines of classification against arithmetic in the test, and against published figures."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

import zoo
from tests.cases import made_cases
from zoo.data.cases import cases
from zoo.data.prepare import prepare
from zoo.data.sources import load
from zoo.tuning.trial import Point, TrialRequest, run_trial

NAMES = zoo.list_models(tag="classifier", classifiers=True)


def fitted(name, data, **params):
    model = zoo.create(name, data.problem, **params)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(device="cpu"))
    return model


def warped(one, other, window):
    """Dynamic time warping as the definition has it, over all cells of the table."""
    table = np.full((len(one) + 1, len(other) + 1), np.inf)
    table[0, 0] = 0
    for i in range(len(one)):
        for j in range(len(other)):
            least = 0 if len(one) == len(other) else max(len(other) / len(one), 1)
            if abs(i * len(other) / len(one) - j) <= max(window * max(len(one), len(other)), least):
                squared = ((one[i] - other[j]) ** 2).sum()
                table[i + 1, j + 1] = squared + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return table[-1, -1] ** 0.5


@pytest.mark.parametrize(("steps", "window"), [((8, 8), 1.0), ((5, 9), 1.0), ((8, 8), 0.0), ((8, 8), 0.2)])
def test_dtw_is_the_least_sum_over_all_paths(steps, window):
    data = prepare(made_cases(30, steps))
    model = fitted("dtw-nearest-neighbour", data, window=window)
    known = [(x[0].numpy(), int(y.argmax())) for part in (data.train, data.valid) for x, y in part.batches(1)]
    for x, _ in list(data.test.batches(1))[:3]:
        with torch.no_grad():
            scores = model.variant(x)[0, 0]
        for label in range(3):
            nearest = min(warped(x[0].numpy(), one, window) for one, own in known if own == label)
            assert float(scores[label]) == pytest.approx(-nearest, rel=1e-5)


def test_nearest_neighbour_is_that_of_scikit_learn():
    from sklearn.neighbors import KNeighborsClassifier

    data = prepare(made_cases(60, noise=1.5))
    model = fitted("nearest-neighbour", data)
    parts = [part for part in (data.train, data.valid)]
    known = np.concatenate([next(part.batches(1000))[0].flatten(1) for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    x = next(data.test.batches(1000))[0]
    expected = KNeighborsClassifier(1).fit(known, labels).predict(x.flatten(1).numpy())
    with torch.no_grad():
        np.testing.assert_array_equal(model(x)[:, 0].argmax(dim=1), expected)


def test_logistic_regression_is_that_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    data = prepare(made_cases(60, noise=1.5))
    model = fitted("logistic-regression", data, penalty=0.5)
    parts = [part for part in (data.train, data.valid)]
    known = np.concatenate([next(part.batches(1000))[0].flatten(1) for part in parts]).astype(float)
    labels = np.concatenate([part.labels for part in parts])
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    other = LogisticRegression(C=2.0, max_iter=1000).fit((known - mean) / deviation, labels)
    x = next(data.test.batches(1000))[0]
    expected = other.decision_function((x.flatten(1).double().numpy() - mean) / deviation)
    with torch.no_grad():
        scores = model.variant(x)[:, 0].double().numpy()
    centred = [each - each.mean(axis=1, keepdims=True) for each in (scores, expected)]
    np.testing.assert_allclose(*centred, atol=1e-3)


def test_the_kernels_of_minirocket_sum_to_zero_and_ignore_a_level():
    data = prepare(made_cases(45, (20, 20)))
    model = fitted("minirocket", data, features=1000)
    kernels = model.variant.get_buffer("kernels_0")
    assert kernels.shape[0] == 84 and kernels.sum(dim=2).abs().max() == 0
    assert len({tuple((row != 0).any(0).tolist() + row.sum(0).tolist()) for row in kernels}) == 84
    features = model.variant._features(next(data.test.batches(8))[0])
    assert features.shape[1] == 84 * (1000 // 84) and ((features >= 0) & (features <= 1)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_classifier_gives_the_same_classes(name, tmp_path):
    made = made_cases(60)
    data = prepare(made)
    model = fitted(name, data)
    zoo.save(model, tmp_path / "model", data, variant=name)
    frame = zoo.classify(zoo.load_model(tmp_path / "model"), made)
    chances = zoo.forecast(model, data.test)
    places = data.test.names.astype(int) - 1
    np.testing.assert_allclose(
        frame[[f"p_{each}" for each in data.classes]].to_numpy()[places], chances[:, 0], atol=1e-6
    )
    assert frame["class"][places[0]] == data.classes[chances[0, 0].argmax()]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("aeon") is None, reason="the files are aeon's")
@pytest.mark.parametrize(
    ("name", "variant", "accuracy"),
    [
        ("gunpoint", "nearest-neighbour", 0.913), ("gunpoint", "dtw-nearest-neighbour", 0.907),
        ("italy-power", "nearest-neighbour", 0.955), ("italy-power", "dtw-nearest-neighbour", 0.950),
        ("arrowhead", "nearest-neighbour", 0.800), ("arrowhead", "dtw-nearest-neighbour", 0.703),
    ],
)  # fmt: skip
def test_neighbours_have_the_published_accuracy(name, variant, accuracy):
    """Source: the UCR archive's table of 1-NN accuracies, Euclidean and DTW without a window (Dau et al. 2019)."""
    data = prepare(load(name), scaler="none")
    scores = zoo.evaluate(fitted(variant, data), data.test)
    assert scores["accuracy"] == pytest.approx(accuracy, abs=6e-4)


@pytest.mark.parametrize("name", NAMES)
def test_tuning_scores_a_classifier_on_cases_that_it_has_not_learned(name):
    """Labels drawn at random: cases that were learned would look easy."""
    random = np.random.default_rng(0)
    made = cases(random.normal(size=(120, 8, 1)), random.integers(2, size=120))
    data = prepare(made, split=(0.4, 0.4, 0.2))
    outcome = run_trial(TrialRequest(name, Point({}, {}, 8), (0,), "cpu", False), data.without_test(), lambda _: True)
    kept, twin = fitted(name, data), zoo.create(name, data.problem)
    train, valid = (list(part.batches(1000)) for part in (data.train, data.valid))
    with torch.no_grad():
        twin.variant.solve(lambda: train, lambda: valid)  # the validation part chooses at most a penalty
        twin.slope.copy_(kept.slope)
        (x, y) = valid[0]
        unlearned, learned = (float(model.eval().loss(model(x), y)) for model in (twin, kept))
    assert outcome["valid_loss"] == pytest.approx(unlearned, rel=1e-5) and unlearned > learned + 5e-5


def test_neighbours_are_exact_far_from_zero():
    random = np.random.default_rng(0)
    values = 1000 + 0.05 * random.normal(size=(120, 10, 1))
    data = prepare(cases(values, np.arange(120) % 2), scaler="none")
    model = fitted("nearest-neighbour", data)
    x = next(data.test.batches(1000))[0].double()
    known = torch.cat([next(part.batches(1000))[0] for part in (data.train, data.valid)]).double()
    labels = torch.cat([part.labels for part in (data.train, data.valid)])
    nearest = ((x.flatten(1)[:, None] - known.flatten(1)[None]) ** 2).sum(dim=2).argmin(dim=1)
    with torch.no_grad():
        assert torch.equal(model(x.float())[:, 0].argmax(dim=1), labels[nearest])
