"""Schedules give the learning rates of torch.optim.lr_scheduler."""

import random

import pytest
import torch
from torch.optim import lr_scheduler

import zoo
from zoo.train.schedule import Schedule

EPOCHS = 60


def published_rates(make, losses):
    """PyTorch's rate after each epoch, from a scheduler made by `make`."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = make(optimizer)
    rates = []
    for loss in losses:
        optimizer.step()
        scheduler.step(loss) if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def our_rates(losses, **config):
    schedule = Schedule(zoo.FitConfig(learning_rate=0.1, **config), EPOCHS)
    return [schedule.after(number, loss) for number, loss in enumerate(losses, start=1)]


@pytest.mark.parametrize("patience", [1, 6, 16])
def test_plateau_halves_the_rate_when_pytorch_does(patience):
    draw = random.Random(patience)
    losses = [max(0.5, 1 - epoch / 20) + draw.choice([0, 1e-5, 0.2]) for epoch in range(EPOCHS)]
    expected = published_rates(
        lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=max(1, patience // 3)), losses
    )
    assert our_rates(losses, schedule="plateau", patience=patience) == pytest.approx(
        expected, abs=1e-8
    )  # PyTorch lowers it by no less
    assert expected[-1] < 0.1  # else this compares nothing


def test_cosine_lowers_the_rate_to_zero_as_pytorch_does():
    losses = [1.0] * EPOCHS
    expected = published_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=EPOCHS), losses)
    assert our_rates(losses, schedule="cosine") == pytest.approx(expected, abs=1e-12)


def test_without_a_schedule_the_rate_stays():
    assert set(our_rates([1.0] * EPOCHS, schedule="none")) == {0.1}
