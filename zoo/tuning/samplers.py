"""Samplers and pruners by name.

Each trial gets a new sampler, drawn from the seed and the trial's place in the study: a study that was interrupted then
goes on with the trials that it would have had, where a sampler seeded once at the start would repeat the first ones.
"""

import importlib.util
from collections.abc import Callable, Sequence

import numpy as np
import optuna

from zoo.errors import InputError, unknown
from zoo.seeding import stream_seed
from zoo.tuning.search import Search

SAMPLERS = ("tpe", "random", "grid", "gp", "cmaes")
PRUNERS = ("median", "hyperband", "none")
STARTUP_TRIALS, WARMUP_EPOCHS = 5, 5  # of the median pruner
RUNGS = 27  # hyperband's longest training over its shortest
Samplers = Callable[[int], optuna.samplers.BaseSampler]


def samplers_for(name: str, search: Search, objectives: Sequence[str], seed: int) -> Samplers:
    """The samplers of a study, by the place of the trial; raises InputError."""
    if name not in SAMPLERS:
        raise unknown("sampler", name, SAMPLERS)
    if name == "cmaes" and importlib.util.find_spec("cmaes") is None:
        raise InputError("sampler cmaes needs the package cmaes: install 'lstm-zoo[tune]'")
    if name == "cmaes" and len(objectives) > 1:
        raise InputError("sampler cmaes takes one objective: choose tpe, gp or random for several")
    order = np.random.default_rng(seed).permutation(search.grid_size()) if name == "grid" else np.empty(0)

    def sampler(place: int) -> optuna.samplers.BaseSampler:
        own = stream_seed(seed, f"sampler {place}") % 2**32
        if name == "grid":
            # Not Optuna's GridSampler: it counts by trial number, and a trial that was lost takes one.
            point = search.grid_point(int(order[place % len(order)]))
            return optuna.samplers.PartialFixedSampler(point, optuna.samplers.RandomSampler(seed=own))
        if name == "random":
            return optuna.samplers.RandomSampler(seed=own)
        if name == "gp":
            return optuna.samplers.GPSampler(seed=own, warn_independent_sampling=False)
        if name == "cmaes":
            return optuna.samplers.CmaEsSampler(seed=own, warn_independent_sampling=False)
        return optuna.samplers.TPESampler(seed=own)

    return sampler


def pruner_for(name: str | None, objectives: Sequence[str], max_epochs: int) -> optuna.pruners.BasePruner:
    """The pruner called `name`; by default median where the validation loss is the only objective, otherwise none."""
    can_prune = list(objectives) == ["valid_loss"]
    if name is None:
        name = "median" if can_prune else "none"
    if name not in PRUNERS:
        raise unknown("pruner", name, PRUNERS)
    if name != "none" and not can_prune:
        raise InputError(
            f"pruner {name} needs valid_loss as the only objective, got {','.join(objectives)}: use --pruner none"
        )
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=max(1, max_epochs // RUNGS), max_resource=max_epochs)
    return optuna.pruners.NopPruner()
