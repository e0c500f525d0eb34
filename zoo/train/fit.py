"""fit: mini-batch training with early stopping, as one loop to read from top to bottom."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from zoo.data.dataset import Samples
from zoo.data.sequences import Sequences
from zoo.data.windows import Windows
from zoo.errors import Diverged, InputError, expect
from zoo.layers.classes import Classes
from zoo.layers.committee import Committee
from zoo.layers.embedded import Embedded
from zoo.layers.model import Model, begin, finish, inside
from zoo.layers.normalised import Normalised, Solvable
from zoo.registry import check_forecast
from zoo.seeding import stream_seed
from zoo.train.config import FitConfig
from zoo.train.descent import Descent, Epoch, History
from zoo.train.fused import CannotFuse, Fuse, TooLarge, check_alike, fused
from zoo.train.modes import Mode, check_mode, mode_on, prepared
from zoo.train.predict import EVALUATION_BATCH, check_windows, full_float32, predict_windows, validation_loss
from zoo.train.step import Step, check_loss, check_precision, float32_rounding, subnormals_as_zero, torch_threads


def fit(
    model: Model,
    train: Samples,
    valid: Samples | None,
    config: FitConfig | None = None,
    *,
    seed: int = 0,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train `model` in place; it is left on the config's device, in eval mode, with its best weights.

    Best is the lowest validation loss. The initial weights count too: a model that never beats them gets them back.
    Without `valid` there is no early stopping and the last weights stay. A Solvable variant is solved
    instead, the members of a Committee are trained one after the other; a variant without parameters stays as it is.
    A model of quantiles or directions learns the loss of its task; what it takes from residuals, or calibrates, comes
    from `valid`, without it from `train`.
    Batch order and dropout draw from `seed`. The step runs in the config's precision, all else in full_float32, on the
    config's threads; the random state, the number of threads and the precision of the caller's process are left as
    they were.
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
    check_loss(model.problem, config)
    config = replace(config, mode=mode_on(device, config.mode))
    model.to(device)
    train, valid = train.to(device), valid.to(device) if valid is not None else None
    history = History()
    with full_float32(device), torch_threads(config.threads):
        if len(train):  # what is compiled at its first use is compiled here, and no part of the training's seconds
            check_forecast(model, next(train.batches(2))[0], type(model.variant).__name__)
        started = time.perf_counter()
        begin(model, train)
        if isinstance(model.variant, Committee):
            _fit_members(model, train, valid, config, seed, on_epoch, history)
        elif isinstance(model, Classes) and isinstance(model.variant, Solvable):
            assert isinstance(train, Sequences) and not isinstance(valid, Windows)
            history.held_out_loss = model.solve(train, valid, EVALUATION_BATCH)
        elif isinstance(model.variant, Solvable):
            with torch.no_grad():
                model.variant.solve(_batches(model, train), _batches(model, valid))
        elif model.is_trainable:
            cuda = [device.index or 0] if device.type == "cuda" else []
            with torch.random.fork_rng(devices=cuda):
                torch.manual_seed(stream_seed(seed, "dropout"))
                _descend(model, train, valid, config, seed, on_epoch, history)
        finish(model, valid if valid is not None else train, EVALUATION_BATCH)
    model.eval()
    history.seconds = time.perf_counter() - started
    return history


def fit_many(
    models: Sequence[Model],
    train: Samples,
    valid: Samples | None,
    configs: Sequence[FitConfig],
    *,
    seeds: Sequence[int],
    on_epoch: Callable[[int, Epoch], None] | None = None,
    fuse: Fuse | None = None,
) -> list[History | Diverged]:
    """Train models of one problem side by side, on CUDA in one CUDA graph: one replay trains each of them one step.

    Each model learns what `fit` alone would teach it, from its own config and seed; the last digits may differ. Dropout
    draws from the first seed for all. A model that stops early leaves the others running; one that diverges gets its
    Diverged in place of a History. Models that do not fit into memory together train in halves, one after the other.
    history.seconds is a model's equal share of the time, history.together the number of models that trained together,
    history.fallback why they trained one by one. The configs must agree in device, mode, precision, batch_size,
    steps_per_epoch, max_batches, loss and threads; raises InputError otherwise. on_epoch gets the model's place first.
    fuse: what puts the models' steps into one; None: a CUDA graph where the mode is one, else one by one.
    """
    check_alike(configs)
    device = check_step(configs[0])
    if fuse is None and mode_on(device, configs[0].mode) == "cuda-graph":
        fuse = fused
    reason, is_too_large = None, False
    can_fuse = all(model.is_trainable and not isinstance(model.variant, Committee) for model in models)
    if fuse is not None and len(models) > 1 and can_fuse:
        try:
            return _fit_fused(models, train, valid, configs, seeds, on_epoch, device, fuse)
        except CannotFuse as error:
            reason, is_too_large = str(error), isinstance(error, TooLarge)
    if is_too_large:  # the exception is gone by now, whose traceback held the memory
        if device.type == "cuda":
            torch.cuda.empty_cache()
        middle = len(models) // 2
        later = None if on_epoch is None else lambda place, epoch: on_epoch(middle + place, epoch)
        halves = ((slice(middle), on_epoch), (slice(middle, None), later))
        return [
            outcome
            for half, listen in halves
            for outcome in fit_many(
                models[half], train, valid, configs[half], seeds=seeds[half], on_epoch=listen, fuse=fuse
            )
        ]
    histories: list[History | Diverged] = []
    for place, (model, config, seed) in enumerate(zip(models, configs, seeds, strict=True)):
        listen = None if on_epoch is None else partial(on_epoch, place)
        try:
            history = fit(model, train, valid, config, seed=seed, on_epoch=listen)
            history.fallback = history.fallback or reason
            histories.append(history)
        except Diverged as error:
            histories.append(error)
    return histories


def _fit_fused(
    models: Sequence[Model],
    train: Samples,
    valid: Samples | None,
    configs: Sequence[FitConfig],
    seeds: Sequence[int],
    on_epoch: Callable[[int, Epoch], None] | None,
    device: torch.device,
    fuse: Fuse,
) -> list[History | Diverged]:
    for model in models:
        check_loss(model.problem, configs[0])
        check_windows(model, train, "train")
        if valid is not None:
            check_windows(model, valid, "valid")
        model.to(device)
    train, valid = train.to(device), valid.to(device) if valid is not None else None
    for model in models:
        begin(model, train)
    configs = [replace(config, mode=mode_on(device, config.mode)) for config in configs]
    started = time.perf_counter()
    outcomes: list[History | Diverged | None] = [None] * len(models)
    cuda = [device.index or 0] if device.type == "cuda" else []
    with full_float32(device), torch_threads(configs[0].threads), torch.random.fork_rng(devices=cuda):
        torch.manual_seed(stream_seed(seeds[0], "dropout"))
        descents = [
            Descent(model, train, valid, config, seed)
            for model, config, seed in zip(models, configs, seeds, strict=True)
        ]
        with float32_rounding(configs[0].precision):
            together = fuse([descent.step for descent in descents], train.order()[: descents[0].batch_size])
        while any(outcome is None for outcome in outcomes):
            running = [place for place, outcome in enumerate(outcomes) if outcome is None]
            orders = torch.stack([descents[place].indices() for place in running])
            began = time.perf_counter()
            with float32_rounding(configs[0].precision):
                losses = together.epoch(running, orders)
            seconds = (time.perf_counter() - began) / len(running)
            for place, loss in zip(running, losses, strict=True):
                try:
                    epoch = descents[place].finish_epoch(loss, seconds)
                except Diverged as error:
                    outcomes[place] = error
                    continue
                if on_epoch is not None:
                    on_epoch(place, epoch)
                if descents[place].is_over:
                    outcomes[place] = descents[place].history
        for descent, outcome in zip(descents, outcomes, strict=True):
            if isinstance(outcome, History):
                descent.keep_best()
    share = (time.perf_counter() - started) / len(models)
    for model, outcome in zip(models, outcomes, strict=True):
        model.eval()
        if isinstance(outcome, History):
            outcome.seconds, outcome.together = share, len(models)
            finish(model, valid if valid is not None else train, EVALUATION_BATCH)
    return [outcome for outcome in outcomes if outcome is not None]


def _fit_members(
    model: Model,
    train: Samples,
    valid: Samples | None,
    config: FitConfig,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None,
    history: History,
) -> None:
    """Train each member of a Committee alone and weigh them. The history numbers their epochs one after the other."""
    committee = model.variant
    assert isinstance(committee, Committee) and isinstance(train, Windows) and not isinstance(valid, Sequences)
    members = cast(list[Normalised], list(committee.members))
    if config.max_seconds is not None:
        descending = sum(member.is_trainable for member in members)
        config = replace(config, max_seconds=config.max_seconds / max(1, descending))
    points = valid.as_points() if valid is not None else None
    if points is not None:
        history.initial_valid_loss = validation_loss(inside(model), points, config)
    own, learned = inside(model), train.as_points()
    if isinstance(own, Embedded):
        learned, points = own.with_vectors(learned), own.with_vectors(points) if points is not None else None

    def listen(epoch: Epoch) -> None:
        history.epochs.append(replace(epoch, number=len(history.epochs) + 1))
        if on_epoch is not None:
            on_epoch(history.epochs[-1])

    errors = []
    for place, member in enumerate(members):
        before = len(history.epochs)
        one = fit(member, learned, points, config, seed=stream_seed(seed, f"member {place}"), on_epoch=listen)
        if one.epochs:
            why = f"{type(member.variant).__name__}: {one.fallback}" if one.fallback else None
            history.stopped, history.fallback = one.stopped, history.fallback or why
        if one.best_epoch:
            history.best_epoch = before + one.best_epoch
        if points is not None:
            errors.append((predict_windows(member, points) - points.scaled_truth()).square().mean(dim=(0, 1)))
    if valid is not None:
        committee.weigh(torch.stack(errors))


def _descend(
    model: Model,
    train: Samples,
    valid: Samples | None,
    config: FitConfig,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None,
    history: History,
) -> None:
    descent = Descent(model, train, valid, config, seed, history)
    with float32_rounding(config.precision):
        whole = prepared(descent.step, descent.first_batch())
    history.fallback = whole.fallback
    while not descent.is_over:
        indices = descent.indices()
        started = time.perf_counter()
        with float32_rounding(config.precision), subnormals_as_zero():
            train_loss = _train_epoch(descent.step, whole, indices, descent.batch_size)
        epoch = descent.finish_epoch(train_loss, time.perf_counter() - started)
        if on_epoch is not None:
            on_epoch(epoch)
    descent.keep_best()


def _batches(model: Model, windows: Samples | None) -> Any:
    """What `solve` learns from; None where there are no windows."""
    if windows is None:
        return None
    assert isinstance(windows, Windows)
    return lambda: inside(model).inside(windows.as_points(), EVALUATION_BATCH)


def _train_epoch(step: Step, whole: Mode, indices: Tensor, batch_size: int) -> float:
    """Train on the windows `indices`, whole batches in the config's mode, and return their mean loss."""
    step.model.train()
    total = torch.zeros((), device=indices.device)
    for index in step.windows.split(indices, batch_size):
        run = whole.run if len(index) == batch_size else step
        total.add_(run(index), alpha=len(index))
    return total.item() / len(indices)  # the one wait for the device


def resolve_device(name: str) -> torch.device:
    """The device that `name` means here; raises InputError for one that this machine lacks."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available.get(name, False):
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        where = f"with CUDA_VISIBLE_DEVICES={visible}" if name == "cuda" and visible is not None else "here"
        raise InputError(f"device '{name}' is not available {where}; choose one of auto, cpu, cuda, mps")
    return torch.device(name)


def check_step(config: FitConfig) -> torch.device:
    """The device of a config; raises InputError where the machine lacks it, or it lacks the mode or precision."""
    device = resolve_device(config.device)
    check_mode(config.mode, device)
    check_precision(config.precision, device)
    return device
