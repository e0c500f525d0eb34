"""What a tracker shows of a study and its trials."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from optuna.trial import FrozenTrial, TrialState

from zoo.tracking.run import Run, key_of, metrics_from, settings_from
from zoo.tuning.plan import Plan
from zoo.tuning.result import StudyResult

STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def study_run(name: str, storage: str | None, folder: Path | None) -> Run:
    """A study, below which its trials lie."""
    place = storage or (folder.resolve() if folder is not None else uuid4())
    return Run(key_of(place, name), name, name)


def trial_run(plan: Plan, trial: FrozenTrial, group: Run, losses: Mapping[int, float] | None = None) -> Run:
    """A trial that has ended; losses: on validation, by epoch, where somebody watched it."""
    started, ended, objectives = trial.datetime_start, trial.datetime_complete, plan.settings.objectives
    values = dict(zip(objectives, trial.values or (), strict=False))
    return Run(
        key=key_of(group.key, trial.number, started),
        name=f"{plan.variant} trial {trial.number}",
        suite=group.suite,
        group=group.key,
        state=STATES[trial.state],  # type: ignore[arg-type]
        parameters=settings_from({"variant": plan.variant, **plan.search.settings_of(trial)}),
        curves={"valid_loss": losses} if losses else {},
        metrics=metrics_from(values, "objective/") | metrics_from(trial.user_attrs),
        tags={name: str(value) for name, value in trial.user_attrs.items() if isinstance(value, str)},
        started=started,
        seconds=(ended - started).total_seconds() if ended is not None and started is not None else None,
    )


def ended_run(result: StudyResult, folder: Path | None, group: Run) -> Run:
    """A study that has ended, with its best trial and its files."""
    paths = [folder / name for name in ("best.json", "trials.jsonl")] if folder is not None else []
    texts = {path.name: path.read_text(encoding="utf-8") for path in paths if path.exists()}
    group = replace(group, state="finished", texts=texts)
    if result.cost.complete == 0:
        return group
    trial = result.best_trial
    best = trial_run(result.plan, trial, group)
    settings = {f"best.{name}": str(value) for name, value in best.parameters.items()}
    metrics = {**best.metrics, "trials": float(result.cost.trials)}
    return replace(group, metrics=metrics, tags={"best_trial": str(trial.number), **settings}, best=best.key)
