"""Baselines against arithmetic."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge

import zoo
from zoo.problem import Problem
from zoo.report.verdict import READS_ALL

X = torch.tensor([[[1.0, 10], [2, 20], [4, 40], [8, 80], [3, 30], [5, 90]]])


def forecast(name, horizon=4, targets=(1, 0), normalise="last", **params):
    model = zoo.create(name, Problem(6, 2, targets, (horizon, len(targets)), normalise), **params)
    return model(X)[0].detach().numpy()


@pytest.mark.parametrize("normalise", ["last", "none", "instance"])
def test_baselines_are_what_their_names_say(normalise):
    how = {"normalise": normalise}
    close = {"rtol": 1e-5, "atol": 1e-4}
    np.testing.assert_allclose(forecast("naive", **how), [[90, 5]] * 4, **close)
    seasonal = forecast("seasonal-naive", period=3, **how)
    np.testing.assert_allclose(seasonal, [[80, 8], [30, 3], [90, 5], [80, 8]], **close)
    drift = forecast("drift", **how)
    np.testing.assert_allclose(drift, [[90 + 16 * t, 5 + 0.8 * t] for t in (1, 2, 3, 4)], **close)
    np.testing.assert_allclose(forecast("moving-average", window=3, **how), [[200 / 3, 16 / 3]] * 4, **close)
    np.testing.assert_allclose(forecast("moving-average", window=64, **how), [[45, 23 / 6]] * 4, **close)


@pytest.mark.parametrize("normalise", ["last", "none"])
def test_last_sign_goes_on_as_the_last_change_did(normalise):
    steps = [(10 + 20 + 40 + 50 + 60) / 5, -(1 + 2 + 4 + 5 + 2) / 5]  # up by the mean step, and down
    X2 = X.clone()
    X2[0, -1] = torch.tensor([1.0, 90])
    steps[1] = -(1 + 2 + 4 + 5 + 2) / 5
    model = zoo.create("last-sign", Problem(6, 2, (1, 0), (3, 2), normalise))
    expected = [[90 + steps[0] * t, 1 + steps[1] * t] for t in (1, 2, 3)]
    np.testing.assert_allclose(model(X2)[0], expected, rtol=1e-5, atol=1e-4)
    still = zoo.create("last-sign", Problem(1, 2, (1,), (2, 1), normalise))
    np.testing.assert_allclose(still(X2[:, -1:])[0], [[90], [90]], rtol=1e-5)


def test_seasonal_naive_takes_a_week_or_what_the_lookback_holds():
    np.testing.assert_allclose(forecast("seasonal-naive", horizon=6, targets=(0,))[:, 0], X[0, :, 0])


@pytest.mark.parametrize("normalise", ["last", "none"])
def test_ridge_agrees_with_scikit_learn(prices, normalise):
    data = zoo.prepare(
        zoo.load(prices), targets=["close", "open"], lookback=9, horizon=4, normalise=normalise, split=(200, 40, 60)
    )
    model = zoo.create("ridge", data.problem, penalty=0.01)
    zoo.fit(model, data.train, data.valid)
    x, y = next(data.train.batches(10_000))
    for d, channel in enumerate(data.problem.targets):
        level = x[:, -1:, channel] if normalise == "last" else torch.zeros(len(x), 1)
        inputs = (x[..., channel] - level).double().numpy()
        centred = inputs - inputs.mean(axis=0)
        alpha = 0.01 * (centred**2).sum(axis=0).mean()
        other = Ridge(alpha=alpha).fit(inputs, (y[..., d] - level).double().numpy())
        np.testing.assert_allclose(model.variant.weight[d].detach(), other.coef_, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(model.variant.bias[d].detach(), other.intercept_, rtol=1e-3, atol=1e-5)


def test_ridge_chooses_the_penalty_with_the_least_validation_error(prices):
    data = zoo.prepare(zoo.load(prices), targets=["close"], lookback=20, split=(100, 100, 100))
    from zoo.models.linear import DEFAULT_PENALTY, PENALTIES

    def fitted(penalty, valid):
        model = zoo.create("ridge", data.problem, penalty=penalty)
        zoo.fit(model, data.train, valid)
        return model

    errors = {p: zoo.evaluate(fitted(p, data.valid), data.valid)["rmse"] for p in PENALTIES}
    best = min(errors, key=errors.get)
    assert zoo.evaluate(fitted(None, data.valid), data.valid)["rmse"] == errors[best]
    assert max(errors.values()) > 1.01 * errors[best]
    without = fitted(None, None)
    assert torch.equal(without.variant.weight, fitted(DEFAULT_PENALTY, None).variant.weight)


@pytest.mark.parametrize("name", zoo.list_models(tag="baseline"))
def test_the_report_knows_which_baselines_read_all_channels(name):
    """zoo/report/verdict.py: whoever names what is known in advance is told that the others do not read it."""
    random = torch.Generator().manual_seed(0)
    walks = pd.DataFrame(torch.randn(300, 2, generator=random).numpy().cumsum(axis=0), columns=["y", "other"])
    data = zoo.prepare(walks, targets="y", lookback=14)
    model = zoo.create(name, data.problem)
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=2, device="cpu"))
    x, _ = data.test.gather(torch.arange(20))
    other = x.clone()
    other[..., 1] = torch.randn(other[..., 1].shape, generator=random)
    with torch.no_grad():
        reads = not torch.allclose(model(x), model(other), atol=1e-5)
    assert reads == (name in READS_ALL)
