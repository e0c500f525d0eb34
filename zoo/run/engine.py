"""Engine: where cells are measured, on this machine or on a cluster of many."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from zoo.cell import AccuracyRow, Cell
from zoo.errors import InputError, unknown
from zoo.run import executor
from zoo.run.executor import Event
from zoo.run.store import RowStore

NAMES = ("local", "ray")
INSTALL = 'pip install "lstm-zoo[cluster]"'


class Engine(Protocol):
    """Measures cells; zoo.run.executor does it here, zoo.run.ray_engine on a cluster."""

    def default_jobs(self, device: str) -> int:
        """How many cells it measures at a time."""

    def run(
        self,
        cells: Sequence[Cell],
        store: RowStore,
        *,
        jobs: int | None,
        context: dict[str, Any],
        timeout: float | None = None,
        expect: Callable[[], Mapping[str, float]] | None = None,
        on_event: Callable[[Event], None] = lambda _: None,
    ) -> list[AccuracyRow]:
        """Measure the cells, `jobs` (None: default_jobs) at a time; append each row to the store the moment it ends.

        expect: gives the seconds that each cell may take, by its key; it is called once, when the first cells have
        begun, and then the longest of each seed go first. A cell that kills its worker, or takes longer than `timeout`
        seconds, gets a failure row. KeyboardInterrupt ends the work and is raised again; stored rows stay.
        """


@contextmanager
def engine_of(text: str, needs: str | None = None) -> Iterator[Engine]:
    """The engine that `local`, `ray` or `ray:ADDRESS` names.

    needs: what each cell takes of a machine of the cluster: cpus=1,gpus=0.5,memory=2GB. The files that variants were
    taken from so far travel to the cluster. Raises InputError for an engine that cannot be used.
    """
    name, colon, address = text.partition(":")
    if name not in NAMES:
        raise unknown("engine", name, NAMES)
    if name == "ray":
        try:
            from zoo.run import ray_engine
        except ImportError as error:
            raise InputError(f"--engine ray needs Ray, which is not installed: {INSTALL}") from error
        with ray_engine.connected(address or None, needs) as engine:
            yield engine
    elif colon or needs is not None:
        wrong = f"--engine {text} names an address" if colon else "--needs belongs to a cluster"
        raise InputError(f"{wrong}: choose --engine ray, or leave it out")
    else:
        yield executor
