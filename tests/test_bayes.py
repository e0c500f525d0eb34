"""Where the best possible error is known, a variant comes near it: sequences of two autoregressions to tell apart."""

import numpy as np

import zoo
from zoo.data.cases import cases

STEPS, SLOPE, TRAIN, TEST = 16, 0.35, 3000, 6000


def autoregressions(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """x_t = +-SLOPE x_t-1 + noise, stationary from the start, and which of the two: [count, STEPS], [count]."""
    random = np.random.default_rng(seed)
    is_rough = random.integers(2, size=count)
    slope = SLOPE * (1 - 2 * is_rough)
    noise = random.normal(size=(count, STEPS))
    x = np.empty((count, STEPS))
    x[:, 0] = noise[:, 0] / np.sqrt(1 - SLOPE**2)
    for t in range(1, STEPS):
        x[:, t] = slope * x[:, t - 1] + noise[:, t]
    return x, is_rough


def test_a_recurrent_variant_comes_within_two_points_of_the_bayes_error():
    x, is_rough = autoregressions(TRAIN + TEST, seed=0)
    # Equal shares and equal variances: the likelihood ratio is the sign of the sum of products of neighbours.
    least_error = np.mean((np.sum(x[TRAIN:, 1:] * x[TRAIN:, :-1], axis=1) < 0) != is_rough[TRAIN:])
    assert 0.05 < least_error < 0.15
    made = cases(x, np.array(["smooth", "rough"])[is_rough])
    data = zoo.prepare(made, split=(TRAIN - 600, 600, TEST))
    errors = {}
    for name in ("gru", "logistic-regression"):
        model = zoo.create(name, data.problem, seed=0)
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=25, learning_rate=3e-3, device="cpu"), seed=0)
        errors[name] = 1 - zoo.evaluate(model, data.test)["accuracy"]
    assert errors["gru"] < least_error + 0.02 < 0.4 < errors["logistic-regression"]  # no line tells them apart
    assert errors["gru"] > least_error - 0.01
