"""One trial: create, fit on train, score on validation. It gets no test rows, so it cannot see any."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from zoo.data.prepare import Data
from zoo.errors import Diverged
from zoo.layers.normalised import Normalised
from zoo.registry import create
from zoo.train.config import FitConfig
from zoo.train.fit import Epoch, fit, validation_loss
from zoo.tuning.search import Point

OBJECTIVES = {
    "valid_loss": "validation loss, in scaled units",
    "latency_ms": "median milliseconds of one forecast at batch 1",
    "parameter_count": "trained numbers",
    "train_seconds": "seconds of training",
}
WARM_UP, REPEATS = 10, 100
# Called after every epoch, and in the end with None, when the answers to all epochs are known: whether to go on.
GoesOn = Callable[[Epoch | None], bool]


@dataclass(frozen=True)
class TrialRequest:
    """The settings of a trial, to be trained once with each seed."""

    variant: str
    point: Point
    seeds: tuple[int, ...]
    device: str
    wants_latency: bool

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "TrialRequest":
        """From JSON values."""
        return cls(**{**plain, "point": Point(**plain["point"]), "seeds": tuple(plain["seeds"])})


class Pruned(Exception):
    """The study wants no more of this trial."""


def run_trial(request: TrialRequest, data: Data, goes_on: GoesOn) -> dict[str, Any]:
    """The outcome of a trial: objectives by name, epochs, best_epoch, stopped; or `pruned`, or `error`.

    valid_loss is the mean over the seeds; goes_on is called after every epoch of the first, and the others run only if
    that one was not stopped. Any exception of the variant or of training is an error of this trial alone.
    """
    started = time.perf_counter()

    def on_epoch(epoch: Epoch) -> None:
        if not goes_on(epoch):
            raise Pruned

    try:
        seen = data if request.point.lookback == data.problem.lookback else data.with_lookback(request.point.lookback)
        assert seen.valid is not None
        config = FitConfig.of({**request.point.fit, "device": request.device})
        losses, histories = [], []
        for number, seed in enumerate(request.seeds):
            model = create(request.variant, seen.problem, seed=seed, **request.point.params)
            histories.append(
                fit(model, seen.train, seen.valid, config, seed=seed, on_epoch=on_epoch if number == 0 else None)
            )
            if number == 0 and not goes_on(None):
                raise Pruned
            losses.append(validation_loss(model, seen.valid.to(_device_of(model, seen)), config.loss))
            if not math.isfinite(losses[-1]):
                raise Diverged(f"the validation loss is {losses[-1]}")
        outcome: dict[str, Any] = {
            "valid_loss": statistics.fmean(losses),
            "parameter_count": sum(parameter.numel() for parameter in model.parameters()),
            "train_seconds": sum(history.seconds for history in histories),
            "epochs": sum(len(history.epochs) for history in histories),
            "best_epoch": histories[0].best_epoch,
            "stopped": histories[0].stopped,
        }
        if len(losses) > 1:
            outcome["valid_losses"] = losses
        if request.wants_latency:
            outcome["latency_ms"] = _latency_ms(model, seen)
    except Pruned:
        return {"pruned": True, "train_seconds": time.perf_counter() - started}
    except Exception as error:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        reason = " ".join(str(error).split())
        return {"error": f"{type(error).__name__}: {reason}", "train_seconds": time.perf_counter() - started}
    return outcome


def _device_of(model: Normalised, data: Data) -> torch.device:
    return next((p.device for p in model.parameters()), data.train.values.device)


@torch.inference_mode()
def _latency_ms(model: Normalised, data: Data) -> float:
    x, _ = data.train.to(_device_of(model, data)).gather(torch.tensor([0]))
    seconds = []
    for number in range(WARM_UP + REPEATS):
        started = time.perf_counter()
        model(x)
        if x.is_cuda:
            torch.cuda.synchronize()
        if number >= WARM_UP:
            seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)
