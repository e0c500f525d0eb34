from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from torch import nn

from zoo.layers.normalised import Normalised, Solvable
from zoo.problem import Problem

X = 5 + 3 * torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))


class Recorder(nn.Module):
    """Remembers its input and forecasts zeros."""

    def __init__(self):
        super().__init__()
        self.learned = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        self.seen = x
        return torch.zeros(len(x), 2, 2)


def wrapped(normalise):
    return Normalised(Recorder(), Problem(6, 3, (2, 0), (2, 2), normalise))


def test_last_takes_and_gives_back_the_last_value():
    model = wrapped("last")
    forecast = model(X)
    torch.testing.assert_close(model.variant.seen, X - X[:, -1:])
    torch.testing.assert_close(forecast, X[:, -1:, [2, 0]].expand(-1, 2, -1))


def test_instance_standardises_each_window_and_restores_its_mean():
    model = wrapped("instance")
    forecast = model(X)
    torch.testing.assert_close(model.variant.seen.mean(dim=1), torch.zeros(4, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(model.variant.seen.std(dim=1, correction=0), torch.ones(4, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(forecast, X.mean(dim=1, keepdim=True)[..., [2, 0]].expand(-1, 2, -1))
    assert {name for name, _ in model.named_parameters()} == {"weight", "bias", "variant.learned"}


def test_none_passes_values_through():
    model = wrapped("none")
    assert torch.equal(model(X), torch.zeros(4, 2, 2))
    assert torch.equal(model.variant.seen, X)


@pytest.mark.parametrize("normalise", ["last", "instance"])
def test_constant_window_stays_finite(normalise):
    assert wrapped(normalise)(torch.ones(2, 6, 3)).isfinite().all()


@pytest.mark.parametrize("normalise", ["last", "none", "instance"])
def test_what_solve_learns_from_is_what_the_variant_sees(normalise, data):
    model = Normalised(Recorder(), replace(data.problem, normalise=normalise))
    for inside, outside in zip(model.inside(data.train, 64), data.train.batches(64), strict=True):
        with suppress(RuntimeError):  # the recorder's answer has another shape; what it saw is what counts
            model(outside[0])
        torch.testing.assert_close(inside[0], model.variant.seen)


def test_a_variant_is_trainable_with_weights_to_train_and_no_solve():
    class Solved(Recorder):
        def solve(self, train, valid):
            pass

    frozen = Recorder()
    frozen.learned.requires_grad_(False)
    problem = Problem(6, 3, (2, 0), (2, 2), "instance")
    for variant, is_trainable in ((Recorder(), True), (Solved(), False), (frozen, False), (nn.Identity(), False)):
        model = Normalised(variant, problem)
        assert model.is_trainable is is_trainable
        assert model.is_affine is is_trainable  # an affine map would be trained alone
        assert isinstance(variant, Solvable) is isinstance(variant, Solved)


@pytest.mark.parametrize("normalise", ["last", "instance"])
def test_level_and_scale_are_computed_once_for_each_forecast(normalise, monkeypatch):
    model, calls = wrapped(normalise), []
    compute = model._level_and_scale
    monkeypatch.setattr(model, "_level_and_scale", lambda x: calls.append(1) or compute(x))
    model(X)
    assert len(calls) == 1
