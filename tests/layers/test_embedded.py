"""Embedded: vectors of categories reach every variant, and nothing else changes for it."""

from dataclasses import replace

import pytest
import torch

import zoo
from zoo.layers.embedded import Embedded
from zoo.problem import Problem
from zoo.registry import check_forecast

PROBLEM = Problem(8, 4, (1,), (2, 1), plain=(2, 3), categories=((2, 3), (3, 200)))


def windows(count=5, seed=0):
    x = torch.randn(count, 8, 4, generator=torch.Generator().manual_seed(seed))
    x[..., 2], x[..., 3] = 1.0, 7.0
    return x


@pytest.mark.parametrize(
    "name", [*zoo.list_models(tag="baseline"), "lstm", "segrnn", "hybrid-lstm", "da-rnn", "tcn-lstm"]
)
def test_variants_of_every_kind_take_categories(name):
    model = zoo.create(name, PROBLEM)
    assert isinstance(model, Embedded)
    check_forecast(model, windows(), name)
    assert model(windows()).shape == (5, 2, 1)


def test_the_variant_sees_vectors_in_place_of_codes_whose_level_stays():
    model = zoo.create("lstm", PROBLEM)
    inputs = []
    model.variant.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    x = windows()
    model(x)
    # 1.6 * 3^0.56 = 2.96 and 1.6 * 200^0.56 = 31.1
    assert inputs[0].shape == (5, 8, 2 + 3 + 31)
    torch.testing.assert_close(inputs[0][..., :2], x[..., :2] - x[:, -1:, :2])
    vectors = torch.cat([model.vectors[0].weight[1], model.vectors[1].weight[7]])
    torch.testing.assert_close(inputs[0][..., 2:], vectors.expand(5, 8, 34))


def test_a_code_of_no_learned_name_is_a_zero_vector_that_training_leaves_so():
    model = zoo.create("lstm", replace(PROBLEM, normalise="none"))
    x = windows()
    x[..., 2] = torch.tensor([0.0, 1.0, 2.0, -1.0, 99.0])[:, None]
    embedded = model.embedded(x)
    assert (embedded[[0, 3], :, 2:5] == 0).all()  # below 0 counts as 0
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    assert (model.vectors[0].weight[0] == 0).all() and (model.vectors[0].weight[1] != 0).all()


def test_a_seed_gives_the_same_vectors_again_and_another_seed_others():
    one, again, other = (zoo.create("lstm", PROBLEM, seed=seed).vectors[0].weight for seed in (3, 3, 4))
    assert torch.equal(one, again) and not torch.equal(one[1:], other[1:]) and (one[0] == 0).all()


@pytest.mark.parametrize("name", ["naive", "ridge"])
def test_what_is_not_trained_has_the_same_vectors_for_every_seed_and_no_weights_to_train(name):
    one, other = (zoo.create(name, PROBLEM, seed=seed) for seed in (0, 1))
    for first, second in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(first, second)
    assert not one.is_trainable and not list(one.vectors.parameters())


def test_quantiles_and_directions_take_categories_too():
    levels = (0.1, 0.5, 0.9)
    quantile = replace(PROBLEM, task="quantile", quantiles=levels, output_shape=(2, 1, 3))
    assert zoo.create("lstm", quantile)(windows()).shape == (5, 2, 1, 3)
    assert zoo.create("lstm", replace(PROBLEM, task="direction"))(windows()).shape == (5, 2, 1)
