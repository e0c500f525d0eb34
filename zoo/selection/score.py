"""Score: a candidate is trained once, and its errors on one block are measured; worker processes answer with it."""

import copy
import math
import pickle
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.dataset import Data
from zoo.errors import message_of
from zoo.layers.model import Model
from zoo.problem import Normalise
from zoo.registry import create
from zoo.run.serving import Hear, Message, Say
from zoo.timeout import time_limit
from zoo.train.config import FitConfig
from zoo.train.descent import steps_of_epoch
from zoo.train.evaluate import forecast
from zoo.train.fit import fit

GRACE = 1.5  # of the seconds for training, within which a candidate must end
PROBE = 4  # training steps from which the pace is measured


@dataclass(frozen=True)
class Candidate:
    """What may be chosen: a variant with its parameters and settings of training, the lookback that it sees, and the
    level that is removed from it."""

    variant: str
    lookback: int
    normalise: Normalise = "last"
    params: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Its variant, and whether its settings were searched."""
        return f"{self.variant}, tuned" if self.fit else self.variant


@dataclass(frozen=True)
class Score:
    """losses: squared errors of each window of the block in time order, in deviations of the training rows, means over
    steps and targets; None where it failed, which `error` explains. seconds: of training and forecasting; epochs: the
    most that training could take in its time."""

    losses: np.ndarray | None
    seconds: float
    error: str | None = None
    epochs: int = 1


def score(candidate: Candidate, data: Data, *, seconds: float, seed: int = 0) -> Score:
    """Train a candidate for so many seconds at most, and measure it on the test part of `data`, which is a block."""
    started, limit = time.perf_counter(), GRACE * seconds + 1
    try:
        with time_limit(limit):
            data = seen(data, candidate)
            model = create(candidate.variant, data.problem, seed=seed, **candidate.params)
            config = _within(seconds, candidate, model, data)
            fit(model, data.train, data.valid, config, seed=seed)
            losses = block_losses(forecast(model, data.test), data)
    except Exception as error:  # a variant may raise anything
        seconds = time.perf_counter() - started
        return Score(None, seconds, message_of(error) if seconds < limit else f"it took longer than {limit:.1f} s")
    return Score(losses, time.perf_counter() - started, epochs=config.max_epochs)


def seen(data: Data, candidate: Candidate) -> Data:
    """The data as the candidate sees them."""
    data = data.with_lookback(candidate.lookback)
    return replace(data, problem=replace(data.problem, normalise=candidate.normalise))


def _within(seconds: float, candidate: Candidate, model: Model, data: Data) -> FitConfig:
    """Settings with which training takes so many seconds at most: a cap on seconds, which counts from epoch to epoch,
    and one on steps, by the pace of a few."""
    config = FitConfig.of({"device": "cpu", **candidate.fit, "max_seconds": seconds})
    if not model.is_trainable:
        return config
    probe, few = copy.deepcopy(model), replace(config, max_epochs=1, max_batches=PROBE)
    pace = sum(epoch.seconds for epoch in fit(probe, data.train, None, few, seed=0).epochs) / PROBE
    batches = max(PROBE, int(seconds / pace))
    epochs = math.ceil(batches / steps_of_epoch(data.train, config))
    return replace(config, max_batches=batches, max_epochs=min(config.max_epochs, epochs))


def block_losses(forecasts: np.ndarray, data: Data) -> np.ndarray:
    """Squared errors of the windows [n] of the test part, in deviations of the training rows."""
    errors = (forecasts - data.test.truth()) / data.test.units.deviation
    return np.asarray((errors**2).mean(axis=(1, 2)))


def answer(request: Message, _say: Say, _hear: Hear) -> Message:
    """What a worker process answers: the score of the candidate in the request; without one it only loads the data."""
    data = _loaded(request["data"])
    if "candidate" not in request:
        return {}
    return {"score": score(request["candidate"], data, seconds=request["seconds"], seed=request["seed"])}


@lru_cache(maxsize=8)
def _loaded(path: str) -> Data:
    data: Data = pickle.loads(Path(path).read_bytes())  # of the process that started this one
    return data
