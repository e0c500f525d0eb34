"""Descent: the state of one model's training between epochs: its order of batches, its best weights, when it ends."""

import math
import sys
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from zoo.data.dataset import Samples
from zoo.data.sequences import Sequences
from zoo.errors import Diverged, InputError
from zoo.layers.model import Model
from zoo.seeding import stream_seed
from zoo.train.config import FitConfig
from zoo.train.predict import validation_loss
from zoo.train.schedule import Schedule
from zoo.train.step import Step

EXPLODED, VANISHED = 100.0, 1e-4  # mean norms of an epoch's gradients


@dataclass(frozen=True)
class Epoch:
    """One pass over the training windows; seconds exclude validation, losses are in scaled units.

    gradient_norm: of the whole gradient before clipping, the mean over steps; clipped: the share of steps that were.
    """

    number: int
    train_loss: float
    valid_loss: float | None
    seconds: float
    windows_per_second: float
    gradient_norm: float
    clipped: float


@dataclass
class History:
    """A training run: its epochs, the epoch that the model's weights come from (0: the initial ones), total seconds.

    initial_valid_loss is the validation loss before training; stopped is `patience`, the cap that ended
    it (`max_epochs`, `max_batches`, `max_seconds`) or `solved` (a closed form, or nothing to learn: no epochs).
    fallback: why the config's mode did not run, None where it did. together: how many models trained in one graph
    (seconds is then an equal share); 1: alone. Of a Committee the epochs of all members, one member after the other;
    best_epoch is then the last that the weights of any come from. held_out_loss: the validation loss of a classifier
    that was solved, from before it learned the validation part too.
    """

    epochs: list[Epoch] = field(default_factory=list)
    initial_valid_loss: float | None = None
    best_epoch: int = 0
    seconds: float = 0.0
    stopped: str = "solved"
    fallback: str | None = None
    together: int = 1
    held_out_loss: float | None = None

    def __repr__(self) -> str:
        losses = [epoch.valid_loss for epoch in self.epochs if epoch.valid_loss is not None]
        loss = f", lowest validation loss {min(losses):.4g}" if losses else ""
        return (
            f"History({len(self.epochs)} epochs, best {self.best_epoch}, ended by {self.stopped}, "
            f"{self.seconds:.1f} s{loss})"
        )

    @property
    def warning(self) -> str | None:
        """That the gradients exploded or vanished, and what to do; None where they did neither.

        Losses are in scaled units, where a gradient's norm is usually between 0.01 and 10.
        """
        norms = [epoch.gradient_norm for epoch in self.epochs]
        if norms and max(norms) > EXPLODED:
            seen = f"their mean norm was {max(norms):.3g} in epoch {norms.index(max(norms)) + 1}"
            return f"gradients exploded: {seen}; lower learning_rate, or set a lower clip_norm"
        if norms and max(norms) < VANISHED:
            seen = f"their mean norm was never above {max(norms):.3g}"
            return f"gradients vanished, so that hardly anything was learned: {seen}; shorten the lookback"
        return None


class Descent:
    """One model's training by gradient descent; what runs the steps in between is the caller's choice.

    Ask for the windows of the next epoch (`indices`), train on them, and `finish_epoch` with their mean loss, until
    `is_over`; then `keep_best`. The windows lie on the model's device.
    """

    def __init__(
        self,
        model: Model,
        train: Samples,
        valid: Samples | None,
        config: FitConfig,
        seed: int,
        history: History | None = None,
    ) -> None:
        self.model, self.train, self.valid, self.config = model, train, valid, config
        self.history = history if history is not None else History()
        if config.steps_per_epoch is not None and not train.is_even:
            raise InputError("fit: steps_per_epoch needs sequences of one length: leave it out")
        self.batch_size = batch_size_of(train, config)
        self.steps = steps_of_epoch(train, config)
        whole = self.steps * config.max_epochs
        self.cap = config.max_batches if config.max_batches is not None else whole
        self.epochs = min(config.max_epochs, math.ceil(self.cap / self.steps))
        self.history.stopped = "max_epochs" if self.cap >= whole else "max_batches"
        self.step = Step(model, train, config)
        self.schedule = Schedule(config, self.epochs)
        self.order = torch.Generator().manual_seed(stream_seed(seed, "batch order"))
        self.number, self.is_over = 0, False
        self.best_loss = math.inf
        self.best_weights: dict[str, Tensor] | None = None
        if valid is not None:
            self.best_loss = self.history.initial_valid_loss = validation_loss(model, valid, config)
            self.best_weights = _copied(model)
        model.train()
        self.began = time.perf_counter()

    def first_batch(self) -> Tensor:
        """Window numbers of a batch of the usual size, to try the step on."""
        if isinstance(self.train, Sequences):
            return self.train.split(self.train.order(), self.batch_size)[0]
        return torch.arange(min(self.batch_size, len(self.train)), device=self.step.device)

    def indices(self) -> Tensor:
        """The window numbers of the next epoch in their order: int64 [n]."""
        left = self.cap - self.number * self.steps
        if self.steps < self.train.batch_count(self.batch_size):
            count = min(self.steps, left) * self.batch_size
            order = torch.randint(len(self.train), (count,), generator=self.order).to(self.step.device)
        elif left >= self.steps:
            order = self.train.order(self.order)
        else:
            order = self.train.order(self.order)
            order = torch.cat(self.train.split(order, self.batch_size)[:left])
        self.count, self.batches = len(order), min(self.steps, left)
        return order

    def finish_epoch(self, train_loss: float, seconds: float) -> Epoch:
        """Validate, keep the best weights, and decide whether training is over; raises Diverged."""
        self.number += 1
        number, config, history = self.number, self.config, self.history
        valid_loss = validation_loss(self.model, self.valid, config) if self.valid is not None else None
        _check_losses(number, train_loss, valid_loss, self.step)
        norm, clipped = self._gradients()
        history.epochs.append(Epoch(number, train_loss, valid_loss, seconds, self.count / seconds, norm, clipped))
        watched = train_loss if valid_loss is None else valid_loss
        if watched < self.best_loss * (1 - config.min_delta) or valid_loss is None:
            self.best_loss, history.best_epoch = watched, number
            self.best_weights = _copied(self.model) if valid_loss is not None else None
        elif 0 < config.patience <= number - history.best_epoch:
            history.stopped, self.is_over = "patience", True
            return history.epochs[-1]
        if config.max_seconds is not None and time.perf_counter() - self.began > config.max_seconds:
            history.stopped, self.is_over = "max_seconds", True
            return history.epochs[-1]
        self.step.optimizer.learning_rate = self.schedule.after(number, watched)
        self.is_over = number == self.epochs
        return history.epochs[-1]

    def _gradients(self) -> tuple[float, float]:
        """The gradient's mean norm in this epoch, and the share of steps that clipped it."""
        gradients = self.step.optimizer.gradients
        norm, clipped = (gradients / self.batches).tolist()
        gradients.zero_()
        return norm, clipped

    def keep_best(self) -> None:
        """Give the model its best weights."""
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)


def batch_size_of(train: Samples, config: FitConfig) -> int:
    """Windows in a batch."""
    return len(train) if config.batch_size == "all" else int(config.batch_size)


def steps_of_epoch(train: Samples, config: FitConfig) -> int:
    """Optimiser steps in an epoch that no cap ends."""
    return min(train.batch_count(batch_size_of(train, config)), config.steps_per_epoch or sys.maxsize)


def _check_losses(number: int, train_loss: float, valid_loss: float | None, step: Step) -> None:
    for name, loss in (("train", train_loss), ("validation", valid_loss)):
        if loss is not None and not math.isfinite(loss):
            rate = step.optimizer.learning_rate
            raise Diverged(
                f"training diverged in epoch {number}: the {name} loss is {loss} at learning_rate {rate:g}; "
                f"lower it, or {'lower' if step.config.clip_norm else 'set'} clip_norm ({step.config.clip_norm:g})"
            )


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
