"""Workers: processes that score candidates, each within its time, until a deadline."""

import pickle
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from zoo.data.dataset import Data
from zoo.run.process import WorkerDied, WorkerProcess, temporary_prefix
from zoo.selection.score import GRACE, Candidate, Score

OVERTIME = 3.0  # seconds beyond a candidate's own limit after which its worker is killed


@dataclass(frozen=True)
class Job:
    """A candidate to score on block number `block`, within so many seconds of training."""

    candidate: Candidate
    block: int
    seconds: float


class Workers:
    """`count` worker processes, each served by a thread of this one; a context manager that ends them."""

    def __init__(self, blocks: Sequence[Data], count: int, *, seed: int) -> None:
        self.count, self.seed = count, seed
        self.folder = tempfile.TemporaryDirectory(prefix=temporary_prefix())
        self.paths = []
        for number, data in enumerate(blocks):
            path = Path(self.folder.name) / f"block{number}.pickle"
            path.write_bytes(pickle.dumps(data))
            self.paths.append(str(path))
        self.free: SimpleQueue[WorkerProcess] = SimpleQueue()
        self.every = [WorkerProcess("zoo.selection.score") for _ in range(count)]
        self.pool = ThreadPoolExecutor(count)

    def __enter__(self) -> Self:
        try:
            for warm in [self.pool.submit(self._warm, worker) for worker in self.every]:
                warm.result()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        for worker in self.every:
            self.free.put(worker)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self.every:
            worker.stop()
        self.pool.shutdown(cancel_futures=True)
        for worker in self.every:
            worker.close()
        self.folder.cleanup()

    def scores(self, jobs: Sequence[Job], deadline: float) -> Iterator[tuple[Job, Score]]:
        """The scores of jobs as they end, until `deadline` (of time.monotonic); those that have not begun by then are
        left out, and no running one is waited for."""
        futures: dict[Future[Score | None], Job] = {self.pool.submit(self._score, job, deadline): job for job in jobs}
        waiting = set(futures)
        try:
            while waiting:
                ended, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in ended:
                    if (score := future.result()) is not None:
                        yield futures[future], score
        finally:
            for future in waiting:
                future.cancel()

    def _score(self, job: Job, deadline: float) -> Score | None:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        worker = self.free.get()
        began = time.monotonic()
        limit = min(GRACE * job.seconds + OVERTIME, left)
        request = {
            "data": self.paths[job.block], "candidate": job.candidate, "seconds": job.seconds, "seed": self.seed,
        }  # fmt: skip
        try:
            score: Score = worker.ask(request, lambda _: None, timeout=limit)["score"]
        except WorkerDied as error:
            seconds = time.monotonic() - began
            reason = f"it took longer than {limit:.1f} s" if seconds >= limit else str(error)
            return Score(None, seconds, reason)
        finally:
            self.free.put(worker)
        return score

    def _warm(self, worker: WorkerProcess) -> None:
        """Start a worker, so that no candidate's time contains the start."""
        with suppress(WorkerDied):  # if it cannot start, its candidates fail with the reason
            worker.ask({"data": self.paths[0]}, lambda _: None)
