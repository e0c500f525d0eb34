"""Every registered variant fulfils the published contract, and the wrapper does its part."""

import pytest
import torch

import zoo
from zoo.problem import Problem
from zoo.testing import CHECKS, check
from zoo.testing.helpers import shaken

ALL = zoo.list_models()


def problem(normalise="last"):
    return Problem(8, 2, (1,), (3, 1), normalise)


LEARNING = [name for name in ALL if zoo.create(name, problem()).is_trainable]


@pytest.mark.slow
@pytest.mark.usefixtures("one_translation_table")
@pytest.mark.filterwarnings("ignore:LSTM with projections")  # PyTorch's own path, where float64 or autocast take it
@pytest.mark.parametrize("name", zoo.list_models(classifiers=True))
def test_the_contract_holds(name):
    results = check(name)
    assert [result.check for result in results] == list(CHECKS)
    assert [f"{result.check}: {result.text}" for result in results if result.status == "fails"] == []


@torch.no_grad()
@pytest.mark.parametrize("name", ALL)
def test_forecast_moves_with_the_level_of_its_window(name):
    """What normalise="last" is for: a model may follow prices beyond its training range."""
    model, _ = shaken(name, problem())
    x = torch.randn(6, 8, 2)
    torch.testing.assert_close(model(x + 100), model(x) + 100, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("name", LEARNING)
def test_untrained_variant_is_persistence(name):
    x = torch.randn(6, 8, 2)
    torch.testing.assert_close(zoo.create(name, problem())(x), x[:, -1:, 1:].expand(-1, 3, -1))


@pytest.mark.parametrize("name", ALL)
def test_instance_normalisation_trains_no_map_alone(name):
    model = zoo.create(name, problem("instance"))
    own = sum(1 for _ in model.variant.parameters())
    maps = sum(1 for _ in model.parameters()) - own
    assert maps == (2 if model.is_trainable else 0)
