"""The files of a study: best.json, trials.jsonl and pictures; all can be written again from the storage."""

import io
import json
import threading
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from zoo.cell import Best
from zoo.errors import InputError
from zoo.files import MARK, check_contents, remove_picture, write_atomically
from zoo.records import record_from
from zoo.run import environment
from zoo.train.config import FitConfig
from zoo.tuning.result import StudyResult, earlier_runs
from zoo.tuning.search import START

SIZES = {"parallel": (15, 6), "pareto": (8, 6)}  # inches
_pyplot = threading.Lock()  # pyplot has one current figure for all threads


def write_files(result: StudyResult, folder: Path, *, storage: str, command: str | None) -> list[str]:
    """Write the files of a study and return sentences on those that could not be written.

    storage: its name, without a password. Without a complete trial there is no best.json.
    """
    trials = result.study.get_trials(deepcopy=False)
    lines = [json.dumps(_line(trial, result)) + "\n" for trial in trials if trial.state.is_finished()]
    try:
        check_contents(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "trials.jsonl", "".join(lines).encode())
        if result.cost.complete == 0:
            (folder / "best.json").unlink(missing_ok=True)
            return ["no trial is complete, so there is no best.json"]
        best = _best(result, storage, command)
        write_atomically(folder / "best.json", (best.model_dump_json(indent=2) + "\n").encode())
        return _draw(result, folder)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; the study itself is safe") from error


def _best(result: StudyResult, storage: str, command: str | None) -> Best:
    """The best settings of a study, with all that is needed to judge and repeat them."""
    plan, trial, point = result.plan, result.best_trial, result.best
    values, request = _values(trial, result), plan.request()
    caps = {name: point.fit[name] for name in ("max_epochs", "max_batches", "max_seconds")}
    budget = {"trials": max(plan.trials, result.cost.trials), "timeout": plan.settings.timeout, "repeats": plan.repeats}
    study = {name: request[name] for name in ("sampler", "pruner", "seed", "repeats", "ranges", "settings")}
    front = [
        {"trial": t.number, "objectives": _values(t, result), "params": plan.search.settings_of(t)}
        for t in result.study.best_trials
    ]
    fields = {
        "variant": plan.variant,
        "params": point.params,
        "fit": FitConfig.of(point.fit).settings(),
        "lookback": point.lookback,
        "trial": trial.number,
        "valid_loss": values.get("valid_loss", trial.user_attrs.get("valid_loss")),
        "objectives": values,
        "data": {"source": plan.data.source, "fingerprint": plan.data.fingerprint},
        "problem": request["problem"],
        "study": {
            **study,
            **({"folds": plan.settings.folds} if plan.settings.folds > 1 else {}),
            "name": result.study.study_name,
            "storage": storage,
            "is_reproducible": result.is_reproducible,
            "code": plan.code,
        },
        "budget": {**budget, **caps},
        "cost": result.cost,
        "machine": environment.machine(plan.device),
        "versions": {**environment.versions(), "optuna": optuna.__version__},
        "commit": environment.commit(),
        "command": command,
        "front": front if len(result.objectives) > 1 else None,
    }
    return record_from(Best, fields)


def _line(trial: FrozenTrial, result: StudyResult) -> dict[str, Any]:
    """A trial as a line of trials.jsonl; seconds: None where the storage does not know when it began."""
    state, started, earlier = trial.state.name.lower(), trial.datetime_start, earlier_runs(trial)
    return {
        "trial": trial.number,
        "state": "failed" if state == "fail" else state,
        **(_values(trial, result) if state == "complete" else dict.fromkeys(result.objectives)),
        "params": result.plan.search.settings_of(trial),
        "is_start": START in trial.user_attrs,
        **({"retry_of": earlier[-1]} if earlier else {}),
        **{name: value for name, value in trial.user_attrs.items() if name != START},
        "started": started.astimezone().isoformat(timespec="milliseconds") if started else None,
        "seconds": (trial.datetime_complete - started).total_seconds() if trial.datetime_complete and started else None,
    }


def _values(trial: FrozenTrial, result: StudyResult) -> dict[str, float]:
    return dict(zip(result.objectives, trial.values, strict=True))


def _draw(result: StudyResult, folder: Path) -> list[str]:
    """Write PNG files, drawn by Optuna, and return sentences on those that could not be drawn.

    history.png, importances.png and parallel.png show the first objective; pareto.png the front of two or three.
    """
    from optuna.visualization import matplotlib as plots

    study, objectives = result.study, result.objectives
    first: dict[str, Any] = {"target_name": objectives[0]}
    if len(objectives) > 1:
        first["target"] = lambda trial: trial.values[0]
    pictures: dict[str, Callable[[], Any]] = {
        "history": partial(plots.plot_optimization_history, study, **first),
        "importances": partial(plots.plot_param_importances, study, **first),
        "parallel": partial(plots.plot_parallel_coordinate, study, **first),
    }
    if len(objectives) in (2, 3):
        pictures["pareto"] = partial(plots.plot_pareto_front, study, target_names=list(objectives))
    notes = []
    for name, plot in pictures.items():
        path = folder / f"{name}.png"
        try:
            if result.cost.complete < 2:
                raise ValueError("fewer than two trials are complete")
            _save(plot, path)
        except (ValueError, RuntimeError, ZeroDivisionError) as error:
            remove_picture(path)
            notes.append(f"{name}.png could not be drawn: {' '.join(str(error).split())}")
    return notes


def _save(plot: Callable[[], Any], path: Path) -> None:
    import matplotlib.pyplot as plt

    with _pyplot, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of experimental features, and of layouts that do not quite fit
        try:
            plot()
            figure = plt.gcf()
            figure.set_size_inches(*SIZES.get(path.stem, (9, 5)))
            for axes in figure.axes if path.stem == "parallel" else ():
                axes.grid(visible=False)  # each axis has its own ticks: one grid belongs to none
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", metadata={"Software": MARK})
            write_atomically(path, buffer.getvalue())
        finally:
            plt.close("all")
