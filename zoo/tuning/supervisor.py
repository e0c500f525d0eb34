"""The supervisor: takes trials from a study, has them run, and records how they ended."""

import math
import pickle
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from zoo.cell import CostFields
from zoo.data.prepare import Data
from zoo.run.process import WorkerDied, WorkerProcess
from zoo.seeding import stream_seed
from zoo.train.fit import Epoch
from zoo.tuning.plan import Plan
from zoo.tuning.result import cost_of, counted_trials, earlier_runs
from zoo.tuning.storage import queue_again
from zoo.tuning.trial import GoesOn, TrialRequest, run_trial

WAIT_SECONDS = 0.2
INTERRUPTED = "interrupted by the user"
WORKER_RETRIES = 1  # of a trial whose worker died
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
        self.gate = threading.Lock()  # from counting the trials to taking one
        self.is_pruning = not isinstance(self.plan.pruner, optuna.pruners.NopPruner)
        self.failure: BaseException | None = None

    def run_here(self, data: Data) -> None:
        """Run the trials in this process, on one torch thread."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            self._take_trials(lambda request, goes_on: run_trial(request, data, goes_on))
        finally:
            torch.set_num_threads(threads)

    def run_on_workers(self, data: Data, jobs: int) -> None:
        """Run the trials on worker processes, each served by a thread of this one."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data.pickle"
            path.write_bytes(pickle.dumps(data))
            workers = [WorkerProcess("zoo.tuning.worker") for _ in range(min(jobs, self.plan.trials))]
            threads = [
                threading.Thread(target=self._serve, args=(worker, str(path)), daemon=True) for worker in workers
            ]
            try:
                for thread in threads:
                    thread.start()
                while any(thread.is_alive() for thread in threads) and not self.stop.wait(WAIT_SECONDS):
                    pass
            except BaseException:
                self.stop.set()
                raise
            finally:
                for worker in workers if self.stop.is_set() else ():
                    worker.stop()
                for thread in threads:
                    thread.join()
        if self.failure is not None:
            raise self.failure

    def _serve(self, worker: WorkerProcess, path: str) -> None:
        """Take trials and have one worker run them; path: of the pickled data."""

        def run(request: TrialRequest, goes_on: GoesOn) -> dict[str, Any]:
            def reply(message: dict[str, Any]) -> dict[str, Any] | None:
                answer = goes_on(Epoch(message["epoch"], math.nan, message["valid_loss"], math.nan, math.nan))
                return {"goes_on": answer} if self.is_pruning else None

            return worker.ask({"trial": request.plain(), "data": path, "is_pruning": self.is_pruning}, reply)

        try:
            with suppress(WorkerDied):  # if it cannot start, the trials will fail with the reason
                worker.ask({"data": path}, lambda _: None)  # so that no trial's seconds contain the start
            self._take_trials(run)
        except BaseException as error:  # raised again by the thread that started this one
            self.failure = self.failure or error
            self.stop.set()
        finally:
            worker.close()

    def _take_trials(self, run: Run) -> None:
        """Run trials until enough have ended, the time is over, or the study is stopped."""
        study = optuna.load_study(study_name=self.study_name, storage=self.storage, pruner=self.plan.pruner)
        while not self.stop.is_set():
            with ExitStack() as gate:
                gate.enter_context(self.gate)
                optuna.storages.fail_stale_trials(study)
                trials = study.get_trials(deepcopy=False)
                cost, timeout = cost_of(trials), self.plan.settings.timeout
                if cost.trials >= self.plan.trials or (timeout is not None and cost.busy_seconds >= timeout):
                    return
                if cost.trials + sum(trial.state == TrialState.RUNNING for trial in trials) < self.plan.trials:
                    study.sampler = self.plan.samplers(_next_place(trials))
                    self._run_next(study, run, gate.close)
                    continue
            if not isinstance(self.storage, optuna.storages.RDBStorage):
                return  # no heartbeats: it would wait forever for a process that died
            self.stop.wait(WAIT_SECONDS)  # others run the rest; if they die, their trials are queued again

    def _run_next(self, study: optuna.Study, run: Run, open_gate: Callable[[], None]) -> None:
        """Take the next trial and run it."""
        numbers: list[int] = []
        death: BaseException | None = None

        def objective(trial: optuna.Trial) -> tuple[float, ...]:
            nonlocal death
            numbers.append(trial.number)
            trials = study.get_trials(deepcopy=False)
            open_gate()
            if self._is_surplus(trial.number, trials):
                trial.set_user_attr("surplus", True)
                raise _Failed("the budget was spent by others")
            try:
                return self._values(trial, _place(trials[trial.number], trials), run)
            except (WorkerDied, KeyboardInterrupt) as error:
                death = error
                trial.set_user_attr("error", INTERRUPTED if self._is_stopped_by(error) else str(error))
                raise

        try:
            study.optimize(objective, n_trials=1, catch=(_Failed, WorkerDied))
        except (ValueError, UpdateFinishedTrialError):
            if not self._was_given_away(study, numbers):
                raise
        finally:
            if death is not None:
                trial = study.get_trials(deepcopy=False)[numbers[0]]
                queue_again(study, trial, None if self._is_stopped_by(death) else WORKER_RETRIES)
        trials = study.get_trials(deepcopy=False)
        best = min((t.values[0] for t in trials if t.state == TrialState.COMPLETE), default=None)
        self.on_event(TrialEvent(numbers[0], trial=trials[numbers[0]], cost=cost_of(trials), best=best))

    def _values(self, trial: optuna.Trial, place: int, run: Run) -> tuple[float, ...]:
        """The trial's objectives; raises TrialPruned, _Failed with the reason, or WorkerDied."""
        plan = self.plan
        plan.search.suggest(trial)
        streams = [f"trial {place}" + f", repeat {number}" * (number > 0) for number in range(plan.repeats)]
        request = TrialRequest(
            variant=plan.variant,
            point=plan.search.point_of(trial),
            seeds=tuple(stream_seed(plan.settings.seed, stream) for stream in streams),
            device=plan.device,
            wants_latency="latency_ms" in plan.settings.objectives,
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
            if name != "pruned" and (name != "valid_loss" or name not in plan.settings.objectives):
                trial.set_user_attr(name, value)
        if "pruned" in outcome:
            raise optuna.TrialPruned
        if "error" in outcome:
            raise _Failed(outcome["error"])
        return tuple(outcome[name] for name in plan.settings.objectives)

    def _is_stopped_by(self, death: BaseException) -> bool:
        """Whether the user ended the trial, not a fault of its own."""
        return self.stop.is_set() or isinstance(death, KeyboardInterrupt)

    def _is_surplus(self, number: int, trials: Sequence[FrozenTrial]) -> bool:
        """Whether other processes took the last trials of the budget between the counting and the taking."""
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        return sum(trial.number < number for trial in (*counted_trials(trials), *running)) >= self.plan.trials

    def _was_given_away(self, study: optuna.Study, numbers: Sequence[int]) -> bool:
        """Whether another process took this one for dead, because it was suspended, and queued its trial again."""
        return any(set(numbers) & set(earlier_runs(trial)) for trial in study.get_trials(deepcopy=False))


def _place(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> int:
    """The place of a trial among those that repeat no other, on which its random numbers depend; a repetition has the
    place of the first run."""
    first = next(iter(earlier_runs(trial)), trial.number)
    return _first_runs_before(first, trials)


def _next_place(trials: Sequence[FrozenTrial]) -> int:
    """The place of the trial that is taken next: one that waits, or a new one."""
    waiting = next((trial for trial in trials if trial.state == TrialState.WAITING), None)
    return _first_runs_before(len(trials), trials) if waiting is None else _place(waiting, trials)


def _first_runs_before(number: int, trials: Sequence[FrozenTrial]) -> int:
    return sum(trial.number < number and not earlier_runs(trial) for trial in trials)


class _Failed(Exception):
    """A trial that gave no value; the message says why."""
