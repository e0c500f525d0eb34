"""How long cells will take here: a few training steps of each variant, times the epochs that training usually needs."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from zoo.cell import Cell
from zoo.data.dataset import Data
from zoo.registry import create
from zoo.run.serving import THREADS
from zoo.train.config import FitConfig
from zoo.train.descent import steps_of_epoch
from zoo.train.fit import fit
from zoo.train.step import torch_threads

STEPS = 4  # of training that are timed
EPOCHS = 3  # times patience: what early stopping took on average over the committed results
OVERHEAD = 0.5  # seconds of a cell besides training: data, scoring, storing
SOLVED = 1.0  # seconds of a variant that is not trained by gradient descent


def expected_seconds(cells: Sequence[Cell], data: Data) -> dict[str, float]:
    """Seconds by the key of each cell, on one worker of this machine that shares it with no other; a rough guess.

    Seeds of a variant take equally long. A variant that cannot be trained takes as long as one that is not.
    """
    seconds: dict[str, float] = {}
    alike: dict[str, float] = {}
    with torch_threads(THREADS):
        for cell in cells:
            asked = f"{cell.variant} {cell.params} {cell.fit}"
            if asked not in alike:
                alike[asked] = OVERHEAD + (SOLVED if cell.fit is None else _training(cell, data))
            seconds[cell.key] = alike[asked]
    return seconds


def wall_seconds(seconds: Iterable[float], workers: int) -> float:
    """How long so many workers take for cells that take these seconds each."""
    each = list(seconds)
    return max(sum(each) / workers, max(each, default=0.0))


def _training(cell: Cell, data: Data) -> float:
    config = FitConfig.of({**(cell.fit or {}), "mode": "eager", "device": cell.device})
    epochs = min(config.max_epochs, EPOCHS * config.patience or config.max_epochs)
    in_epoch = steps_of_epoch(data.train, config)
    steps = min(in_epoch * epochs, config.max_batches or in_epoch * epochs)
    timed = min(STEPS, in_epoch)
    clock = time.thread_time if cell.device == "cpu" else time.perf_counter  # beside workers that have begun
    try:
        model = create(cell.variant, data.problem, **cell.params)
        for count in (1, timed):  # the first compiles, and warms up
            began = clock()
            fit(model, data.train, None, replace(config, max_epochs=1, max_batches=count), seed=0)
            seconds = clock() - began
    except Exception:  # a variant may raise anything; its row will say so
        return SOLVED
    return seconds / timed * steps
