"""Training runs in the requested precision, or refuses it and names what the device has."""

import pytest
import torch

import zoo
from zoo.errors import InputError
from zoo.train.step import float32_rounding


def test_float32_is_exact_inside_and_left_as_it_was_outside():
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with float32_rounding("float32"):
        assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (False, False)
    with float32_rounding("tf32"):
        assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (True, True)
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


def test_tf32_needs_a_gpu(data):
    with pytest.raises(InputError, match="precision tf32 needs CUDA .* got device cpu; choose float32"):
        zoo.fit(zoo.create("lstm", data.problem), data.train, None, zoo.FitConfig(precision="tf32", device="cpu"))


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this CPU has no bfloat16 recurrences")
@pytest.mark.parametrize("name", zoo.list_models(tag="lstm"))
def test_bfloat16_trains_weights_that_stay_float32(data, name):
    model = zoo.create(name, data.problem)
    config = zoo.FitConfig(precision="bfloat16", max_epochs=2, device="cpu")
    history = zoo.fit(model, data.train, data.valid, config)
    assert history.epochs[-1].train_loss < history.initial_valid_loss * 2
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    exact = zoo.create(name, data.problem)
    zoo.fit(exact, data.train, data.valid, zoo.FitConfig(max_epochs=2, device="cpu"))
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), exact.parameters(), strict=True))


def test_default_mode_and_precision_are_not_stored():
    assert {"mode", "precision"}.isdisjoint(zoo.FitConfig().settings())
    assert zoo.FitConfig(mode="compile", precision="bfloat16").settings().items() >= {
        ("mode", "compile"),
        ("precision", "bfloat16"),
    }
