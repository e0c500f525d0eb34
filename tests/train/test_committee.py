"""A committee: members trained alone, weighed by their validation errors, and averaged."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import zoo
from zoo.layers.committee import Committee
from zoo.layers.normalised import Normalised
from zoo.models.linear import Linear, Ridge
from zoo.models.lstm import LSTM
from zoo.seeding import stream_seed
from zoo.train.predict import predict_windows

FAST = zoo.FitConfig(max_epochs=3, batch_size=32)


def members(problem):
    torch.manual_seed(0)
    return [Ridge(problem), LSTM(problem, hidden_size=8, dropout=0.5)]


def committee(problem, build=members):
    return Normalised(Committee(problem, build(problem)), problem)


def test_weights_are_inverse_to_the_squared_errors_of_each_target(data):
    two_targets = replace(data.problem, targets=(0, 0), output_shape=(data.problem.horizon, 2))
    whole = Committee(two_targets, [Ridge(two_targets), Linear(two_targets), Linear(two_targets)])
    whole.weigh(torch.tensor([[1.0, 0.0], [2.0, 0.0], [4.0, 5.0]]))
    torch.testing.assert_close(whole.weights_KD[:, 0], torch.tensor([4.0, 2.0, 1.0]) / 7)
    torch.testing.assert_close(whole.weights_KD[:, 1], torch.tensor([0.5, 0.5, 0.0]))


def test_each_member_learns_what_it_learns_alone(data):
    model = committee(data.problem)
    history = zoo.fit(model, data.train, data.valid, FAST, seed=5)
    alone, histories = [], []
    for place, member in enumerate(members(data.problem)):
        alone.append(Normalised(member, data.problem))
        seed = stream_seed(5, f"member {place}")
        histories.append(zoo.fit(alone[-1], data.train, data.valid, FAST, seed=seed))
    for one, other in zip(model.variant.members, alone, strict=True):
        assert one.state_dict().keys() == other.state_dict().keys()
        assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    forecasts = torch.stack([predict_windows(one, data.valid) for one in alone])
    errors = (forecasts - data.valid.scaled_truth()).square().mean(dim=(1, 2, 3))
    weights = (1 / errors) / (1 / errors).sum()
    torch.testing.assert_close(predict_windows(model, data.valid), torch.einsum("kbtd,k->btd", forecasts, weights))
    assert [epoch.valid_loss for epoch in history.epochs] == [epoch.valid_loss for epoch in histories[1].epochs]


@pytest.mark.parametrize("normalise", ["last", "none", "instance"])
def test_members_see_the_windows_that_a_model_of_their_own_sees(data, normalise):
    problem = replace(data.problem, normalise=normalise)
    model = committee(problem)
    zoo.fit(model, data.train, data.valid, FAST)
    x = next(data.valid.batches(16))[0]
    with torch.no_grad():
        parts = torch.stack([member(x) for member in model.variant.members])
    expected = torch.einsum("kbtd,kd->btd", parts, model.variant.weights_KD)
    torch.testing.assert_close(model(x), expected, rtol=1e-3, atol=1e-4)


def test_epochs_are_numbered_through_and_reported(data):
    def two(problem):
        return [LSTM(problem, hidden_size=8), Linear(problem)]

    seen = []
    model = committee(data.problem, two)
    history = zoo.fit(model, data.train, data.valid, FAST, on_epoch=seen.append)
    assert [epoch.number for epoch in seen] == [1, 2, 3, 4, 5, 6]
    assert history.epochs == seen
    assert history.stopped == "max_epochs"
    assert 4 <= history.best_epoch <= 6


def test_without_validation_the_members_weigh_the_same(data):
    model = committee(data.problem)
    history = zoo.fit(model, data.train, None, FAST)
    assert model.variant.weights_KD.tolist() == [[0.5], [0.5]]
    assert history.initial_valid_loss is None


def test_a_committee_of_solved_members_has_no_epochs(data):
    model = committee(data.problem, lambda problem: [Ridge(problem), Ridge(problem, penalty=1.0)])
    history = zoo.fit(model, data.train, data.valid, FAST)
    assert history.epochs == []
    assert history.stopped == "solved"


def test_the_members_share_the_seconds_of_one_model(data):
    def three(problem):
        return [LSTM(problem, hidden_size=8), Ridge(problem), LSTM(problem, hidden_size=8)]

    config = replace(FAST, max_epochs=10_000, patience=0, max_seconds=1.0)
    model = committee(data.problem, three)
    history = zoo.fit(model, data.train, data.valid, config)
    assert history.stopped == "max_seconds"
    assert history.seconds < 1.7  # each with a second of its own: 2


def test_a_member_that_diverges_is_named_as_any_model_is(data):
    class Explodes(nn.Module):
        def __init__(self, problem):
            super().__init__()
            self.inner = Linear(problem)

        def forward(self, x):
            return self.inner(x) * float("inf")

    model = committee(data.problem, lambda problem: [Ridge(problem), Explodes(problem)])
    with pytest.raises(zoo.Diverged, match="epoch 1"):
        zoo.fit(model, data.train, data.valid, FAST)


def test_many_committees_are_trained_one_after_the_other(data):
    from zoo.train.fit import fit_many

    def never(*_):
        raise AssertionError("a committee has no single step")

    models = [committee(data.problem) for _ in range(2)]
    histories = fit_many(models, data.train, data.valid, [FAST] * 2, seeds=[0, 1], fuse=never)
    assert [len(history.epochs) for history in histories] == [3, 3]
