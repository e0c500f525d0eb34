"""tune: a study of one variant, from its space to its best settings."""

import json
import math
import pickle
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from zoo.bench.process import WorkerDied, WorkerProcess
from zoo.data.prepare import Data
from zoo.errors import InputError, unknown
from zoo.seeding import stream_seed
from zoo.train.config import FitConfig
from zoo.train.fit import Epoch, resolve_device
from zoo.tuning.cost import Cost, cost_of, counted
from zoo.tuning.quiet import quiet
from zoo.tuning.samplers import pruner_for, sampler_for
from zoo.tuning.search import Point, Search, search_for
from zoo.tuning.storage import Store, open_store, queue_again
from zoo.tuning.trial import OBJECTIVES, Request, run_trial

WAIT_SECONDS = 0.2
INTERRUPTED = "interrupted by the user"


@dataclass(frozen=True)
class StudyResult:
    """A study as it stands: Optuna's own `study`, what it cost, and its best settings.

    With several objectives the best trial is the one of the Pareto front with the lowest first objective.
    """

    variant: str
    study: optuna.Study
    search: Search
    objectives: tuple[str, ...]
    cost: Cost
    device: str

    @property
    def best_trial(self) -> FrozenTrial:
        """The best complete trial; raises InputError where none is."""
        if self.cost.complete == 0:
            errors = [t.user_attrs["error"] for t in self.study.get_trials(deepcopy=False) if "error" in t.user_attrs]
            why = f": the last said {errors[-1]}" if errors else ""
            raise InputError(f"study '{self.study.study_name}': no trial of {self.cost.trials} ended with a value{why}")
        return min(self.study.best_trials, key=lambda trial: (trial.values[0], trial.number))

    @property
    def best(self) -> Point:
        """All settings of the best trial."""
        return self.search.point(self.best_trial.params)

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


@dataclass(frozen=True)
class TrialEvent:
    """What happened to trial `number`: it began, an epoch ended, or (with `trial`) it ended."""

    number: int
    epoch: int | None = None
    valid_loss: float | None = None
    trial: FrozenTrial | None = None
    cost: Cost | None = None


def tune(
    variant: str,
    data: Data,
    *,
    trials: int = 50,
    timeout: float | None = None,
    seed: int = 0,
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
) -> StudyResult:
    """Search the space of one variant on train and validation; the test part is cut off first.

    params, config: where the search starts (trial 0 runs them); fix, ranges: see search_for; queue: points
    to run first, in place of the start. trials: how many count, in all sessions of the study; timeout:
    seconds after which none begins. objectives: of OBJECTIVES, all minimised. storage: an Optuna URL, else
    a journal in `out`, else memory; a study of the same name goes on where it was. jobs: worker processes;
    None trains in this process on one thread. One job with a seed gives the same trials every time, also
    when it was interrupted; several do not. stop: set it to end early.
    Raises InputError for a request that cannot be met, before anything runs.
    """
    config = config or FitConfig()
    names = tuple(objectives)
    _check(trials, timeout, jobs, names, seed, data)
    search = search_for(variant, data, params=params or {}, config=config, fix=fix or {}, ranges=ranges or {})
    if not search.ranges:
        raise InputError(f"variant '{variant}' has nothing to tune: it declares no range (zoo show {variant})")
    device = resolve_device(config.device).type
    chosen_pruner = pruner_for(pruner, names, search.base["fit.max_epochs"])
    make_sampler = sampler_for(sampler, search, names, seed)
    if sampler == "grid":
        trials = min(trials, math.prod(len(points) for points in search.grid().values()))
    asked = {
        "variant": variant,
        "data": data.fingerprint,
        "problem": _described(data),
        "settings": {name: value for name, value in search.base.items() if name not in search.ranges},
        "ranges": search.described(),
        "objectives": list(names),
        "sampler": sampler,
        "pruner": type(chosen_pruner).__name__,
        "seed": seed,
        "device": device,
    }
    folder = Path(out) if out is not None else None
    with quiet():
        store = open_store(storage, folder)
        try:
            study = _opened(store, study_name or f"{variant}-{data.fingerprint[:8]}", asked)
            if sampler != "grid" or queue:
                for point in queue or [search.start()]:
                    study.enqueue_trial(dict(point), skip_if_exists=True)
            run = _Run(store, study.study_name, search, names, trials, timeout, seed, device, make_sampler,
                       chosen_pruner, on_event, stop or threading.Event())  # fmt: skip
            run.serve(data.without_test(), jobs)
            return StudyResult(variant, study, search, names, cost_of(study.get_trials(deepcopy=False)), device)
        except (StorageInternalError, SQLAlchemyError) as error:
            raise InputError(
                f"the storage of study '{study_name or variant}' was lost ({' '.join(str(error).split())}): "
                "the same command goes on from there"
            ) from error
        finally:
            store.close()


Run = Callable[[Request, Callable[[Epoch], bool]], dict[str, Any]]


@dataclass
class _Run:
    """The trials of one call; every thread of it takes trials until the budget is met."""

    store: Store
    name: str
    search: Search
    objectives: tuple[str, ...]
    trials: int
    timeout: float | None
    seed: int
    device: str
    make_sampler: Callable[[int], optuna.samplers.BaseSampler]
    pruner: optuna.pruners.BasePruner
    on_event: Callable[[TrialEvent], None]
    stop: threading.Event

    def __post_init__(self) -> None:
        self.gate = threading.Lock()  # between counting what is left and taking a trial of it
        self.is_pruning = not isinstance(self.pruner, optuna.pruners.NopPruner)
        self.failure: BaseException | None = None

    def serve(self, data: Data, jobs: int | None) -> None:
        """Run the trials in this process (jobs None) or on worker processes."""
        if jobs is None:
            count = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                self.work(lambda request, goes_on: run_trial(request, data, goes_on))
            finally:
                torch.set_num_threads(count)
            return
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder) / "data.pickle"
            kept.write_bytes(pickle.dumps(data))
            workers = [WorkerProcess("zoo.tuning.worker") for _ in range(min(jobs, self.trials))]
            hands = [threading.Thread(target=self._hand, args=(worker, str(kept)), daemon=True) for worker in workers]
            try:
                for hand in hands:
                    hand.start()
                while any(hand.is_alive() for hand in hands) and not self.stop.wait(WAIT_SECONDS):
                    pass
            except BaseException:
                self.stop.set()
                raise
            finally:
                for worker in workers if self.stop.is_set() else ():
                    worker.stop()
                for hand in hands:
                    hand.join()
        if self.failure is not None:
            raise self.failure

    def _hand(self, worker: WorkerProcess, kept: str) -> None:
        def run(request: Request, goes_on: Callable[[Epoch], bool]) -> dict[str, Any]:
            def reply(message: dict[str, Any]) -> dict[str, Any] | None:
                epoch = Epoch(message["epoch"], math.nan, message["valid_loss"], math.nan, math.nan)
                answer = goes_on(epoch)
                return {"goes_on": answer} if self.is_pruning else None

            return worker.ask({"trial": request.plain(), "data": kept, "is_pruning": self.is_pruning}, reply)

        try:
            self.work(run)
        except BaseException as error:  # raised again by the thread that started this one
            self.failure = self.failure or error
            self.stop.set()
        finally:
            worker.close()

    def work(self, run: Run) -> None:
        """Take trials until enough have ended, the time is over, or the run is stopped."""
        study = optuna.load_study(study_name=self.name, storage=self.store.storage, pruner=self.pruner)
        while not self.stop.is_set():
            with ExitStack() as hold:
                hold.enter_context(self.gate)
                self.store.reap(study)
                known = study.get_trials(deepcopy=False)
                cost = cost_of(known)
                running = sum(trial.state == TrialState.RUNNING for trial in known)
                is_late = self.timeout is not None and cost.busy_seconds >= self.timeout
                if is_late or cost.trials >= self.trials:
                    return
                if cost.trials + running < self.trials:
                    study.sampler = self.make_sampler(len(known) - cost.lost)
                    self._try_one(study, run, hold.close)
                    continue
            if not self.store.sees_the_dead:
                return
            self.stop.wait(WAIT_SECONDS)  # others run the rest; if they die, it is left to this one

    def _try_one(self, study: optuna.Study, run: Run, let_go: Callable[[], None]) -> None:
        taken: list[int] = []
        is_lost = False

        def objective(trial: optuna.Trial) -> float | tuple[float, ...]:
            nonlocal is_lost
            taken.append(trial.number)
            trial.set_user_attr("owner", self.store.owner)
            let_go()
            if self._is_surplus(study, trial):
                trial.set_user_attr("surplus", True)
                raise _Failed("the budget was met by others")
            try:
                return self._values(trial, run)
            except (WorkerDied, KeyboardInterrupt) as death:
                is_ours = self.stop.is_set() or isinstance(death, KeyboardInterrupt)
                trial.set_user_attr("error", INTERRUPTED if is_ours else str(death))
                is_lost = True
                raise

        try:
            study.optimize(objective, n_trials=1, catch=(_Failed, WorkerDied))
        finally:
            if is_lost:
                trial = study.get_trials(deepcopy=False)[taken[0]]
                queue_again(study, trial, is_innocent=trial.user_attrs["error"] == INTERRUPTED)
        ended = study.get_trials(deepcopy=False)
        self.on_event(TrialEvent(taken[0], trial=ended[taken[0]], cost=cost_of(ended)))

    def _values(self, trial: optuna.Trial, run: Run) -> float | tuple[float, ...]:
        """The trial's objectives; raises TrialPruned, _Failed with the reason, or WorkerDied."""
        point = self.search.point(self.search.suggest(trial))
        request = Request(
            variant=self.search.variant,
            point=point,
            seed=stream_seed(self.seed, f"trial {trial.user_attrs.get('seed_of', trial.number)}"),
            device=self.device,
            wants_latency="latency_ms" in self.objectives,
        )
        self.on_event(TrialEvent(trial.number))
        best = math.inf

        def goes_on(epoch: Epoch) -> bool:
            nonlocal best
            assert epoch.valid_loss is not None
            best = min(best, epoch.valid_loss)
            self.on_event(TrialEvent(trial.number, epoch.number, epoch.valid_loss))
            if not self.is_pruning:
                return True
            trial.report(best, epoch.number)
            return not trial.should_prune()

        answer = run(request, goes_on)
        for name, value in answer.items():
            if name not in self.objectives and name != "pruned":
                trial.set_user_attr(name, value)
        if "pruned" in answer:
            raise optuna.TrialPruned
        if "error" in answer:
            raise _Failed(answer["error"])
        return tuple(answer[name] for name in self.objectives)

    def _is_surplus(self, study: optuna.Study, trial: optuna.Trial) -> bool:
        """Whether other processes took the last trials of the budget between the counting and the taking."""
        known = study.get_trials(deepcopy=False)
        running = [other for other in known if other.state == TrialState.RUNNING]
        return sum(other.number < trial.number for other in (*counted(known), *running)) >= self.trials


class _Failed(Exception):
    """A trial that gave no value; the message says why."""


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


def _described(data: Data) -> dict[str, Any]:
    """The problem as a study's identity; the lookback belongs to the settings or the ranges."""
    bounds = data.split
    return {
        "task": data.problem.task,
        "horizon": data.problem.horizon,
        "channels": list(data.channels),
        "targets": list(data.targets),
        "split": [bounds.train_end, bounds.valid_end - bounds.train_end],
        "scaler": data.scaler.name,
        "normalise": data.problem.normalise,
        "missing": data.missing,
    }


def _check(
    trials: int, timeout: float | None, jobs: int | None, objectives: tuple[str, ...], seed: int, data: Data
) -> None:
    if trials < 1:
        raise InputError(f"trials must be >= 1, got {trials}")
    if timeout is not None and not 0 < timeout < math.inf:
        raise InputError(f"timeout must be > 0 seconds, got {timeout:g}")
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be >= 1, got {jobs}")
    if seed < 0:
        raise InputError(f"seed must be >= 0, got {seed}")
    for objective in objectives:
        if objective not in OBJECTIVES:
            raise unknown("objective", objective, OBJECTIVES)
    if not objectives or len(set(objectives)) < len(objectives):
        raise InputError(f"objectives must be different names of {', '.join(OBJECTIVES)}, got {','.join(objectives)}")
    if data.valid is None:
        raise InputError("tuning judges by the validation part, and the split leaves none: change --split")
