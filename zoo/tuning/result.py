"""StudyResult: a study as it stands."""

from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from zoo.data.prepare import Data
from zoo.errors import InputError
from zoo.train.config import FitConfig
from zoo.tuning.cost import Cost, is_sequential
from zoo.tuning.search import Point, Search


@dataclass(frozen=True)
class StudyResult:
    """A study as it stands: Optuna's own `study`, what it cost, and its best settings.

    notes: what a reader should know, such as that the trials cannot be repeated. With several objectives the
    best trial is the one of the Pareto front with the lowest first objective.
    """

    variant: str
    study: optuna.Study
    search: Search
    objectives: tuple[str, ...]
    cost: Cost
    device: str
    notes: tuple[str, ...] = ()

    @property
    def best_trial(self) -> FrozenTrial:
        """The best complete trial; raises InputError where none is."""
        if self.cost.complete == 0:
            errors = [t.user_attrs["error"] for t in self.study.get_trials(deepcopy=False) if "error" in t.user_attrs]
            why = f": the last said {errors[-1]}" if errors else ""
            raise InputError(f"study '{self.study.study_name}': no trial of {self.cost.trials} ended with a value{why}")
        return min(self.study.best_trials, key=lambda trial: (trial.values[0], trial.number))

    @property
    def is_reproducible(self) -> bool:
        """Whether the same call gives the same trials: one after the other, and nothing depends on a clock."""
        has_clock = {"latency_ms", "train_seconds"} & set(self.objectives) or self.search.base["fit.max_seconds"]
        asked = self.study.user_attrs["asked"]
        # Optuna's CMA-ES and Hyperband count by trial number, and a trial that was lost takes one.
        has_moved = self.cost.lost > 0 and (asked["sampler"] == "cmaes" or asked["pruner"] == "HyperbandPruner")
        return not has_clock and not has_moved and is_sequential(self.study.get_trials(deepcopy=False))

    @property
    def best(self) -> Point:
        """All settings of the best trial."""
        return self.search.point_of(self.best_trial)

    @property
    def best_params(self) -> dict[str, Any]:
        """All parameters of the variant: `zoo.create(variant, data.problem, **best_params)`."""
        return self.best.params

    @property
    def best_fit(self) -> FitConfig:
        """The training settings."""
        return FitConfig.of({**self.best.fit, "device": self.device})

    @property
    def best_lookback(self) -> int:
        """The lookback, where it was searched: `data.with_lookback(best_lookback)`."""
        return self.best.lookback

    @property
    def best_value(self) -> float:
        """The first objective of the best trial."""
        return float(self.best_trial.values[0])


def described(data: Data) -> dict[str, Any]:
    """The problem as a study's identity: without the lookback, which belongs to its settings or ranges."""
    bounds = data.split
    return {
        "task": data.problem.task,
        "horizon": data.problem.horizon,
        "channels": list(data.channels),
        "targets": list(data.targets),
        "split": [bounds.train_end, bounds.valid_end - bounds.train_end, bounds.test_end - bounds.valid_end],
        "scaler": data.scaler.name,
        "normalise": data.problem.normalise,
    }
