"""How long cells will take here: a few training steps of each variant, times the epochs that training usually needs.

How many epochs early stopping leaves depends on the data. Over results/standard it was, by the geometric mean, 1.7
times patience for the six series whose next change nothing foretells, and 4.7 times for the others.
"""

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from zoo.cell import Cell
from zoo.data.dataset import Data
from zoo.registry import create, variant
from zoo.run.serving import THREADS
from zoo.train.config import FitConfig
from zoo.train.descent import steps_of_epoch
from zoo.train.evaluate import evaluate
from zoo.train.fit import fit
from zoo.train.step import torch_threads

FEW, MANY = 2, 8  # training steps; the difference between them is timed, without what begins a training
WALK, LEARNABLE, UNKNOWN = 1.7, 4.7, 3.0  # epochs, times patience
PROBE_SECONDS = 3.0  # of the processor; then no further variant is timed: its first use on a machine may compile it
LEAST_SKILL = 0.1  # of ridge on validation rows, from which on a series can be learned
MOST_WINDOWS = 50_000  # to try ridge on
OVERHEAD = 0.1  # seconds of a cell besides training: data, scoring, storing
SOLVED = 1.0  # seconds of a variant that is not trained by gradient descent


def expected_seconds(cells: Sequence[Cell], data: Data) -> dict[str, float]:
    """Seconds by the key of each cell, on one worker of this machine that shares it with no other; a rough guess.

    Seeds of a variant take equally long. A variant that cannot be trained takes as long as one that is not, and one
    that there was no time to try as long as the others on average. So does one from a file or package: what it does
    when it trains is for a worker to find out.
    """
    alike: dict[str, float] = {}
    tried: list[float] = []
    until = time.process_time() + PROBE_SECONDS
    with torch_threads(THREADS):
        patiences = _patiences(data) if any(cell.fit is not None for cell in cells) else UNKNOWN
        for cell in cells:
            settings = _settings(cell)
            if settings in alike:
                continue
            if cell.fit is None:
                alike[settings] = SOLVED
            elif variant(cell.variant).code.kind == "zoo" and time.process_time() < until:
                alike[settings] = _training(cell, data, patiences)
                tried.append(alike[settings])
    others = statistics.fmean(tried) if tried else SOLVED
    return {cell.key: OVERHEAD + alike.get(_settings(cell), others) for cell in cells}


def _settings(cell: Cell) -> str:
    return f"{cell.variant} {cell.params} {cell.fit}"


def wall_seconds(seconds: Iterable[float], workers: int) -> float:
    """How long so many workers take for cells that take these seconds each."""
    each = list(seconds)
    return max(sum(each) / workers, max(each, default=0.0))


def _patiences(data: Data) -> float:
    """How often patience goes into the epochs that early stopping will leave."""
    if data.problem.task != "forecast" or data.valid is None or len(data.train) > MOST_WINDOWS:
        return UNKNOWN
    try:
        ridge = create("ridge", data.problem)
        fit(ridge, data.train, None, FitConfig(device="cpu"), seed=0)
        return LEARNABLE if evaluate(ridge, data.valid)["skill"] >= LEAST_SKILL else WALK
    except Exception:  # such as a validation part that naive forecasts without an error
        return UNKNOWN


def _training(cell: Cell, data: Data, patiences: float) -> float:
    config = FitConfig.of({**(cell.fit or {}), "mode": "eager", "device": cell.device})
    stops = config.patience > 0 and data.valid is not None
    epochs = min(config.max_epochs, patiences * config.patience) if stops else config.max_epochs
    in_epoch = steps_of_epoch(data.train, config)
    steps = min(in_epoch * epochs, config.max_batches or in_epoch * epochs)
    many = min(MANY, in_epoch)
    few = min(FEW, many - 1)
    seconds = dict.fromkeys((few, many), 0.0)
    clock = time.thread_time if cell.device == "cpu" else time.perf_counter  # beside workers that have begun
    try:
        model = create(cell.variant, data.problem, **cell.params)
        for count in (1, *filter(None, seconds)):  # the first compiles, and warms up
            began = clock()
            fit(model, data.train, None, replace(config, max_epochs=1, max_batches=count), seed=0)
            seconds[count] = clock() - began
    except Exception:  # a variant may raise anything; its row will say so
        return SOLVED
    return max(0.0, (seconds[many] - seconds[few]) / (many - few)) * steps
