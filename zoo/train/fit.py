"""fit: mini-batch training with early stopping, as one loop to read from top to bottom."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from zoo.data.windows import Windows
from zoo.errors import Diverged, InputError, expect
from zoo.layers.normalised import Normalised, Solvable
from zoo.registry import check_forecast
from zoo.seeding import stream_seed
from zoo.train.config import FitConfig
from zoo.train.modes import Mode, check_mode, prepared
from zoo.train.predict import EVALUATION_BATCH, check_windows, full_float32, validation_loss
from zoo.train.step import Step, check_precision, float32_rounding, torch_threads


@dataclass(frozen=True)
class Epoch:
    """One pass over the training windows; seconds exclude validation, losses are in scaled units."""

    number: int
    train_loss: float
    valid_loss: float | None
    seconds: float
    windows_per_second: float


@dataclass
class History:
    """A training run: its epochs, the epoch that the model's weights come from (0: the initial ones), total seconds.

    initial_valid_loss is the validation loss before training; stopped is `patience`, the cap that ended
    it (`max_epochs`, `max_batches`, `max_seconds`) or `solved` (a closed form, or nothing to learn: no epochs).
    fallback: why the config's mode did not run, None where it did.
    """

    epochs: list[Epoch] = field(default_factory=list)
    initial_valid_loss: float | None = None
    best_epoch: int = 0
    seconds: float = 0.0
    stopped: str = "solved"
    fallback: str | None = None


def fit(
    model: Normalised,
    train: Windows,
    valid: Windows | None,
    config: FitConfig | None = None,
    *,
    seed: int = 0,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train `model` in place; it is left on the config's device, in eval mode, with its best weights.

    Best is the lowest validation loss. The initial weights count too: a model that never beats them gets them back.
    Without `valid` there is no early stopping and the last weights stay. A Solvable variant is solved
    instead; one without parameters stays as it is. Batch order and dropout draw from `seed`. The step runs in the
    config's precision, all else in full_float32, on the config's threads; the random state, the number of threads and
    the precision of the caller's process are left as they were.
    A mode that the step cannot run in falls back to eager, and history.fallback gives the reason. Raises InputError
    for a mode or precision that the device does not have, and Diverged, naming epoch and learning rate, when
    a loss is no longer finite.
    """
    check_windows(model, train, "train")
    if valid is not None:
        check_windows(model, valid, "valid")
    expect("config", config, (FitConfig, None), "a zoo.FitConfig")
    expect("seed", seed, int, "a whole number")
    config = config or FitConfig()
    device = check_step(config)
    model.to(device)
    train, valid = train.to(device), valid.to(device) if valid is not None else None
    started = time.perf_counter()
    history = History()
    with full_float32(device), torch_threads(config.threads):
        if len(train):
            check_forecast(model, next(train.batches(2))[0], type(model.variant).__name__)
        if isinstance(model.variant, Solvable):
            with torch.no_grad():
                model.variant.solve(
                    lambda: model.inside(train, EVALUATION_BATCH),
                    (lambda: model.inside(valid, EVALUATION_BATCH)) if valid is not None else None,
                )
        elif model.is_trainable:
            cuda = [device.index or 0] if device.type == "cuda" else []
            with torch.random.fork_rng(devices=cuda):
                torch.manual_seed(stream_seed(seed, "dropout"))
                _descend(model, train, valid, config, seed, on_epoch, history)
    model.eval()
    history.seconds = time.perf_counter() - started
    return history


def _descend(
    model: Normalised,
    train: Windows,
    valid: Windows | None,
    config: FitConfig,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None,
    history: History,
) -> None:
    batch_size = len(train) if config.batch_size == "all" else int(config.batch_size)
    steps = math.ceil(len(train) / batch_size)  # of a whole epoch
    cap = config.max_batches if config.max_batches is not None else steps * config.max_epochs
    epochs = min(config.max_epochs, math.ceil(cap / steps))
    history.stopped = "max_epochs" if cap >= steps * config.max_epochs else "max_batches"
    step = Step(model, train, config)
    schedule = _schedule(step.optimizer, config, epochs)
    order = torch.Generator().manual_seed(stream_seed(seed, "batch order"))
    model.train()
    with float32_rounding(config.precision):
        whole = prepared(step, train.order()[:batch_size])
    history.fallback = whole.fallback
    best_loss = math.inf
    best_weights: dict[str, Tensor] | None = None
    if valid is not None:
        best_loss = history.initial_valid_loss = validation_loss(model, valid, config.loss)
        best_weights = _copied(model)
    began = time.perf_counter()
    for number in range(1, epochs + 1):
        indices = train.order(order)[: (cap - (number - 1) * steps) * batch_size]
        started = time.perf_counter()
        with float32_rounding(config.precision):
            train_loss = _train_epoch(step, whole, indices, batch_size)
        seconds = time.perf_counter() - started
        valid_loss = validation_loss(model, valid, config.loss) if valid is not None else None
        _check_losses(number, train_loss, valid_loss, step)
        history.epochs.append(Epoch(number, train_loss, valid_loss, seconds, len(indices) / seconds))
        if on_epoch is not None:
            on_epoch(history.epochs[-1])
        watched = train_loss if valid_loss is None else valid_loss
        if watched < best_loss * (1 - config.min_delta) or valid is None:
            best_loss, history.best_epoch = watched, number
            best_weights = _copied(model) if valid is not None else None
        elif 0 < config.patience <= number - history.best_epoch:
            history.stopped = "patience"
            break
        if config.max_seconds is not None and time.perf_counter() - began > config.max_seconds:
            history.stopped = "max_seconds"
            break
        if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            schedule.step(watched)
        elif schedule is not None:
            schedule.step()
    if best_weights is not None:
        model.load_state_dict(best_weights)


def _train_epoch(step: Step, whole: Mode, indices: Tensor, batch_size: int) -> float:
    """Train on the windows `indices`, whole batches in the config's mode, and return their mean loss."""
    step.model.train()
    total = torch.zeros((), device=indices.device)
    for index in indices.split(batch_size):
        run = whole.run if len(index) == batch_size else step
        total.add_(run(index), alpha=len(index))
    return total.item() / len(indices)  # the one wait for the device


def _check_losses(number: int, train_loss: float, valid_loss: float | None, step: Step) -> None:
    for name, loss in (("train", train_loss), ("validation", valid_loss)):
        if loss is not None and not math.isfinite(loss):
            rate = float(step.optimizer.param_groups[0]["lr"])
            raise Diverged(
                f"training diverged in epoch {number}: the {name} loss is {loss} at learning_rate {rate:g}; "
                f"lower it, or lower clip_norm ({step.config.clip_norm:g})"
            )


def resolve_device(name: str) -> torch.device:
    """The device that `name` means here; raises InputError for one that this machine lacks."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available.get(name, False):
        raise InputError(f"device '{name}' is not available here; choose one of auto, cpu, cuda, mps")
    return torch.device(name)


def check_step(config: FitConfig) -> torch.device:
    """The device of a config; raises InputError where the machine lacks it, or it lacks the mode or precision."""
    device = resolve_device(config.device)
    check_mode(config.mode, device)
    check_precision(config.precision, device)
    return device


def _schedule(
    optimizer: torch.optim.Optimizer, config: FitConfig, epochs: int
) -> torch.optim.lr_scheduler.LRScheduler | torch.optim.lr_scheduler.ReduceLROnPlateau | None:
    if config.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    if config.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=max(1, config.patience // 3))
    return None


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
