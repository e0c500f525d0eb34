"""Optimizer steps are those of torch.optim, without the compiler that its classes import."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import zoo
from zoo.train.optimizer import Optimizer

CONFIGS = [
    {"optimizer": "adam"},
    {"optimizer": "adam", "weight_decay": 0.1},
    {"optimizer": "adamw", "weight_decay": 0.1},
    {"optimizer": "sgd", "weight_decay": 0.1},
    {"optimizer": "sgd", "momentum": 0.0},
]


def published(parameters, config):
    """The optimizer of PyTorch that the config names."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=config.momentum, weight_decay=decay)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind(parameters, lr=rate, weight_decay=decay)


def parameters(random):
    return [nn.Parameter(torch.randn(shape, generator=random, dtype=torch.float64)) for shape in [(3, 4), (5,), (2, 2)]]


@pytest.mark.parametrize("clip_norm", [0.0, 0.5, 100.0])
@pytest.mark.parametrize("settings", CONFIGS, ids=str)
def test_steps_equal_those_of_pytorch(settings, clip_norm):
    config = zoo.FitConfig(learning_rate=0.01, clip_norm=clip_norm, **settings)
    random = torch.Generator().manual_seed(0)
    ours = parameters(random)
    theirs = [nn.Parameter(parameter.detach().clone()) for parameter in ours]
    mine, reference = Optimizer(ours, config), published(theirs, config)
    for number in range(6):
        rate = 0.01 / (number + 1)
        mine.learning_rate = rate
        reference.param_groups[0]["lr"] = rate
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=random, dtype=a.dtype)
            b.grad = a.grad.clone()
        if number < 3:  # the last has no gradient at first, as of a layer that is not used
            ours[-1].grad = theirs[-1].grad = None
        if clip_norm:
            nn.utils.clip_grad_norm_(theirs, clip_norm)
        mine.step(clip_norm)
        reference.step()
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)
            if b.grad is not None:
                torch.testing.assert_close(a.grad, b.grad, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("clip_norm", [0.0, 0.5, 100.0])
@pytest.mark.parametrize("settings", CONFIGS, ids=str)
def test_compiled_steps_equal_those_of_pytorch(settings, clip_norm):
    config = zoo.FitConfig(learning_rate=0.01, clip_norm=clip_norm, **settings)
    random = torch.Generator().manual_seed(0)
    ours = [nn.Parameter(parameter.detach().float()) for parameter in parameters(random)]
    theirs = [nn.Parameter(parameter.detach().clone()) for parameter in ours]
    mine, other = Optimizer(ours, config), Optimizer(theirs, config)
    pytest.importorskip("numba")
    mine.compile()
    assert (mine.compiled is None) == (config.optimizer == "sgd")
    for number in range(6):
        mine.learning_rate = other.learning_rate = 0.01 / (number + 1)
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=random)
            b.grad = a.grad.clone()
        if number < 3:
            ours[-1].grad = theirs[-1].grad = None
        if number == 4 and mine.compiled is not None:  # weights elsewhere, a gradient in other order
            ours[0].data = ours[0].data.clone()
            ours[0].grad = ours[0].grad.T.contiguous().T
        mine.step(clip_norm)
        other.step(clip_norm)
        pairs = [*zip(ours, theirs, strict=True), *zip(mine.state(), other.state(), strict=True)]
        pairs += [(a.grad, b.grad) for a, b in zip(ours, theirs, strict=True) if b.grad is not None]
        for a, b in [*pairs, (mine.gradients, other.gradients)]:
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_weights_that_compiled_code_does_not_take_keep_pytorchs_update():
    pytest.importorskip("numba")
    for weights in (parameters(torch.Generator()), [nn.Parameter(torch.zeros(3, 2).T), nn.Parameter(torch.zeros(2))]):
        optimizer = Optimizer(weights, zoo.FitConfig())
        optimizer.compile()
        assert optimizer.compiled is None


@pytest.mark.parametrize("settings", CONFIGS, ids=str)
def test_a_copy_of_its_state_written_back_repeats_the_step(settings):
    config = zoo.FitConfig(learning_rate=0.01, **settings)
    weights = parameters(torch.Generator().manual_seed(0))
    optimizer = Optimizer(weights, config)

    def step():
        for place, weight in enumerate(weights):
            weight.grad = torch.full_like(weight, place + 1.0)
        optimizer.step(clip_norm=1.0)
        return [weight.detach().clone() for weight in weights]

    step()
    before = [tensor.clone() for tensor in (*weights, *optimizer.state())]
    once = step()
    with torch.no_grad():
        for tensor, value in zip((*weights, *optimizer.state()), before, strict=True):
            tensor.copy_(value)
    for first, second in zip(once, step(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.process
def test_training_imports_no_compiler():
    code = (
        "import sys, zoo;"
        "d = zoo.prepare(zoo.load('sine'), targets=['value'], lookback=7);"
        "m = zoo.create('lstm', d.problem, hidden_size=8);"
        "zoo.fit(m, d.train, d.valid, zoo.FitConfig(max_batches=3, schedule='cosine', device='cpu'));"
        "zoo.evaluate(m, d.test);"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
