"""tune: a study of one variant, from its space to its best settings."""

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from zoo.data.prepare import Data
from zoo.errors import InputError, unknown
from zoo.registry import variant as registered
from zoo.space import Choice
from zoo.space import range_text as described_range
from zoo.train.config import FitConfig
from zoo.train.fit import resolve_device
from zoo.tuning.cost import cost_of
from zoo.tuning.outcome import keep
from zoo.tuning.quiet import quiet
from zoo.tuning.result import StudyResult, described
from zoo.tuning.samplers import pruner_for, sampler_for
from zoo.tuning.search import Search, known_keys, own_key, search_for
from zoo.tuning.storage import Store, open_store
from zoo.tuning.supervisor import Supervisor, TrialEvent
from zoo.tuning.trial import OBJECTIVES


def tune(
    variant: str,
    data: Data,
    *,
    trials: int = 50,
    timeout: float | None = None,
    seed: int = 0,
    repeats: int = 1,
    sampler: str = "tpe",
    pruner: str | None = None,
    objectives: Sequence[str] = ("valid_loss",),
    params: Mapping[str, Any] | None = None,
    config: FitConfig | None = None,
    fix: Mapping[str, Any] | None = None,
    ranges: Mapping[str, Any] | None = None,
    queue: Sequence[Mapping[str, Any]] = (),
    storage: str | None = None,
    out: Path | str | None = None,
    study_name: str | None = None,
    jobs: int | None = None,
    on_event: Callable[[TrialEvent], None] = lambda _: None,
    stop: threading.Event | None = None,
    command: str | None = None,
) -> StudyResult:
    """Search the space of one variant on train and validation; the test part is cut off first.

    params, config: where the search starts (trial 0 runs them); fix, ranges: see search_for; queue: points
    to run first, in place of the start. trials: how many count, in all sessions of the study; timeout:
    seconds after which none begins. repeats: trainings of each trial, with other seeds, whose mean loss is
    its value; a trial is pruned during its first. objectives: of OBJECTIVES, all minimised. storage: an
    Optuna URL, else a journal in `out`, else memory; a study of the same name goes on where it was. jobs:
    worker processes; None trains in this process on one thread. One job with a seed gives the same trials
    every time, also when it was interrupted; several do not. stop: set it to end early. command: kept in
    best.json. `out` also gets best.json, trials.jsonl and pictures.
    Raises InputError for a request that cannot be met, before anything runs.
    """
    config = config or FitConfig()
    names = (objectives,) if isinstance(objectives, str) else tuple(objectives)
    _check(trials, timeout, jobs, names, seed, repeats, data)
    search = search_for(variant, data, params=params or {}, config=config, fix=fix or {}, ranges=ranges or {})
    if registered(variant).is_deterministic:
        repeats = 1
    if not search.ranges:
        raise InputError(f"variant '{variant}' has nothing to tune: it declares no range (zoo show {variant})")
    device = resolve_device(config.device).type
    chosen_pruner = pruner_for(pruner, names, search.base["fit.max_epochs"])
    make_sampler = sampler_for(sampler, search, names, seed)
    if sampler == "grid":
        trials = min(trials, search.grid_size())
    queued = [_queued(point, search) for point in queue]
    if queued and sampler == "grid":
        raise InputError("a grid has its own points: leave the queue away, or choose another sampler")
    is_known = registered(variant).origin is not None or registered(variant).build.__module__.startswith("zoo.")
    if jobs is not None and not is_known:
        raise InputError(
            f"variant '{variant}' is registered by {registered(variant).build.__module__}, which worker processes do "
            "not import: leave jobs away"
        )
    plugin = registered(variant).plugin
    asked = {
        "variant": variant,
        **({} if plugin is None else {"source": plugin["sha256"]}),
        "data": [data.fingerprint, data.missing],
        "problem": described(data),
        "settings": {name: value for name, value in search.base.items() if name not in search.ranges},
        "ranges": search.described(),
        "objectives": list(names),
        "sampler": sampler,
        "pruner": type(chosen_pruner).__name__,
        "seed": seed,
        "repeats": repeats,
        "device": device,
    }
    folder = Path(out) if out is not None else None
    with quiet():
        store = open_store(storage, folder)
        try:
            study = _opened(store, study_name or variant, asked)
            for point in queued:
                study.enqueue_trial(point, skip_if_exists=True)
            if sampler != "grid" and not queued:
                study.enqueue_trial(*search.start(), skip_if_exists=True)
            supervisor = Supervisor(
                store=store,
                name=study.study_name,
                search=search,
                objectives=names,
                trials=trials,
                timeout=timeout,
                seed=seed,
                repeats=repeats,
                device=device,
                make_sampler=make_sampler,
                pruner=chosen_pruner,
                on_event=on_event,
                stop=stop or threading.Event(),
            )
            try:
                supervisor.serve(data.without_test(), jobs)
            finally:
                known = study.get_trials(deepcopy=False)
                result = StudyResult(variant, study, search, names, cost_of(known), device)
                notes = _notes(result, trials, timeout)
                if folder is not None:
                    budget = {"trials": max(trials, result.cost.trials), "timeout": timeout, "repeats": repeats}
                    notes += keep(result, data, folder, budget=budget, storage=store.shown, command=command)
            return replace(result, notes=tuple(notes))
        except (StorageInternalError, SQLAlchemyError, OSError) as error:
            raise InputError(
                f"the storage of study '{study_name or variant}' was lost ({' '.join(str(error).split())}): "
                "the same command goes on from there"
            ) from error
        finally:
            store.close()


def _opened(store: Store, name: str, asked: Mapping[str, Any]) -> optuna.Study:
    """The study called `name`, new or as it was left; raises InputError for one that asked something else."""
    study = optuna.create_study(
        study_name=name,
        storage=store.storage,
        directions=["minimize"] * len(asked["objectives"]),
        load_if_exists=True,
    )
    asked = json.loads(json.dumps(asked))
    before = study.user_attrs.get("asked")
    if before is None and not study.get_trials(deepcopy=False):
        study.set_user_attr("asked", asked)
        if len(asked["objectives"]) > 1:
            study.set_metric_names(asked["objectives"])
    elif before != asked:
        differing = [key for key in asked if before is None or before.get(key) != asked[key]]
        raise InputError(
            f"study '{name}' in this storage is of something else (another {', '.join(differing)}): "
            "choose another --out or --study, or ask for the same"
        )
    return study


def _notes(result: StudyResult, trials: int, timeout: float | None) -> list[str]:
    notes = []
    if timeout is not None and result.cost.trials < trials and result.cost.busy_seconds >= timeout:
        notes.append(f"the {timeout:g} s were over after {result.cost.trials} of {trials} trials")
    if not result.is_reproducible:
        notes.append("trials ran side by side, were judged by a clock, or moved up where one was lost: another run "
                     "gives other trials")  # fmt: skip
    return notes


def _queued(point: Mapping[str, Any], search: Search) -> dict[str, Any]:
    """A queued point by the search's own keys; raises InputError for a value that the search cannot take."""
    found = {}
    for key, value in point.items():
        own = own_key(key, search.variant, [search.variant])
        if own not in search.ranges:
            raise InputError(f"queue: {key} is not searched (searched: {', '.join(search.ranges)})")
        only = known_keys(search.variant)[own].check(value, "queue")
        span = search.ranges[own]
        fits = only in span.options if isinstance(span, Choice) else span.low <= only <= span.high
        if not fits:
            raise InputError(f"queue: {key} must be {described_range(span)}, got {value!r}")
        found[own] = only
    return found


def _check(
    trials: int,
    timeout: float | None,
    jobs: int | None,
    objectives: tuple[str, ...],
    seed: int,
    repeats: int,
    data: Data,
) -> None:
    for name, count in (("trials", trials), ("repeats", repeats), ("seed", seed)):
        if isinstance(count, bool) or not isinstance(count, int):
            raise InputError(f"{name} must be a whole number, got {count!r}")
    if trials < 1:
        raise InputError(f"trials must be >= 1, got {trials}")
    if timeout is not None and not 0 < timeout < math.inf:
        raise InputError(f"timeout must be > 0 seconds, got {timeout:g}")
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}")
    if repeats < 1:
        raise InputError(f"repeats must be >= 1, got {repeats}")
    if seed < 0:
        raise InputError(f"seed must be >= 0, got {seed}")
    for objective in objectives:
        if objective not in OBJECTIVES:
            raise unknown("objective", objective, OBJECTIVES)
    if not objectives or len(set(objectives)) < len(objectives):
        raise InputError(f"objectives must be different names of {', '.join(OBJECTIVES)}, got {','.join(objectives)}")
    if data.valid is None:
        raise InputError("tuning judges by the validation part, and the split leaves none: change --split")
