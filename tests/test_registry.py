import pytest
import torch
from torch import nn

import zoo
from zoo import registry

BASELINES = ["drift", "linear", "moving-average", "naive", "ridge", "seasonal-naive"]


def test_variants_are_listed_with_baselines_last():
    names = zoo.list_models()
    assert names[-6:] == BASELINES == zoo.list_models(tag="baseline")
    assert names[:7] == ["ar-lstm", "attention-lstm", "bilstm", "cnn-lstm", "lstm", "proj-lstm", "stacked-lstm"]
    with pytest.raises(zoo.InputError, match="unknown tag 'basline'; did you mean 'baseline'"):
        zoo.list_models(tag="basline")


def test_unknown_variant_suggests_the_nearest(data):
    with pytest.raises(LookupError, match="unknown variant 'LSMT'; did you mean 'lstm'"):
        zoo.create("LSMT", data.problem)


def test_taken_name_raises_and_names_the_holder():
    class Other(nn.Module):
        pass

    with pytest.raises(zoo.InputError, match="'lstm' is already registered by zoo.models.lstm"):
        registry.register("lstm", summary="", source="")(Other)


def test_weights_follow_the_seed_and_leave_the_global_state(data):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    models = [zoo.create("lstm", data.problem, seed=seed).state_dict() for seed in (0, 0, 1)]
    assert torch.equal(torch.rand(3), expected)
    name = "variant.lstm.weight_hh_l0"
    assert torch.equal(models[0][name], models[1][name])
    assert not torch.equal(models[0][name], models[2][name])


@pytest.mark.parametrize(
    ("name", "params", "rule"),
    [
        ("lstm", {"hiden_size": 8}, "unknown parameter 'hiden_size' of variant 'lstm'; did you mean 'hidden_size'"),
        ("lstm", {"hidden_size": "big"}, "variant 'lstm': hidden_size must be a whole number, got 'big'"),
        ("lstm", {"hidden_size": -1}, "variant 'lstm' cannot be built with hidden_size=-1"),
        ("lstm", {"dropout": 1.5}, "variant 'lstm' cannot be built with .*dropout=1.5"),
        ("proj-lstm", {"proj_size": 64}, "proj_size must be from 1 to hidden_size - 1 = 63, got 64"),
        ("seasonal-naive", {"period": 8}, "period must be from 1 to the lookback 7, got 8"),
        ("moving-average", {"window": 0}, "window must be >= 1, got 0"),
        ("ridge", {"penalty": 0.0}, "penalty must be > 0, got 0.0"),
    ],
)
def test_parameter_that_cannot_be_built_is_refused(data, name, params, rule):
    with pytest.raises(zoo.InputError, match=rule):
        zoo.create(name, data.problem, **params)


@pytest.mark.parametrize("name", ["Mine", "a,b", "mine.py", "all", "", "two words"])
def test_a_name_that_commands_could_not_take_is_refused(name):
    with pytest.raises(zoo.InputError, match="lower case with hyphens"):
        registry.register(name, summary="", source="")


@pytest.mark.parametrize("tags", ["lstm", (1,)])
def test_tags_that_are_not_texts_are_refused(tags):
    with pytest.raises(zoo.InputError, match=r"variant 'mine': tags must be a tuple of texts, \(\"lstm\",\), got "):
        registry.register("mine", summary="", source="", tags=tags)


@pytest.mark.parametrize("limits", ["onnx: why", ("onnx: why",), {"onnx": 1}, {1: "why"}])
def test_limits_that_do_not_map_a_topic_to_a_reason_are_refused(limits):
    with pytest.raises(zoo.InputError, match=r"'mine': limits must map a topic to a reason, \{\"onnx\": \"why\"\}"):
        registry.register("mine", summary="", source="", limits=limits)


def test_a_lazy_layer_is_refused_with_the_way_out(data, monkeypatch):
    class Lazy(nn.Module):
        def __init__(self, problem):
            super().__init__()
            self.layer = nn.LazyLinear(problem.horizon)

    registry.list_models()
    monkeypatch.setattr(registry, "_variants", dict(registry._variants))
    registry.register("lazy", summary="", source="")(Lazy)
    with pytest.raises(zoo.InputError, match="'lazy' has a lazy layer: give its input size"):
        zoo.create("lazy", data.problem)
