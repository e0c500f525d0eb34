"""The files of a study: best.json, trials.jsonl and pictures; all can be written again from the storage."""

import json
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from zoo.cell import Best, BudgetFields, FrontPoint, Machine, StudyData, StudyFields
from zoo.data.prepare import Data
from zoo.errors import InputError
from zoo.files import write_atomically
from zoo.run import environment
from zoo.suite import task_of
from zoo.train.config import FitConfig
from zoo.tuning.pictures import draw
from zoo.tuning.result import StudyResult, earlier_runs
from zoo.tuning.search import START


def write_files(result: StudyResult, data: Data, folder: Path, *, storage: str, command: str | None) -> list[str]:
    """Write the files of a study and return sentences on those that could not be written.

    storage: its name for readers. Without a complete trial there is no best.json.
    """
    trials = result.study.get_trials(deepcopy=False)
    lines = [json.dumps(_line(trial, result)) + "\n" for trial in trials if trial.state.is_finished()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "trials.jsonl", "".join(lines).encode())
        if result.cost.complete == 0:
            (folder / "best.json").unlink(missing_ok=True)
            return ["no trial is complete, so there is no best.json"]
        best = best_of(result, data, storage=storage, command=command)
        write_atomically(folder / "best.json", (best.model_dump_json(indent=2) + "\n").encode())
        return draw(result.study, result.objectives, folder)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; the study itself is safe") from error


def best_of(result: StudyResult, data: Data, *, storage: str, command: str | None) -> Best:
    """The best settings of a study, with all that is needed to judge and repeat them."""
    plan, trial, point = result.plan, result.best_trial, result.best
    values = _values(trial, result.objectives)
    request = plan.request(data)
    caps = {name: point.fit[name] for name in ("max_epochs", "max_batches", "max_seconds")}
    front = [
        FrontPoint(trial=t.number, objectives=_values(t, result.objectives), params=result.search.ran(t))
        for t in result.study.best_trials
    ]
    return Best(
        variant=result.variant,
        params=point.params,
        fit=FitConfig.of(point.fit).settings(),
        lookback=point.lookback,
        trial=trial.number,
        valid_loss=values.get("valid_loss", trial.user_attrs.get("valid_loss")),
        objectives=values,
        data=StudyData(source=data.source, fingerprint=data.fingerprint),
        problem=task_of(data),
        study=StudyFields(
            name=result.study.study_name,
            storage=storage,
            sampler=plan.settings.sampler,
            pruner=plan.pruner_name,
            seed=plan.settings.seed,
            repeats=plan.repeats,
            ranges=result.search.plain_ranges(),
            settings=request["settings"],
            is_reproducible=result.is_reproducible,
            code=plan.code,
        ),
        budget=BudgetFields(
            trials=max(plan.trials, result.cost.trials), timeout=plan.settings.timeout, repeats=plan.repeats, **caps
        ),
        cost=result.cost,
        machine=Machine(**environment.machine(plan.device)),
        versions={**environment.versions(), "optuna": optuna.__version__},
        commit=environment.commit(),
        command=command,
        front=tuple(front) if len(result.objectives) > 1 else None,
    )


def _line(trial: FrozenTrial, result: StudyResult) -> dict[str, Any]:
    """A trial as a line of trials.jsonl; seconds: None where its storage does not know when it began."""
    state, names, started = trial.state.name.lower(), result.objectives, trial.datetime_start
    earlier = earlier_runs(trial)
    return {
        "trial": trial.number,
        "state": "failed" if state == "fail" else state,
        **(_values(trial, names) if state == "complete" else dict.fromkeys(names)),
        "params": result.search.ran(trial),
        "is_start": START in trial.user_attrs,
        **({"retry_of": earlier[-1]} if earlier else {}),
        **{name: value for name, value in trial.user_attrs.items() if name != START},
        "started": started.astimezone().isoformat(timespec="milliseconds") if started else None,
        "seconds": (trial.datetime_complete - started).total_seconds() if trial.datetime_complete and started else None,
    }


def _values(trial: FrozenTrial, objectives: tuple[str, ...]) -> dict[str, float]:
    return dict(zip(objectives, trial.values, strict=True))
