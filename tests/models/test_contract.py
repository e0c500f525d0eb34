"""What holds for every registered variant, found by itself."""

import itertools

import pytest
import torch

import zoo
from zoo.problem import Problem
from zoo.space import Choice

ALL = zoo.list_models()
LEARNING = [name for name in ALL if not zoo.variant(name).is_deterministic]
SHAPES = [(1, 1, (0,)), (24, 1, (0,)), (1, 3, (2, 0)), (24, 3, (2, 0))]


def problem(horizon=3, channels=2, targets=(1,), lookback=8, normalise="last"):
    return Problem(lookback, channels, tuple(targets), (horizon, len(targets)), normalise)


def corners(name):
    """Every combination of the ends of the ranges."""
    ends = {
        parameter: span.options if isinstance(span, Choice) else (span.low, span.high)
        for parameter, span in zoo.variant(name).space.items()
    }
    return [dict(zip(ends, values, strict=True)) for values in itertools.product(*ends.values())]


@pytest.mark.parametrize(("horizon", "channels", "targets"), SHAPES)
@pytest.mark.parametrize("name", ALL)
def test_every_corner_of_the_space_builds_and_has_the_shape(name, horizon, channels, targets):
    asked = problem(horizon, channels, targets)
    for params in corners(name):
        with torch.no_grad():
            found = zoo.create(name, asked, **params).eval()(torch.randn(5, 8, channels))
        assert found.shape == (5, horizon, len(targets)), params
        assert found.isfinite().all()


@pytest.mark.parametrize("name", ALL)
def test_one_step_of_lookback_is_enough(name):
    assert zoo.create(name, problem(lookback=1))(torch.randn(4, 1, 2)).shape == (4, 3, 1)


def shaken(name, asked):
    """A model whose weights are not at their start, where heads are zero."""
    model = zoo.create(name, asked)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize("name", ALL)
def test_forecast_does_not_depend_on_neighbours_in_the_batch(name):
    model = shaken(name, problem())
    x = torch.randn(6, 8, 2)
    alone = torch.cat([model(window[None]) for window in x])
    torch.testing.assert_close(model(x), alone, rtol=1e-5, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("name", ALL)
def test_forecast_moves_with_the_level_of_its_window(name):
    """What normalise="last" is for: a model may follow prices beyond its training range."""
    model = shaken(name, problem())
    x = torch.randn(6, 8, 2)
    torch.testing.assert_close(model(x + 100), model(x) + 100, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("name", LEARNING)
def test_untrained_variant_is_persistence(name):
    x = torch.randn(6, 8, 2)
    torch.testing.assert_close(zoo.create(name, problem())(x), x[:, -1:, 1:].expand(-1, 3, -1))


@pytest.mark.parametrize("name", LEARNING)
def test_first_and_last_step_matter_and_every_parameter_has_a_gradient(name):
    model = shaken(name, problem(normalise="none"))
    x = torch.randn(6, 8, 2, requires_grad=True)
    model(x).square().sum().backward()
    assert (x.grad[:, 0].abs().sum(dim=1) > 0).all()
    assert (x.grad[:, -1].abs().sum(dim=1) > 0).all()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name


@pytest.mark.parametrize("name", [n for n in LEARNING if n != "linear"])
def test_one_batch_can_be_overfitted(name):
    torch.manual_seed(0)
    x, y = torch.randn(8, 8, 2), torch.randn(8, 3, 1)
    model = zoo.create(name, problem(normalise="none"), hidden_size=32)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(300):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02


@pytest.mark.parametrize("name", ALL)
def test_instance_normalisation_trains_no_map_alone(name):
    model = zoo.create(name, problem(normalise="instance"))
    own = sum(1 for _ in model.variant.parameters())
    maps = sum(1 for _ in model.parameters()) - own
    assert maps == (2 if own and not hasattr(model.variant, "solve") else 0)
