"""The supervisor: takes trials from the study, has them run, and tells the study how they ended."""

import math
import pickle
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import FrozenTrial, TrialState

from zoo.data.prepare import Data
from zoo.run.process import WorkerDied, WorkerProcess
from zoo.seeding import stream_seed
from zoo.train.fit import Epoch
from zoo.tuning.cost import Cost, cost_of, counted
from zoo.tuning.search import Search
from zoo.tuning.storage import ORDINAL, Store, queue_again
from zoo.tuning.trial import GoesOn, Request, run_trial

WAIT_SECONDS = 0.2
INTERRUPTED = "interrupted by the user"


@dataclass(frozen=True)
class TrialEvent:
    """What happened to trial `number`: it began, an epoch ended, or (with the rest) it ended.

    cost, best: of the study so far, best of the first objective.
    """

    number: int
    epoch: int | None = None
    valid_loss: float | None = None
    trial: FrozenTrial | None = None
    cost: Cost | None = None
    best: float | None = None


Run = Callable[[Request, GoesOn], dict[str, Any]]


@dataclass
class Supervisor:
    """The trials of one call; every thread of it takes trials until the budget is met.

    trials, timeout: the budget of the study in all its sessions; make_sampler: a sampler from the number of
    trials so far; stop: set it to end early, which kills the workers and queues their trials again.
    """

    store: Store
    name: str
    search: Search
    objectives: tuple[str, ...]
    trials: int
    timeout: float | None
    seed: int
    repeats: int
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
        def run(request: Request, goes_on: GoesOn) -> dict[str, Any]:
            def reply(message: dict[str, Any]) -> dict[str, Any] | None:
                epoch = Epoch(message["epoch"], math.nan, message["valid_loss"], math.nan, math.nan)
                answer = goes_on(epoch)
                return {"goes_on": answer} if self.is_pruning else None

            return worker.ask({"trial": request.plain(), "data": kept, "is_pruning": self.is_pruning}, reply)

        try:
            with suppress(WorkerDied):  # if it cannot start, the trials will say so
                worker.ask({"data": kept}, lambda _: None)  # so that no trial's seconds contain the start
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
                    waiting = sum(trial.state == TrialState.WAITING for trial in known)
                    ordinal = len(known) - waiting - cost.lost
                    study.sampler = self.make_sampler(ordinal)
                    self._try_one(study, run, ordinal, hold.close)
                    continue
            if not self.store.sees_the_dead:
                return
            self.stop.wait(WAIT_SECONDS)  # others run the rest; if they die, it is left to this one

    def _try_one(self, study: optuna.Study, run: Run, ordinal: int, let_go: Callable[[], None]) -> None:
        """Take a trial, the ordinal-th that counts, and run it; let_go once it is taken."""
        taken: list[int] = []
        is_lost = False

        def objective(trial: optuna.Trial) -> float | tuple[float, ...]:
            nonlocal is_lost
            taken.append(trial.number)
            trial.set_user_attr("owner", self.store.owner)
            if ORDINAL not in trial.user_attrs:
                trial.set_user_attr(ORDINAL, ordinal)
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
        best = min((t.values[0] for t in ended if t.state == TrialState.COMPLETE), default=None)
        self.on_event(TrialEvent(taken[0], trial=ended[taken[0]], cost=cost_of(ended), best=best))

    def _values(self, trial: optuna.Trial, run: Run) -> float | tuple[float, ...]:
        """The trial's objectives; raises TrialPruned, _Failed with the reason, or WorkerDied."""
        self.search.suggest(trial)
        point = self.search.point_of(trial)
        request = Request(
            variant=self.search.variant,
            point=point,
            seeds=tuple(
                stream_seed(self.seed, f"trial {trial.user_attrs[ORDINAL]}" + f", repeat {number}" * (number > 0))
                for number in range(self.repeats)
            ),
            device=self.device,
            wants_latency="latency_ms" in self.objectives,
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

        answer = run(request, goes_on)
        for name, value in answer.items():
            if name not in ("pruned", "valid_loss") or (name == "valid_loss" and name not in self.objectives):
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
