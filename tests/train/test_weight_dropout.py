"""Weight dropout zeroes recurrent weights in the training step, and in nothing else."""

import pytest
import torch

import zoo
from zoo.train.fused import CannotFuse, Stack
from zoo.train.step import Step
from zoo.train.weight_dropout import WeightDropout, recurrent_weights


@pytest.mark.parametrize("name", ["lstm", "gru", "peephole-lstm"])
def test_the_gradient_is_that_of_a_model_with_these_weights(data, name):
    model = zoo.create(name, data.problem, hidden_size=16)
    for parameter in model.parameters():  # a head of zeros sends no gradient back
        torch.nn.init.uniform_(parameter, -0.3, 0.3)
    step = Step(model, data.train, zoo.FitConfig(weight_dropout=0.5, device="cpu"))
    before = [weight.detach().clone() for weight in recurrent_weights(model)]
    index = torch.arange(32)
    loss = step.forward(index)
    dropped = [weight.detach().clone() for weight in recurrent_weights(model)]
    step.backward(loss)
    for weight, whole, during in zip(recurrent_weights(model), before, dropped, strict=True):
        assert torch.equal(weight, whole)
        is_zero = during == 0
        assert is_zero.float().mean() == pytest.approx(0.5, abs=0.15 if weight.dim() == 1 else 0.05)
        torch.testing.assert_close(during[~is_zero], 2 * whole[~is_zero])
        assert (weight.grad[is_zero] == 0).all() and weight.grad[~is_zero].abs().min() > 0
    # The other weights' gradients, by hand: the same model whose recurrent weights are the dropped ones.
    twin = zoo.create(name, data.problem, hidden_size=16)
    twin.load_state_dict(model.state_dict())
    for weight, during in zip(recurrent_weights(twin), dropped, strict=True):
        weight.data.copy_(during)
    x, y = data.train.gather(index)
    torch.nn.functional.l1_loss(twin(x), y).backward()
    for own, other in zip(model.parameters(), twin.parameters(), strict=True):
        if not any(own is weight for weight in recurrent_weights(model)):
            torch.testing.assert_close(own.grad, other.grad)


def test_training_repeats_and_validation_uses_all_weights(data):
    def trained(share):
        model = zoo.create("gru", data.problem, hidden_size=8)
        config = zoo.FitConfig(max_epochs=3, weight_dropout=share, device="cpu")
        history = zoo.fit(model, data.train, data.valid, config)
        return history.initial_valid_loss, [epoch.train_loss for epoch in history.epochs]

    once, again, without = trained(0.3), trained(0.3), trained(0.0)
    assert once == again and once[0] == without[0] and once[1] != without[1]


def test_without_a_share_nothing_is_touched(data):
    assert len(recurrent_weights(zoo.create("lstm", data.problem))) == 1
    assert WeightDropout(zoo.create("lstm", data.problem), 0.0).weights == []


def test_a_variant_without_recurrent_weights_is_refused(data):
    model = zoo.create("tcn", data.problem)
    with pytest.raises(zoo.InputError, match=r"fit.weight_dropout needs weights from state to state"):
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(weight_dropout=0.5, device="cpu"))


def test_models_that_train_together_drop_their_own_weights(data):
    config = zoo.FitConfig(weight_dropout=0.5, device="cpu")
    steps = [Step(zoo.create("lstm", data.problem, seed=seed), data.train, config) for seed in (0, 1)]
    with pytest.raises(CannotFuse, match="keep all their weights"):
        Stack(steps, torch.arange(8), lambda *_: lambda: None)
