"""tune: a study of one variant, from its settings to its best trial."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.study import StudyDirection
from sqlalchemy.exc import SQLAlchemyError

from zoo.data.prepare import Data
from zoo.errors import InputError
from zoo.records import checked
from zoo.tuning.files import write_files
from zoo.tuning.plan import Plan, StudySettings, plan_of
from zoo.tuning.result import StudyResult, cost_of
from zoo.tuning.storage import REQUEST, cause_of, opened_storage, shown
from zoo.tuning.supervisor import Supervisor, TrialEvent


@dataclass(frozen=True)
class Place:
    """Where a study is stored and who runs it.

    storage: an Optuna URL, otherwise a database in `folder`, otherwise memory; a study of the same name goes on.
    folder: gets best.json, trials.jsonl and pictures. jobs: worker processes; None trains in this process. command:
    stored in best.json. on_event: called with every TrialEvent; stop: set it to end the study early.
    """

    study_name: str
    storage: str | None = None
    folder: Path | None = None
    jobs: int | None = None
    command: str | None = None
    on_event: Callable[[TrialEvent], None] = lambda _: None
    stop: threading.Event | None = None


def tune(
    variant: str,
    data: Data,
    *,
    study_name: str | None = None,
    storage: str | None = None,
    out: Path | str | None = None,
    jobs: int | None = None,
    command: str | None = None,
    on_event: Callable[[TrialEvent], None] = lambda _: None,
    stop: threading.Event | None = None,
    **settings: Any,
) -> StudyResult:
    """Search the hyperparameters of a variant on train and validation; the test part is cut off first.

    settings: trials=50, timeout, seed=0, repeats=1, sampler="tpe", pruner, objectives=("valid_loss",), params, config,
    fix, ranges and queue, see StudySettings; the rest (study_name: by default the variant), see Place. One job with a
    seed gives the same trials every time, also when it was interrupted; several jobs do not.
    Raises InputError for a wrong request, before anything runs.
    """
    folder = Path(out) if out is not None else None
    place = Place(study_name or variant, storage, folder, jobs, command, on_event, stop)
    with quiet():
        return run_study(variant, data, checked(StudySettings, settings, "tune"), place)


def run_study(variant: str, data: Data, settings: StudySettings, place: Place) -> StudyResult:
    """Run the trials that a study still lacks, and write its files; see tune."""
    if place.jobs is not None and place.jobs < 1:
        raise InputError(f"jobs must be >= 1, got {place.jobs}")
    plan = plan_of(variant, data, settings, has_workers=place.jobs is not None)
    try:
        with opened_storage(place.storage, place.folder) as storage:
            study = _opened_study(storage, place.study_name, plan, data)
            try:
                _run_trials(plan, study, storage, data.without_test(), place)
            finally:
                result = _result(plan, study, data, place)
            return result
    except (StorageInternalError, SQLAlchemyError, OSError) as error:
        raise InputError(
            f"the storage of study '{place.study_name}' failed ({cause_of(error)}): the same command goes on"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's log and its warnings of experimental features."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def _opened_study(storage: optuna.storages.BaseStorage, name: str, plan: Plan, data: Data) -> optuna.Study:
    """The study called `name`, new or as it was left; raises InputError for one that was asked something else."""
    objectives, request = plan.settings.objectives, plan.request(data)
    directions = [StudyDirection.MINIMIZE] * len(objectives)
    study = optuna.create_study(study_name=name, storage=storage, directions=directions, load_if_exists=True)
    before = study.user_attrs.get(REQUEST)
    if before is None and not study.get_trials(deepcopy=False) and study.directions == directions:
        study.set_user_attr(REQUEST, request)
        if len(objectives) > 1:
            study.set_metric_names(list(objectives))
    elif not isinstance(before, dict):
        raise InputError(f"study '{name}' in this storage was not made by zoo tune: choose another --study or --out")
    else:
        before = {"code": request["code"], **before}  # an earlier version did not record it
        differing = [key for key, value in request.items() if before.get(key) != value]
        if differing:
            raise InputError(
                f"study '{name}' in this storage differs from this request in its {', '.join(differing)}: choose "
                "another --out or --study, or repeat the first request"
            )
    for point in plan.queue:
        study.enqueue_trial(point, skip_if_exists=True)
    if not plan.queue and plan.settings.sampler != "grid":
        study.enqueue_trial(*plan.search.start(), skip_if_exists=True)
    return study


def _run_trials(
    plan: Plan, study: optuna.Study, storage: optuna.storages.BaseStorage, data: Data, place: Place
) -> None:
    supervisor = Supervisor(plan, study.study_name, storage, place.on_event, place.stop or threading.Event())
    if place.jobs is None:
        supervisor.run_here(data)
    else:
        supervisor.run_on_workers(data, place.jobs)


def _result(plan: Plan, study: optuna.Study, data: Data, place: Place) -> StudyResult:
    """The study's state, with its files written."""
    result = StudyResult(plan, study, cost_of(study.get_trials(deepcopy=False)))
    notes = _notes(result)
    if place.folder is not None:
        storage = shown(place.storage, place.folder)
        notes += write_files(result, data, place.folder, storage=storage, command=place.command)
    return replace(result, notes=tuple(notes))


def _notes(result: StudyResult) -> list[str]:
    notes, plan, timeout = [], result.plan, result.plan.settings.timeout
    if timeout is not None and result.cost.trials < plan.trials and result.cost.busy_seconds >= timeout:
        notes.append(f"the {timeout:g} s were over after {result.cost.trials} of {plan.trials} trials")
    if not result.is_reproducible:
        notes.append(
            "another run will give other trials: they ran side by side, depended on a clock, or one was lost and the "
            "rest moved up"
        )
    return notes
