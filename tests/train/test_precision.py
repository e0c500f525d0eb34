"""Training runs in the requested precision, or refuses it and names what the device has."""

import pytest
import torch

import zoo
from zoo.errors import InputError
from zoo.train.step import float32_rounding


def settings_of_the_process():
    """What each name for the precision says; None where PyTorch refuses to say it by an older name."""
    backends = torch.backends
    places = [getattr(getattr(backends, name), kind) for name in ("cudnn", "mkldnn") for kind in ("conv", "rnn")]
    newer = [place.fp32_precision for place in (backends, backends.cuda.matmul, backends.mkldnn.matmul, *places)]
    older = []
    for read in (
        torch.get_float32_matmul_precision,
        lambda: backends.cuda.matmul.allow_tf32,
        lambda: backends.cudnn.allow_tf32,
    ):
        try:
            older.append(read())
        except RuntimeError:
            older.append(None)
    return newer, older


EXACT = ["ieee"] * 7, ["highest", False, False]


@pytest.mark.parametrize("wish", ["highest", "high", "medium", "matmul", "everything"])
def test_float32_is_exact_inside_and_left_as_it_was_outside(wish):
    backends = torch.backends
    try:
        if wish in ("matmul", "everything"):
            (backends.cuda.matmul if wish == "matmul" else backends).fp32_precision = "tf32"
        else:
            torch.set_float32_matmul_precision(wish)
        before = settings_of_the_process()
        with float32_rounding("float32"):
            assert settings_of_the_process() == EXACT
            with float32_rounding("tf32"):
                assert settings_of_the_process()[1] == ["high", True, True]
            assert settings_of_the_process() == EXACT
        assert settings_of_the_process() == before
    finally:
        backends.cuda.matmul.fp32_precision = backends.fp32_precision = "none"
        torch.set_float32_matmul_precision("highest")


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
    narrow, exact = zoo.create(name, data.problem), zoo.create(name, data.problem)
    zoo.fit(narrow, data.train, None, config)  # without validation the last weights stay
    zoo.fit(exact, data.train, None, zoo.FitConfig(max_epochs=2, device="cpu"))
    assert any(not torch.equal(a, b) for a, b in zip(narrow.parameters(), exact.parameters(), strict=True))


def test_default_mode_precision_and_threads_are_not_stored():
    assert {"mode", "precision", "threads"}.isdisjoint(zoo.FitConfig().settings())
    stored = zoo.FitConfig(mode="compile", precision="bfloat16", threads=2).settings()
    assert stored.items() >= {("mode", "compile"), ("precision", "bfloat16"), ("threads", 2)}
