"""Integrated gradients against arithmetic: a linear model's are its weights, and all add up."""

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

import zoo
from tests.explanation.truths import three_channels, trained
from zoo import registry
from zoo.explanation.gradients import baseline_of, integrated_gradients
from zoo.explanation.seen import fed, seen_of


@pytest.fixture
def data():
    return zoo.prepare(three_channels(rows=400), targets="y", lookback=5, normalise="none")


class Linear(nn.Module):
    def __init__(self, problem: zoo.Problem) -> None:
        super().__init__()
        self.map = nn.Linear(problem.lookback * problem.channels, 1)

    def forward(self, x):
        return self.map(x.flatten(1))[:, None]


def test_a_linear_model_s_attributions_are_its_weights(data):
    zoo.register("flat", summary="a test", source="a test")(Linear)
    model = zoo.create("flat", data.problem, seed=0)
    explained = zoo.explain(model, data, methods=["integrated-gradients"])
    weights = model.variant.map.weight.detach().view(5, 4).numpy()
    np.testing.assert_allclose(explained.attributions.slope_DLC[0], weights, rtol=1e-4)
    x = torch.cat([x for x, _ in data.test.batches(1000)]).numpy()
    sizes = np.abs(weights * (x - x.mean(axis=(0, 1)))).mean(axis=0)  # from the channel's mean, by weight
    np.testing.assert_allclose(explained.attributions.size_DLC[0], sizes, rtol=1e-4)
    frame = explained.frames["attributions"]
    row = frame[(frame["channel"] == "c2") & (frame["lag"] == 3)].iloc[0]
    assert row["slope"] == pytest.approx(float(weights[2, 2]), rel=1e-4)


@pytest.mark.parametrize("normalise", ["none", "last", "instance"])
def test_attributions_add_up_to_the_distance_from_the_baseline_s_forecast(normalise):
    data = zoo.prepare(three_channels(rows=400), targets="y", lookback=5, normalise=normalise)
    model = trained("attention-lstm", data, epochs=5)
    seen = seen_of(model, data.test)
    attributions = integrated_gradients(seen, data.channels, data.targets)
    baseline = baseline_of(seen)
    away = seen.forecasts(seen.inputs) - seen.forecasts(baseline.expand_as(seen.inputs))
    assert away.abs().mean() > 0.01 and attributions.gap < 1e-4
    assert baseline.any() == (normalise != "last")

    def forecast(inputs, x):
        with fed(model.variant, inputs):
            return model(x)[:, 0]

    parts = IntegratedGradients(forecast).attribute(
        seen.inputs, baseline, target=0, additional_forward_args=(seen.x,), n_steps=64
    )
    np.testing.assert_allclose(parts.sum(dim=(1, 2)).detach(), away[:, 0, 0], atol=1e-4)
    np.testing.assert_allclose(parts.abs().mean(dim=0).detach(), attributions.size_DLC[0], rtol=1e-4, atol=1e-7)


def test_what_is_known_in_advance_starts_from_its_mean(prices):
    data = zoo.prepare(prices, targets="close", lookback=4, calendar=["month"])
    seen = seen_of(zoo.create("lstm", data.problem), data.test)
    baseline = baseline_of(seen)[0]
    assert not baseline[:, :5].any()
    np.testing.assert_allclose(baseline[0, 5:], seen.inputs[..., 5:].mean(dim=(0, 1)))


def test_without_captum_the_method_is_left_out_and_says_how_to_get_it(data, monkeypatch):
    monkeypatch.setattr("zoo.explanation.gradients.find_spec", lambda _: None)
    model = zoo.create("lstm", data.problem)
    explained = zoo.explain(model, data, windows=10)
    assert explained.attributions is None and explained.importance is not None
    assert "captum: pip install 'lstm-zoo[explain]'" in " ".join(explained.notes)
    with pytest.raises(zoo.InputError, match="captum"):
        zoo.explain(model, data, methods=["integrated-gradients"])


class Step(nn.Module):
    """A forecast without a gradient."""

    def __init__(self, _: zoo.Problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    @torch.no_grad()
    def forward(self, x):
        return (x[:, -1:, :1] > 0).float() * self.weight


def test_a_variant_without_gradients_says_so(data):
    zoo.register("step", summary="a test", source="a test")(Step)
    model = zoo.create("step", data.problem)
    assert any("this one has none" in note for note in zoo.explain(model, data, windows=10).notes)


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.list_models())
def test_every_variant_is_explained_or_says_why_not(name, prices):
    data = zoo.prepare(prices, targets="close", lookback=8, normalise="last")
    model = zoo.create(name, data.problem, seed=0)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        for parameter in model.parameters():  # heads start at zero, and what is solved too
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    explained = zoo.explain(model, data, windows=8, repeats=2)
    assert explained.importance is not None and str(explained)
    tags = registry.variant(name).tags
    if explained.attributions is None:
        assert any("gradients" in note for note in explained.notes) and "baseline" in tags
    else:
        assert explained.attributions.gap < 0.05  # relu has corners, between which 64 points are few
    assert ("attention" in tags and name != "tpa-lstm") == (explained.attention is not None)
