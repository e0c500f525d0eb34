"""A crew on a Ray cluster: each trial is a task, whose epochs come back as it trains.

Studies stay in this process, which asks and tells.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from queue import SimpleQueue
from typing import Any

import ray
from ray.exceptions import NodeDiedError, ObjectLostError, RayError

from zoo.data.dataset import Data
from zoo.errors import first_line
from zoo.run.process import MachineLost, Message, WorkerDied
from zoo.run.ray_engine import RayEngine, Ref, ready
from zoo.train.descent import Epoch
from zoo.tuning.plan import Plan
from zoo.tuning.trial import TrialRequest, run_trial


class RayWorker:
    """Has trials run somewhere on the cluster, one at a time."""

    def __init__(self, engine: RayEngine, device: str) -> None:
        self.task = engine.task(trial_there, device, num_returns="streaming")
        self.variants = engine.variants
        self.messages: Any = None  # of the trial that runs
        self.is_stopped = False

    def ask(self, request: Message, on_event: Callable[[Message], Message | None], /) -> Message:
        """As Worker.ask says; there is nothing to do before the first trial."""
        if "trial" not in request:
            return {}
        try:
            self.messages = self.task.remote(request["trial"], request["data"], self.variants)
            if self.is_stopped:
                self.stop()
            for ref in self.messages:
                message: Message = ray.get(ref)
                if "answer" in message:
                    answer: Message = message["answer"]
                    return answer
                reply = on_event(message)
                if reply is not None and not reply["goes_on"]:
                    ray.cancel(self.messages)
                    return {"pruned": True, "train_seconds": message["seconds"]}
        except (NodeDiedError, ObjectLostError) as error:
            raise MachineLost("the machine of the trial was lost") from error
        except RayError as error:
            raise WorkerDied(first_line(getattr(error, "cause", None) or error), str(error)) from error
        raise WorkerDied("the trial ended without an answer")

    def stop(self) -> None:
        """As Worker.stop says."""
        self.is_stopped = True
        if self.messages is not None:
            ray.cancel(self.messages, force=True)

    def close(self) -> None:
        """As Worker.close says: between trials it holds nothing."""


@contextmanager
def crew_there(engine: RayEngine, plan: Plan, count: int) -> Iterator[tuple[Sequence[RayWorker], list[Ref]]]:
    """Workers on the cluster, and the data in its object store, without the test part."""
    yield [RayWorker(engine, plan.device) for _ in range(count)], [ray.put(plan.data.without_test())]


def trial_there(request: TrialRequest, data: list[Ref], variants: tuple[str, ...]) -> Iterator[Message]:
    """The task: each epoch of a trial, and then its outcome. It ends after the next epoch where it is cancelled."""
    ready(variants)
    messages: SimpleQueue[Message] = SimpleQueue()
    is_cancelled, started = threading.Event(), time.perf_counter()

    def goes_on(epoch: Epoch | None) -> bool:
        if epoch is not None:
            messages.put({"epoch": epoch, "seconds": time.perf_counter() - started})
        return not is_cancelled.is_set()

    def train() -> None:
        messages.put({"answer": run_trial(request, _loaded(data[0]), goes_on)})

    thread = threading.Thread(target=train, daemon=True)
    thread.start()
    try:
        while "answer" not in (message := messages.get()):
            yield message
        yield message
    finally:
        is_cancelled.set()
        thread.join()


@lru_cache(maxsize=2)
def _loaded(data: Ref) -> Data:
    loaded: Data = ray.get(data)
    return loaded
