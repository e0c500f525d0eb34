"""Plan: a study that has been checked and can run, from its settings as the user gave them."""

import importlib.util
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, PartialFixedSampler, RandomSampler, TPESampler

from zoo.data.dataset import Data
from zoo.data.origins import origins
from zoo.errors import InputError, unknown
from zoo.plugins import Code
from zoo.registry import variant
from zoo.seeding import stream_seed
from zoo.suite import task_of
from zoo.train.fit import resolve_device
from zoo.train.modes import mode_on
from zoo.tuning.search import Search, StudySettings, search_for
from zoo.tuning.trial import OBJECTIVES

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed),
    "random": lambda seed: RandomSampler(seed=seed),
    "grid": lambda seed: RandomSampler(seed=seed),  # with every value fixed, see Plan.sampler
    "gp": lambda seed: GPSampler(seed=seed, warn_independent_sampling=False),
    "cmaes": lambda seed: CmaEsSampler(seed=seed, warn_independent_sampling=False),
}
PRUNERS = ("median", "hyperband", "none")
STARTUP_TRIALS, WARMUP_EPOCHS = 5, 5  # of the median pruner
RUNGS = 27  # hyperband's longest training over its shortest


@dataclass(frozen=True)
class Plan:
    """A study that can run. trials: at most the points of a grid; repeats: 1 for a variant without randomness."""

    variant: str
    data: Data
    settings: StudySettings
    search: Search
    pruner: BasePruner
    trials: int
    repeats: int
    device: str

    @property
    def code(self) -> Code:
        """The variant's code, as rows record it."""
        return variant(self.variant).code.portable

    def sampler(self, place: int) -> BaseSampler:
        """The sampler of one trial, drawn from the seed and the trial's place in the study.

        So an interrupted study resumes with the trials that it would have had; one sampler for all trials would repeat
        the first ones.
        """
        name, seed = self.settings.sampler, self.settings.seed
        sampler = SAMPLERS[name](stream_seed(seed, f"sampler {place}") % 2**32)
        if name != "grid":
            return sampler
        # Not Optuna's GridSampler: it counts by trial number, and a trial that was lost takes one.
        grid = self.search.grid()
        order = _grid_order(grid_size(self.search), seed)
        places = np.unravel_index(order[place % len(order)], [len(values) for values in grid.values()], order="F")
        return PartialFixedSampler(
            {name: values[number] for (name, values), number in zip(grid.items(), places, strict=True)}, sampler
        )

    def request(self) -> dict[str, Any]:
        """What identifies the study: a study in storage is resumed only if all of this is equal."""
        data, search, settings = self.data, self.search, self.settings
        fixed = {name: value for name, value in search.base.items() if name not in search.ranges}
        if "fit.mode" in fixed:  # as it runs here: studies that are older than auto asked for eager
            fixed["fit.mode"] = mode_on(torch.device(self.device), fixed["fit.mode"])
        request = {
            "variant": self.variant,
            "code": self.code.sha256,
            "data": [data.fingerprint, data.missing, *([data.outliers.policy] if data.outliers is not None else [])],
            "problem": task_of(data).model_dump(),
            "settings": fixed,
            "ranges": search.plain_ranges(),
            "objectives": settings.objectives,
            "sampler": settings.sampler,
            "pruner": type(self.pruner).__name__,
            "seed": settings.seed,
            "repeats": self.repeats,
            **({"folds": settings.folds} if settings.folds > 1 else {}),  # studies that are older had one
            "device": self.device,
        }
        plain: dict[str, Any] = json.loads(json.dumps(request))
        return plain


def plan_of(name: str, data: Data, settings: StudySettings) -> Plan:
    """The plan of a study of variant `name`; raises InputError for settings that cannot be met."""
    sampler, objectives = settings.sampler, settings.objectives
    for objective in objectives:
        if objective not in OBJECTIVES:
            raise unknown("objective", objective, OBJECTIVES)
    if not objectives or len(set(objectives)) < len(objectives):
        raise InputError(f"objectives must be different names of {', '.join(OBJECTIVES)}, got {','.join(objectives)}")
    if sampler not in SAMPLERS:
        raise unknown("sampler", sampler, SAMPLERS)
    if sampler == "cmaes" and importlib.util.find_spec("cmaes") is None:
        raise InputError("sampler cmaes needs the package cmaes: install 'lstm-zoo[tune]'")
    if sampler == "cmaes" and len(objectives) > 1:
        raise InputError("sampler cmaes takes one objective: choose tpe, gp or random for several")
    if data.panel is not None:
        raise InputError("zoo tune works on one series: choose it with --only, or leave out --series")
    if data.valid is None:
        raise InputError("tuning compares trials on the validation part, and the split leaves none: change --split")
    origins(data.without_test() if settings.folds > 1 else data, settings.folds)
    search = search_for(name, data, settings)
    return Plan(
        variant=name,
        data=data,
        settings=settings,
        search=search,
        pruner=_pruner(settings.pruner, objectives, search.base["fit.max_epochs"]),
        trials=min(settings.trials, grid_size(search)) if sampler == "grid" else settings.trials,
        repeats=1 if variant(name).is_deterministic else settings.repeats,
        device=resolve_device(settings.config.device).type,
    )


def grid_size(search: Search) -> int:
    """Points of the whole grid."""
    return math.prod(len(values) for values in search.grid().values())


@lru_cache(maxsize=8)
def _grid_order(size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(size)


def _pruner(name: str | None, objectives: tuple[str, ...], max_epochs: int) -> BasePruner:
    """The pruner called `name`; by default median where the validation loss is the only objective, otherwise none."""
    can_prune = objectives == ("valid_loss",)
    if name is None:
        name = "median" if can_prune else "none"
    if name not in PRUNERS:
        raise unknown("pruner", name, PRUNERS)
    if name != "none" and not can_prune:
        raise InputError(
            f"pruner {name} needs valid_loss as the only objective, got {','.join(objectives)}: use --pruner none"
        )
    if name == "median":
        return MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS)
    if name == "hyperband":
        return HyperbandPruner(min_resource=max(1, max_epochs // RUNGS), max_resource=max_epochs)
    return NopPruner()
