"""Crews: the workers that run the trials of a study, processes here or tasks on a cluster."""

import pickle
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from zoo.run import executor
from zoo.run.engine import Engine
from zoo.run.process import Message, WorkerProcess, temporary_prefix
from zoo.tuning.plan import Plan


class Worker(Protocol):
    """Runs one trial at a time."""

    def ask(self, request: Message, on_event: Callable[[Message], Message | None], /) -> Message:
        """What zoo.tuning.trial.answer gives; raises WorkerDied."""

    def stop(self) -> None:
        """End its trial, from any thread; the thread that waits for its answer gets WorkerDied."""

    def close(self) -> None:
        """Let it go."""


# Called with a plan and a number of workers: these, and what a request calls the plan's data.
Crew = Callable[[Plan, int], AbstractContextManager[tuple[Sequence[Worker], Any]]]


@contextmanager
def crew_here(plan: Plan, count: int) -> Iterator[tuple[Sequence[Worker], str]]:
    """Worker processes, and the file with the data, without the test part."""
    with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as folder:
        path = Path(folder) / "data.pickle"
        path.write_bytes(pickle.dumps(plan.data.without_test()))
        yield [WorkerProcess("zoo.tuning.trial", device=plan.device) for _ in range(count)], str(path)


def crew_of(engine: Engine) -> Crew:
    """The crew that belongs to an engine."""
    if engine is executor:
        return crew_here
    from zoo.tuning.ray_crew import crew_there

    return partial(crew_there, engine)  # type: ignore[arg-type]  # it is one of Ray, the only other engine
