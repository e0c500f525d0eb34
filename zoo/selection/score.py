"""Score: a candidate is trained once, and its errors on one block are measured; worker processes answer with it."""

import pickle
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.dataset import Data
from zoo.errors import message_of
from zoo.registry import create
from zoo.run.serving import Hear, Message, Say
from zoo.timeout import time_limit
from zoo.train.config import FitConfig
from zoo.train.evaluate import forecast
from zoo.train.fit import fit

GRACE = 1.5  # of the seconds for training, within which a candidate must end


@dataclass(frozen=True)
class Candidate:
    """What may be chosen: a variant with its parameters and settings of training, and the lookback that it sees."""

    variant: str
    lookback: int
    params: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Its variant, and whether its settings were searched."""
        return f"{self.variant}, tuned" if self.fit else self.variant

    @property
    def settings(self) -> str:
        """What departs from the defaults."""
        every = {**self.params, **{f"fit.{name}": value for name, value in self.fit.items()}}
        return ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in every.items()
        )


@dataclass(frozen=True)
class Score:
    """losses: squared errors of each window of the block in time order, in deviations of the training rows, means over
    steps and targets; None where it failed, which `error` explains. seconds: of training and forecasting."""

    losses: np.ndarray | None
    seconds: float
    error: str | None = None


def score(candidate: Candidate, data: Data, *, seconds: float, seed: int = 0) -> Score:
    """Train a candidate for so many seconds at most, and measure it on the test part of `data`, which is a block."""
    started = time.perf_counter()
    try:
        with time_limit(GRACE * seconds + 1):
            data = data.with_lookback(candidate.lookback)
            model = create(candidate.variant, data.problem, seed=seed, **candidate.params)
            config = FitConfig.of({"device": "cpu", **candidate.fit, "max_seconds": seconds})
            fit(model, data.train, data.valid, config, seed=seed)
            losses = block_losses(forecast(model, data.test), data)
    except Exception as error:  # a variant may raise anything
        return Score(None, time.perf_counter() - started, message_of(error))
    return Score(losses, time.perf_counter() - started)


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
