"""What an epoch says about its gradients."""

import statistics

import pytest
import torch
from torch import nn

import zoo
from zoo.train.descent import Descent


class Scaled(nn.Linear):
    """A linear map of the last step whose forecast, and so whose gradient, is multiplied by `factor`."""

    factor = 1.0

    def forward(self, x_BLC):
        return self.factor * super().forward(x_BLC[:, -1])[:, None]


def model_of(data, factor):
    model = zoo.create("linear", data.problem)
    torch.manual_seed(0)
    model.variant = Scaled(data.problem.channels, 1)
    model.variant.factor = factor
    return model


def test_the_norm_is_that_of_the_whole_gradient_before_clipping(data):
    model = model_of(data, 1.0)
    x, y = next(data.train.batches(len(data.train)))
    torch.nn.functional.l1_loss(model(x), y).backward()
    expected = torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).norm()
    model.zero_grad()
    history = zoo.fit(model, data.train, None, zoo.FitConfig(max_epochs=1, batch_size="all", clip_norm=1e-6))
    assert history.epochs[0].gradient_norm == pytest.approx(float(expected), rel=1e-5)
    assert history.epochs[0].clipped == 1


def epoch_and_norms(data, clip_norm):
    """An epoch whose steps are too small to change anything, and the norm of each step's gradient."""
    config = zoo.FitConfig(max_epochs=2, batch_size=32, clip_norm=clip_norm, optimizer="sgd", learning_rate=1e-12)
    descent = Descent(model_of(data, 1.0), data.train, data.valid, config, seed=0)
    norms = []
    for index in descent.indices().split(32):
        descent.step.backward(descent.step.forward(index))
        norms.append(float(torch.cat([p.grad.flatten() for p in descent.step.parameters]).norm()))
        descent.step.update()
    return descent.finish_epoch(1.0, 1.0), norms, descent


def test_norms_and_clipped_steps_are_means_over_the_steps_of_an_epoch(data):
    _, norms, _ = epoch_and_norms(data, 0.0)
    for clip_norm, share in ((0.0, 0), (statistics.median_low(norms), len(norms) // 2 / len(norms)), (1e6, 0)):
        epoch, again, descent = epoch_and_norms(data, clip_norm)
        assert again == pytest.approx(norms)
        assert epoch.gradient_norm == pytest.approx(statistics.fmean(norms), rel=1e-5)
        assert epoch.clipped == pytest.approx(share)
        assert descent.finish_epoch(1.0, 1.0).gradient_norm == 0  # counted anew


@pytest.mark.parametrize(("factor", "word"), [(1.0, None), (1e-5, "vanished"), (1e4, "exploded")])
def test_gradients_that_explode_or_vanish_are_said_to(data, factor, word):
    history = zoo.fit(model_of(data, factor), data.train, data.valid, zoo.FitConfig(max_epochs=2))
    assert (word is None) == (history.warning is None)
    if word is not None:
        norm = max(epoch.gradient_norm for epoch in history.epochs)
        assert history.warning.startswith(f"gradients {word}") and f"{norm:.3g}" in history.warning


def test_what_learns_nothing_has_no_warning(data):
    assert zoo.fit(zoo.create("naive", data.problem), data.train, data.valid).warning is None
