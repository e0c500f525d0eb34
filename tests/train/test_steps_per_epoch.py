"""steps_per_epoch: a pass of so many steps, on windows drawn at random."""

import pytest
import torch

import zoo
from zoo.errors import InputError
from zoo.train.descent import Descent


def config(**settings):
    return zoo.FitConfig(batch_size=8, device="cpu", **settings)


def indices_of(data, seed=0, **settings):
    descent = Descent(zoo.create("linear", data.problem), data.train, data.valid, config(**settings), seed)
    return [descent.indices() for _ in range(2)]


def test_an_epoch_has_so_many_steps_and_draws_from_all_windows(data):
    first, second = indices_of(data, steps_per_epoch=20)
    assert len(first) == len(second) == 160 and not torch.equal(first, second)
    assert int(first.min()) >= 0 and len(data.train) * 0.9 < int(first.max()) < len(data.train)
    assert torch.equal(first, indices_of(data, steps_per_epoch=20)[0])
    assert not torch.equal(first, indices_of(data, seed=1, steps_per_epoch=20)[0])


def test_an_epoch_of_all_windows_is_as_it_was(data):
    order = indices_of(data)[0]
    assert torch.equal(order.sort().values, torch.arange(len(data.train)))
    assert torch.equal(order, indices_of(data, steps_per_epoch=10_000)[0])
    assert "steps_per_epoch" not in config().settings()
    assert config(steps_per_epoch=5).settings()["steps_per_epoch"] == 5


def test_training_validates_after_each_and_caps_count_steps(data):
    model = zoo.create("linear", data.problem)
    history = zoo.fit(model, data.train, data.valid, config(steps_per_epoch=5, max_batches=12, patience=0))
    assert len(history.epochs) == 3 and history.stopped == "max_batches"
    assert all(epoch.valid_loss is not None for epoch in history.epochs)


def test_less_than_a_step_is_refused():
    with pytest.raises(InputError, match="steps_per_epoch must be >= 1, got 0"):
        config(steps_per_epoch=0)
