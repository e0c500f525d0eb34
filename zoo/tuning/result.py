"""StudyResult: the state of a study, its best settings and its cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import optuna
from optuna.pruners import HyperbandPruner
from optuna.trial import FrozenTrial, TrialState

from zoo.cell import CostFields
from zoo.errors import InputError
from zoo.train.config import FitConfig
from zoo.tuning.plan import Plan
from zoo.tuning.search import START
from zoo.tuning.trial import Point

CLOCK_OBJECTIVES = {"latency_ms", "train_seconds"}


@dataclass(frozen=True)
class StudyResult:
    """The state of a study: Optuna's own `study`, its cost, and its best settings.

    notes: what a reader should know, such as that the trials cannot be repeated. With several objectives the best trial
    is the one of the Pareto front with the lowest first objective.
    """

    plan: Plan
    study: optuna.Study
    cost: CostFields
    notes: tuple[str, ...] = ()

    @property
    def objectives(self) -> tuple[str, ...]:
        """What was minimised."""
        return self.plan.settings.objectives

    @property
    def best_trial(self) -> FrozenTrial:
        """The best complete trial; raises InputError where no trial is complete."""
        if self.cost.complete == 0:
            errors = [t.user_attrs["error"] for t in self.study.get_trials(deepcopy=False) if "error" in t.user_attrs]
            why = f"; the last one failed with {errors[-1]}" if errors else ""
            raise InputError(f"study '{self.study.study_name}': none of {self.cost.trials} trials has a value{why}")
        return min(self.study.best_trials, key=lambda trial: (trial.values[0], trial.number))

    @property
    def start_value(self) -> float | None:
        """The first objective at the settings that the study started from, where that trial is complete."""
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return next((float(trial.values[0]) for trial in trials if START in trial.user_attrs), None)

    @property
    def is_reproducible(self) -> bool:
        """Whether the same call gives the same trials: one after the other, and nothing depends on a clock."""
        plan, trials = self.plan, self.study.get_trials(deepcopy=False)
        has_clock = CLOCK_OBJECTIVES & set(self.objectives) or plan.search.base["fit.max_seconds"]
        # Optuna's CMA-ES and Hyperband count by trial number, and a trial that was lost takes one.
        counts_numbers = plan.settings.sampler == "cmaes" or isinstance(plan.pruner, HyperbandPruner)
        is_sequential = all(end <= start for (_, end), (start, _) in pairwise(_spans(trials)))
        return is_sequential and not has_clock and not (self.cost.lost and counts_numbers)

    @property
    def best(self) -> Point:
        """All settings of the best trial."""
        return self.plan.search.point_of(self.best_trial)

    @property
    def best_params(self) -> dict[str, Any]:
        """All parameters of the variant: `zoo.create(variant, data.problem, **best_params)`."""
        return self.best.params

    @property
    def best_fit(self) -> FitConfig:
        """The training settings."""
        return FitConfig.of({**self.best.fit, "device": self.plan.device})

    @property
    def best_lookback(self) -> int:
        """The lookback, where it was searched: `data.with_lookback(best_lookback)`."""
        return self.best.lookback

    @property
    def best_value(self) -> float:
        """The first objective of the best trial."""
        return float(self.best_trial.values[0])


def cost_of(trials: Sequence[FrozenTrial]) -> CostFields:
    """The cost of the trials that have ended.

    seconds: of all trials together, on all workers; busy_seconds: of the clock while at least one of them ran. Neither
    contains trials of a process that died, because nobody saw when they ended.
    """
    lost = _lost(trials)
    states = [trial.state for trial in counted_trials(trials) if trial.state.is_finished()]
    spans = _spans([trial for trial in trials if trial.number not in lost or "error" in trial.user_attrs])
    busy, reached = 0.0, float("-inf")
    for start, end in spans:
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return CostFields(
        trials=len(states),
        complete=states.count(TrialState.COMPLETE),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
        lost=len(lost),
        seconds=sum(end - start for start, end in spans),
        busy_seconds=busy,
    )


def counted_trials(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials that count against the budget, running or ended: no lost trial that was run again, no surplus one."""
    lost = _lost(trials)
    waiting = TrialState.WAITING
    return [t for t in trials if t.state != waiting and t.number not in lost and not t.user_attrs.get("surplus")]


def earlier_runs(trial: FrozenTrial) -> list[int]:
    """The numbers of the lost trials that this one runs again."""
    earlier = trial.user_attrs.get("retry_of")  # written by an earlier version
    return trial.system_attrs.get("retry_history", []) if earlier is None else [earlier]


def _lost(trials: Sequence[FrozenTrial]) -> set[int]:
    return {number for trial in trials for number in earlier_runs(trial)}


def _spans(trials: Sequence[FrozenTrial]) -> list[tuple[float, float]]:
    """When each trial began and ended, in order; trials without one of the two are left out."""
    times = [(trial.datetime_start, trial.datetime_complete) for trial in trials]
    return sorted((start.timestamp(), end.timestamp()) for start, end in times if start and end)
