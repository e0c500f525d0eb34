"""The supervisor: takes trials from a study, has them run, and records how they ended."""

import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from zoo.cell import CostFields
from zoo.run.process import MachineLost, WorkerDied
from zoo.seeding import stream_seed
from zoo.train.descent import Epoch
from zoo.train.step import torch_threads
from zoo.tuning.crew import Crew, Worker, crew_here
from zoo.tuning.plan import Plan
from zoo.tuning.result import cost_of, counted_trials, earlier_runs
from zoo.tuning.storage import queue_again
from zoo.tuning.trial import GoesOn, TrialRequest, run_trial

WAIT_SECONDS = 0.2
WORKER_RETRIES = 1  # of a trial whose worker died
MACHINE_RETRIES = 4  # of a trial whose machine was lost; it may be what takes them down
Run = Callable[[TrialRequest, GoesOn], dict[str, Any]]


@dataclass(frozen=True)
class TrialEvent:
    """Trial `number` began, or ended an epoch, or (with the other fields) ended.

    cost: of the study so far; best: its lowest first objective so far.
    """

    number: int
    epoch: int | None = None
    valid_loss: float | None = None
    trial: FrozenTrial | None = None
    cost: CostFields | None = None
    best: float | None = None


@dataclass
class Supervisor:
    """The trials of one call; each of its threads takes trials until the budget is spent.

    stop: set it to end early; the workers are then killed, and their trials queued again.
    """

    plan: Plan
    study_name: str
    storage: optuna.storages.BaseStorage
    on_event: Callable[[TrialEvent], None]
    stop: threading.Event

    def __post_init__(self) -> None:
        self.gate = threading.Lock()  # held from counting the trials to taking one
        self.is_pruning = not isinstance(self.plan.pruner, optuna.pruners.NopPruner)

    def run_here(self) -> None:
        """Run the trials in this process, on one torch thread."""
        data = self.plan.data.without_test()
        with torch_threads(1):
            self._take_trials(lambda request, goes_on: run_trial(request, data, goes_on))

    def run_on_workers(self, jobs: int, crew: Crew = crew_here) -> None:
        """Run the trials on the workers of a crew, each served by a thread of this process."""
        count = min(jobs, self.plan.trials)
        with crew(self.plan, count) as (workers, data), ThreadPoolExecutor(count) as pool:
            futures = [pool.submit(self._serve, worker, data) for worker in workers]
            try:
                wait_for(futures, self.stop)
            finally:
                for worker in workers if self.stop.is_set() else ():
                    worker.stop()
        for future in futures:
            future.result()

    def _serve(self, worker: Worker, data: Any) -> None:
        """Take trials and have one worker run them; data: as its crew names them."""

        def run(request: TrialRequest, goes_on: GoesOn) -> dict[str, Any]:
            def reply(message: dict[str, Any]) -> dict[str, Any] | None:
                answer = goes_on(message["epoch"])
                return {"goes_on": answer} if self.is_pruning else None

            return worker.ask({"trial": request, "data": data, "is_pruning": self.is_pruning}, reply)

        try:
            with suppress(WorkerDied):  # if it cannot start, the trials will fail with the reason
                worker.ask({"data": data}, lambda _: None)  # so that no trial's seconds contain the start
            self._take_trials(run)
        finally:
            worker.close()

    def _take_trials(self, run: Run) -> None:
        """Run trials until enough have ended, the time is over, or the study is stopped."""
        study = optuna.load_study(study_name=self.study_name, storage=self.storage, pruner=self.plan.pruner)
        budget, timeout = self.plan.trials, self.plan.settings.timeout
        while not self.stop.is_set():
            with ExitStack() as gate:
                gate.enter_context(self.gate)
                optuna.storages.fail_stale_trials(study)
                trials = study.get_trials(deepcopy=False)
                cost = cost_of(trials)
                if cost.trials >= budget or (timeout is not None and cost.busy_seconds >= timeout):
                    return
                if len(counted_trials(trials)) < budget:
                    waiting = (trial.number for trial in trials if trial.state == TrialState.WAITING)
                    study.sampler = self.plan.sampler(_place(next(waiting, len(trials)), trials))
                    self._run_next(study, run, gate.close)
                    continue
            if not isinstance(self.storage, optuna.storages.RDBStorage):
                return  # no heartbeats: it would wait forever for a process that died
            self.stop.wait(WAIT_SECONDS)  # others run the last trials; if they die, their trials are queued again

    def _run_next(self, study: optuna.Study, run: Run, open_gate: Callable[[], None]) -> None:
        """Take the next trial and run it; where it is lost, queue it again."""
        number = -1
        most_retries: int | None = 0

        def objective(trial: optuna.Trial) -> tuple[float, ...]:
            nonlocal number, most_retries
            number = trial.number
            trials = study.get_trials(deepcopy=False)
            open_gate()
            if sum(other.number < number for other in counted_trials(trials)) >= self.plan.trials:
                trial.set_user_attr("surplus", True)
                raise _Failed("other processes took the last trials of the budget")
            try:
                return self._values(trial, _place(number, trials), run)
            except (WorkerDied, KeyboardInterrupt) as error:
                is_stopped = self.stop.is_set() or isinstance(error, KeyboardInterrupt)
                retries = MACHINE_RETRIES if isinstance(error, MachineLost) else WORKER_RETRIES
                most_retries = None if is_stopped else retries
                trial.set_user_attr("error", "interrupted by the user" if is_stopped else str(error))
                raise

        try:
            study.optimize(objective, n_trials=1, catch=(_Failed, WorkerDied))
        except (ValueError, UpdateFinishedTrialError):
            # Another process may have taken this one for dead, because it was suspended, and queued its trial again.
            if not any(number in earlier_runs(trial) for trial in study.get_trials(deepcopy=False)):
                raise
        finally:
            trials = study.get_trials(deepcopy=False)
            if most_retries != 0:
                queue_again(study, trials[number], most_retries)
        best = min((t.values[0] for t in trials if t.state == TrialState.COMPLETE), default=None)
        self.on_event(TrialEvent(number, trial=trials[number], cost=cost_of(trials), best=best))

    def _values(self, trial: optuna.Trial, place: int, run: Run) -> tuple[float, ...]:
        """The trial's objectives; raises TrialPruned, _Failed with the reason, or WorkerDied."""
        plan, objectives = self.plan, self.plan.settings.objectives
        plan.search.suggest(trial)
        streams = [f"trial {place}" + f", repeat {number}" * (number > 0) for number in range(plan.repeats)]
        request = TrialRequest(
            variant=plan.variant,
            point=plan.search.point_of(trial),
            seeds=tuple(stream_seed(plan.settings.seed, stream) for stream in streams),
            device=plan.device,
            has_latency="latency_ms" in objectives,
            folds=plan.settings.folds,
        )
        self.on_event(TrialEvent(trial.number))
        best = math.inf

        def goes_on(epoch: Epoch | None) -> bool:
            nonlocal best
            if epoch is None:
                return True
            assert epoch.valid_loss is not None
            best = min(best, epoch.valid_loss)
            self.on_event(TrialEvent(trial.number, epoch.number, epoch.valid_loss))
            if not self.is_pruning:
                return True
            trial.report(best, epoch.number)
            return not trial.should_prune()

        outcome = run(request, goes_on)
        for name, value in outcome.items():
            if name != "pruned" and (name != "valid_loss" or name not in objectives):
                trial.set_user_attr(name, value)
        if "pruned" in outcome:
            raise optuna.TrialPruned
        if "error" in outcome:
            raise _Failed(outcome["error"])
        return tuple(outcome[name] for name in objectives)


def wait_for(futures: Sequence[Future[Any]], stop: threading.Event) -> None:
    """Wait until all futures have ended, or `stop` is set; one that fails sets it, and so does Ctrl-C."""
    try:
        while not stop.is_set():
            ended, running = wait(futures, timeout=WAIT_SECONDS, return_when=FIRST_EXCEPTION)
            if any(future.exception() for future in ended):
                stop.set()
            if not running:
                return
    except BaseException:
        stop.set()
        raise


def _place(number: int, trials: Sequence[FrozenTrial]) -> int:
    """The place of a trial among those that repeat no other, on which its random numbers depend; a repetition has the
    place of the first run."""
    if number < len(trials):
        number = next(iter(earlier_runs(trials[number])), number)
    return sum(trial.number < number and not earlier_runs(trial) for trial in trials)


class _Failed(Exception):
    """A trial that gave no value; the message says why."""
