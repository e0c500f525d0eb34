"""What a study leaves in its folder: best.json, trials.jsonl and pictures; all can be made again from the storage."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from zoo.data.prepare import Data
from zoo.errors import InputError
from zoo.files import write_atomically
from zoo.run import environment
from zoo.run.tuned import FORMAT
from zoo.train.config import FitConfig
from zoo.tuning.pictures import draw
from zoo.tuning.result import StudyResult, described
from zoo.tuning.search import START
from zoo.tuning.storage import ORDINAL


def keep(
    result: StudyResult, data: Data, folder: Path, *, budget: dict[str, Any], storage: str, command: str | None = None
) -> list[str]:
    """Write the folder's files and return sentences on what could not be written.

    budget: trials, timeout and jobs of the study; storage: as shown to a reader. Without a complete trial
    there is no best.json.
    """
    trials = result.study.get_trials(deepcopy=False)
    lines = [json.dumps(_plain(trial, result)) + "\n" for trial in trials if trial.state.is_finished()]
    said = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "trials.jsonl", "".join(lines).encode())
        if result.cost.complete == 0:
            (folder / "best.json").unlink(missing_ok=True)
            return ["no trial is complete: there is no best.json"]
        best = _best(result, data, budget, storage, command)
        write_atomically(folder / "best.json", (json.dumps(best, indent=2) + "\n").encode())
        said = draw(result.study, result.objectives, folder)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; the study itself is kept") from error
    return said


def _best(result: StudyResult, data: Data, budget: dict[str, Any], storage: str, command: str | None) -> dict[str, Any]:
    trial, point = result.best_trial, result.best
    asked = result.study.user_attrs["asked"]
    values = _values(trial, result.objectives)
    found = {
        "format": FORMAT,
        "variant": result.variant,
        "params": point.params,
        "fit": FitConfig.of(point.fit).settings(),
        "lookback": point.lookback,
        "trial": trial.number,
        "valid_loss": values.get("valid_loss", trial.user_attrs.get("valid_loss")),
        "objectives": values,
        "data": {"source": data.source, "fingerprint": data.fingerprint},
        "problem": described(data),
        "study": {
            "name": result.study.study_name,
            "storage": storage,
            **{name: asked[name] for name in ("sampler", "pruner", "seed", "repeats", "ranges", "settings")},
            "is_reproducible": result.is_reproducible,
            "source": asked.get("source"),  # of a variant from outside: what it was when it was tuned
        },
        "budget": {
            **budget,
            **{name: point.fit[name] for name in ("max_epochs", "max_batches", "max_seconds")},
        },
        "cost": asdict(result.cost),
        "machine": environment.machine(result.device),
        "versions": {**environment.versions(), "optuna": optuna.__version__},
        "commit": environment.commit(),
        "command": command,
    }
    if len(result.objectives) > 1:
        found["front"] = [
            {"trial": t.number, **_values(t, result.objectives), "params": result.search.ran(t)}
            for t in result.study.best_trials
        ]
    return found


def _plain(trial: FrozenTrial, result: StudyResult) -> dict[str, Any]:
    assert trial.datetime_start is not None and trial.datetime_complete is not None
    ended, names = trial.state.name.lower(), result.objectives
    return {
        "trial": trial.number,
        "state": "failed" if ended == "fail" else ended,
        **(_values(trial, names) if trial.state.name == "COMPLETE" else dict.fromkeys(names)),
        "params": result.search.ran(trial),
        "is_start": START in trial.user_attrs,
        **{name: value for name, value in trial.user_attrs.items() if name not in ("owner", ORDINAL, START)},
        "started": trial.datetime_start.astimezone().isoformat(timespec="milliseconds"),
        "seconds": (trial.datetime_complete - trial.datetime_start).total_seconds(),
    }


def _values(trial: FrozenTrial, objectives: tuple[str, ...]) -> dict[str, float]:
    return dict(zip(objectives, trial.values, strict=True))
