import pytest
from torch import nn

import zoo
from zoo.learn.count import counted
from zoo.problem import Problem

PROBLEM = Problem(7, 5, (3, 1), (2, 2), "instance")


@pytest.mark.parametrize("name", zoo.list_models())
def test_every_formula_gives_the_count_and_all_together_the_models(name):
    model = zoo.create(name, PROBLEM)
    layers = counted(model)
    assert [eval(layer.formula) for layer in layers] == [layer.count for layer in layers]
    assert sum(layer.count for layer in layers) == sum(parameter.numel() for parameter in model.parameters())


def test_what_is_shared_or_made_of_others_is_counted_as_it_is():
    two = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5))
    two[1].weight = two[0].weight
    assert [(layer.formula, layer.count) for layer in counted(two)] == [("5 * 5 + 5", 30), ("5", 5)]
    layer_of_norms = nn.utils.parametrizations.weight_norm(nn.Linear(5, 8))
    layers = counted(layer_of_norms)
    assert sum(layer.count for layer in layers) == sum(parameter.numel() for parameter in layer_of_norms.parameters())
    assert [eval(layer.formula) for layer in layers] == [layer.count for layer in layers]


def test_an_lstm_is_counted_by_its_gates():
    (layer,) = counted(nn.LSTM(5, 64))
    assert (layer.formula, layer.count) == ("4 * 64 * (5 + 64 + 2)", 18_176)
    (layer,) = counted(nn.GRU(5, 8, num_layers=2, bidirectional=True, bias=False))
    assert layer.formula == "2 * (3 * 8 * (5 + 8) + 3 * 8 * (16 + 8))"
    assert layer.count == eval(layer.formula)
