"""One trial: create, fit on train, score on validation; and the worker process that runs trials.

A trial gets no test rows, so it cannot see any.
"""

import itertools
import math
import pickle
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch.utils.benchmark import Timer

from zoo.data.dataset import Data
from zoo.data.origins import origins
from zoo.errors import Diverged
from zoo.layers.model import Model
from zoo.registry import create
from zoo.run.serving import Hear, Message, Say
from zoo.train.config import FitConfig
from zoo.train.descent import Epoch, History
from zoo.train.fit import fit, resolve_device
from zoo.train.predict import full_float32, validation_loss

# latency_ms: median of one forecast at batch 1
OBJECTIVES = ("valid_loss", "latency_ms", "parameter_count", "train_seconds")
LATENCY_SECONDS = 0.1  # of forecasts, of which the median counts
# Whether to go on; called after every epoch, and once more with None, which waits for an answer that is still due.
GoesOn = Callable[[Epoch | None], bool]


@dataclass(frozen=True)
class Point:
    """One setting of everything: all of a variant's parameters, all of FitConfig's but the device, the lookback."""

    params: dict[str, Any]
    fit: dict[str, Any]
    lookback: int


@dataclass(frozen=True)
class TrialRequest:
    """The settings of a trial, to be trained once with each seed on each of `folds` validation parts."""

    variant: str
    point: Point
    seeds: tuple[int, ...]
    device: str
    has_latency: bool
    folds: int = 1


class Pruned(Exception):
    """The study pruned this trial."""


def run_trial(request: TrialRequest, data: Data, goes_on: GoesOn) -> dict[str, Any]:
    """The outcome of a trial: objectives by name, epochs, best_epoch, stopped; or `pruned`, or `error`.

    valid_loss is the mean over seeds and folds; goes_on is called after every epoch of the first training, and the
    others run only if that one was not stopped. Any exception of the variant or of training is an error of this trial
    alone.
    """
    started = time.perf_counter()
    try:
        return _outcome(request, data, goes_on)
    except Pruned:
        outcome: dict[str, Any] = {"pruned": True}
    except Exception as error:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        outcome = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    return {**outcome, "train_seconds": time.perf_counter() - started}


def _outcome(request: TrialRequest, data: Data, goes_on: GoesOn) -> dict[str, Any]:
    def on_epoch(epoch: Epoch | None) -> None:
        if not goes_on(epoch):
            raise Pruned

    if request.point.lookback != data.problem.lookback:
        data = data.with_lookback(request.point.lookback)
    config = FitConfig.of({**request.point.fit, "device": request.device})
    device = resolve_device(config.device)
    losses: list[float] = []
    histories: list[History] = []
    for seed, fold in itertools.product(request.seeds, origins(data, request.folds)):
        assert fold.valid is not None
        model = create(request.variant, fold.problem, seed=seed, **request.point.params)
        is_first = not histories
        histories.append(fit(model, fold.train, fold.valid, config, seed=seed, on_epoch=on_epoch if is_first else None))
        if is_first:
            on_epoch(None)
        valid = fold.valid.to(device)
        held_out = histories[-1].held_out_loss  # of a classifier that has learned the validation part since
        losses.append(validation_loss(model, valid, config) if held_out is None else held_out)
        if not math.isfinite(losses[-1]):
            raise Diverged(f"the validation loss is {losses[-1]}")
    return {
        "valid_loss": statistics.fmean(losses),
        "parameter_count": sum(parameter.numel() for parameter in model.parameters()),
        "train_seconds": sum(history.seconds for history in histories),
        "epochs": sum(len(history.epochs) for history in histories),
        "best_epoch": histories[0].best_epoch,
        "stopped": histories[0].stopped,
        **({"valid_losses": losses} if len(losses) > 1 else {}),
        **({"latency_ms": _latency_ms(model, valid.gather(torch.tensor([0]))[0])} if request.has_latency else {}),
    }


@torch.inference_mode()
def _latency_ms(model: Model, x_1LC: torch.Tensor) -> float:
    timer = Timer("model(x)", globals={"model": model, "x": x_1LC}, num_threads=torch.get_num_threads())
    with full_float32(x_1LC.device):
        return 1000 * timer.blocked_autorange(min_run_time=LATENCY_SECONDS).median


def answer(request: Message, say: Say, hear: Hear) -> Message:
    """What a worker process answers: the outcome of the trial in the request; without one it only loads the data.

    Each epoch is an event. The worker reads the reply to it, whether to go on, after the next epoch, so that training
    does not wait while the study decides; a pruned trial has trained one epoch more than the study saw.
    """
    data = _loaded(request["data"])
    if "trial" not in request:
        return {}
    is_waiting = False

    def goes_on(epoch: Epoch | None) -> bool:
        nonlocal is_waiting
        if is_waiting:
            is_waiting = False
            if not hear()["goes_on"]:
                return False
        if epoch is not None:
            say({"epoch": epoch})
            is_waiting = request["is_pruning"]
        return True

    outcome = run_trial(request["trial"], data, goes_on)
    if is_waiting:
        hear()
    return outcome


@lru_cache(maxsize=2)
def _loaded(path: str) -> Data:
    data: Data = pickle.loads(Path(path).read_bytes())  # of the process that started this one
    return data
