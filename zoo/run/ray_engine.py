"""The executor on a Ray cluster: cells are tasks, and this process alone writes rows and the files that they name.

The zoo's source and the files of variants travel with the job, data once through the object store, and a task returns
its rows with their files: the machines share no disk.
"""

import faulthandler
import math
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, WorkerCrashedError

from zoo.cell import AccuracyRow, Cell, DataFields, ProblemFields
from zoo.data.dataset import Data
from zoo.errors import InputError, first_line, message_of, unknown
from zoo.files import write_atomically
from zoo.plugins import HOME
from zoo.registry import files
from zoo.run.executor import Event, groups, longest_first
from zoo.run.process import clear_leftovers, temporary_prefix
from zoo.run.server import settings
from zoo.run.serving import THREADS, make_ready
from zoo.run.store import RowStore
from zoo.run.worker import error_file, failed, measure
from zoo.suite import load_from, prepare_from
from zoo.timeout import time_limit

CONNECT_SECONDS = 10
LOOK_SECONDS = 5  # between two looks at which machines the cluster has
MOST_DEATHS = 2  # of the workers of a cell
MOST_LOSSES = 5  # of the machines of a cell, which may be what takes them down
GRACE_SECONDS = 10  # for a cell to end by itself after its time
UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
Ref = Any  # ray.ObjectRef, which hides its types


@dataclass(frozen=True)
class Needs:
    """What a task takes of a machine; gpus: None where the device decides; memory: in bytes."""

    cpus: float = 1
    gpus: float | None = None
    memory: float = 0

    def on(self, device: str) -> dict[str, float]:
        """The same by the names that Ray has for it, without what is zero."""
        gpus = self.gpus if self.gpus is not None else float(device == "cuda")
        wanted = {"CPU": self.cpus, "GPU": gpus, "memory": self.memory}
        return {name: amount for name, amount in wanted.items() if amount}


@dataclass(frozen=True)
class Parcel:
    """A row and the files that it names, by their place beside it."""

    row: AccuracyRow
    files: dict[str, bytes]


@dataclass
class RayEngine:
    """A connection to a cluster. variants: files that travelled with the job, by their place in its folder."""

    needs: Needs
    variants: tuple[str, ...]
    looked: float = -math.inf
    machines: list[dict[str, Any]] = field(default_factory=list)

    def default_jobs(self, device: str) -> int:
        """How many tasks the machines hold at a time; raises InputError for none, which would wait for ever."""
        places, wanted = self._places(device), self.needs.on(device)
        if places == 0:
            text = " and ".join(f"{amount:g} {name}" for name, amount in wanted.items())
            raise InputError(
                f"a cell needs {text}, more than any machine of the cluster has: ask for less with --needs, or add one"
            )
        return places

    def _places(self, device: str) -> int:
        """How many tasks the machines hold now; they may come and go."""
        if time.monotonic() - self.looked > LOOK_SECONDS:
            self.looked, self.machines = time.monotonic(), [node for node in ray.nodes() if node["Alive"]]
        wanted = self.needs.on(device)
        held = [[node["Resources"].get(name, 0) / amount for name, amount in wanted.items()] for node in self.machines]
        return sum(int(min(shares)) for shares in held)

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
        """As Engine.run says. What a lost machine measured runs again elsewhere; a cell that kills its worker twice
        gets a failure row."""
        rows: list[AccuracyRow] = []
        if not cells:
            return rows
        device = cells[0].device
        task, tables = self.task(measure_there, device), dict[DataFields, Ref]()
        waiting, running = deque(groups(cells)), dict[Ref, tuple[int, list[Cell]]]()
        losses, truths = Counter[tuple[str, bool]](), set[str]()
        try:
            while waiting or running:
                # For each place one more than it holds: it need not wait for this process.
                most = jobs or max(1, 2 * self._places(device))
                while waiting and len(running) < most:
                    group = waiting.popleft()
                    source = group[0].data
                    if source not in tables:
                        tables[source] = ray.put(load_from(source.model_dump(mode="json")))
                    taken = {place for place, _ in running.values()}
                    place = next(number for number in range(len(running) + 1) if number not in taken)
                    ref = task.remote(group, context, [tables[source]], self.variants, frozenset(truths), timeout)
                    running[ref] = place, group
                    for cell in group:
                        on_event(Event(place, cell))
                if expect is not None:
                    waiting, expect = deque(longest_first(waiting, expect())), None
                for ref in ray.wait(list(running), timeout=LOOK_SECONDS)[0]:
                    place, group = running.pop(ref)
                    try:
                        ended = [
                            _unpacked(parcel, cell, store.folder, context, truths)
                            for parcel, cell in zip(ray.get(ref), group, strict=True)
                        ]
                    except Exception as error:
                        why = _loss(error, group, losses)
                        if why is not None:
                            waiting.extendleft([cell] for cell in reversed(group))  # one may be at fault: each alone
                            for cell in group:
                                on_event(Event(place, cell, again=why))
                            continue
                        ended = [_failed(cell, store.folder, context, error) for cell in group]
                    for cell, row in zip(group, ended, strict=True):
                        store.append(row)
                        rows.append(row)
                        on_event(Event(place, cell, row=row))
        finally:
            for ref in running:
                ray.cancel(ref, force=True)
        return rows

    def task(self, function: Callable[..., Any], device: str, **how: Any) -> Any:
        """A function as a task, with what it takes of a machine; how: further options of Ray, which never repeats it
        by itself: we count the losses."""
        wanted = self.needs.on(device)
        cpus, gpus, memory = wanted.get("CPU", 0), wanted.get("GPU", 0), int(wanted.get("memory", 0))
        return ray.remote(function).options(num_cpus=cpus, num_gpus=gpus, memory=memory or None, max_retries=0, **how)


def measure_there(
    cells: Sequence[Cell],
    context: dict[str, Any],
    table: list[Ref],
    variants: tuple[str, ...],
    truths: frozenset[str],
    timeout: float | None,
) -> list[Parcel]:
    """The task: the rows of cells that differ in nothing but their seed, on whichever machine this is.

    table: where what the cells' source holds lies in the object store; truths: files that the driver has.
    """
    folder = ready(variants)
    limit = None if timeout is None else timeout * len(cells)
    if limit is not None:  # for code that hears of no timeout; then the worker dies
        faulthandler.dump_traceback_later(limit + GRACE_SECONDS, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        with time_limit(limit):
            rows = measure(
                cells, folder, context, lambda _key, _epoch: None,
                lambda data, problem: _prepared(data, problem, table[0]),
            )  # fmt: skip
    finally:
        faulthandler.cancel_dump_traceback_later()
    return [_parcel(row, folder, truths) for row in rows]


@lru_cache(maxsize=1)
def ready(variants: tuple[str, ...]) -> Path:
    """Make this process ready to measure, once; a folder for its files."""
    make_ready([Path(name) for name in variants])
    clear_leftovers()
    return Path(tempfile.mkdtemp(prefix=temporary_prefix()))


@lru_cache(maxsize=2)
def _prepared(data: DataFields, problem: ProblemFields, table: Ref) -> Data:
    return prepare_from(data.model_dump(mode="json"), problem.model_dump(mode="json"), ray.get(table))


def _parcel(row: AccuracyRow, folder: Path, truths: frozenset[str]) -> Parcel:
    names = [name for name in (row.predictions, row.truth, row.traceback) if name is not None and name not in truths]
    contents = {name: (folder / name).read_bytes() for name in names}
    for name in contents:
        if name != row.truth:  # which the next cells share
            (folder / name).unlink()
    return Parcel(row, contents)


def _unpacked(parcel: Parcel, cell: Cell, folder: Path, context: dict[str, Any], truths: set[str]) -> AccuracyRow:
    """The row of a parcel, its files written beside it. truths: names of the shared files that have come."""
    row = parcel.row
    try:
        for name, content in parcel.files.items():
            if name not in truths:
                (folder / name).parent.mkdir(exist_ok=True)
                write_atomically(folder / name, content)
        if row.error is None:
            (folder / error_file(cell)).unlink(missing_ok=True)
    except OSError as error:  # a full disk
        return _failed(cell, folder, context, error)
    if row.truth is not None:
        truths.add(row.truth)
    # What was asked for stays one object for all rows of a run.
    return row.model_copy(update={name: getattr(cell, name) for name in Cell.model_fields})


def _loss(error: BaseException, cells: Sequence[Cell], losses: Counter[tuple[str, bool]]) -> str | None:
    """Why the cells run again; None where they do not. losses: of each cell so far, of machines and of workers."""
    is_machine = isinstance(error, NodeDiedError | ObjectLostError)
    if not is_machine and not isinstance(error, WorkerCrashedError | OutOfMemoryError):
        return None
    losses.update((cell.key, is_machine) for cell in cells)
    if max(losses[cell.key, is_machine] for cell in cells) >= (MOST_LOSSES if is_machine else MOST_DEATHS):
        return None
    return "its machine was lost" if is_machine else f"its worker died ({first_line(error)})"


def _failed(cell: Cell, folder: Path, context: dict[str, Any], error: BaseException) -> AccuracyRow:
    """The row of a cell that no task measured."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, NodeDiedError | ObjectLostError):
        text = f"{MOST_LOSSES} machines were lost while they measured this cell ({first_line(error)})"
    elif isinstance(error, WorkerCrashedError | OutOfMemoryError):
        text = f"the cell killed its worker {MOST_DEATHS} times ({first_line(error)})"
    else:
        cause = getattr(error, "cause", None) or error  # of what a task raises
        text = f"{type(cause).__name__}: {cause}"
    return failed(cell, folder, context, text, details)


@contextmanager
def connected(address: str | None, needs: str | None) -> Iterator[RayEngine]:
    """A connection to the cluster at HOST:PORT, by default to the one that this machine belongs to; where it belongs to
    none, Ray starts here for as long as the connection lasts.

    Raises InputError where there is no cluster, or one of another version.
    """
    wanted = needs_of(needs)
    if address is not None:
        _check_answers(address)
    for name, value in {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}.items():
        os.environ.setdefault(name, value)  # of a Ray that starts here: it reports nothing, and works as fast as we do
    before = signal.getsignal(signal.SIGTERM)
    # Ray prints what becomes of machines to standard output, where the command's result belongs.
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        try:
            variants = _staged(Path(folder))
            environment = {
                "working_dir": folder,  # without one, Ray has workers import from the user's folder
                "py_modules": [str(HOME)],
                "excludes": ["__pycache__"],
                "env_vars": settings(THREADS),
            }
            ray.init(
                address=address, runtime_env=environment, include_dashboard=False, log_to_driver=False,
                logging_level="ERROR",
            )  # fmt: skip
            signal.signal(signal.SIGTERM, before)
        except Exception as error:
            ray.shutdown()
            if address is None:
                raise InputError(f"Ray cannot be used here ({message_of(error)}): see ray status") from error
            raise InputError(
                f"the Ray cluster at {address} cannot be used ({message_of(error)}): this machine must have joined it, "
                f"with ray start --address {address} --num-cpus 0, and have its versions of Ray and Python"
            ) from error
        try:
            yield RayEngine(wanted, variants)
        finally:
            ray.shutdown()


def needs_of(text: str | None) -> Needs:
    """What cpus=1,gpus=0.5,memory=2GB says; raises InputError."""
    values: dict[str, float] = {}
    for part in (text or "").split(",") if text is not None else ():
        name, _, value = (each.strip() for each in part.partition("="))
        if name not in ("cpus", "gpus", "memory"):
            raise unknown("need", name, ("cpus", "gpus", "memory"), "in --needs")
        match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMG]I?B)?", value.upper())
        if match is None or (match[2] and name != "memory"):
            raise InputError(f"--needs takes numbers such as cpus=1,gpus=0.5,memory=2GB, got '{part.strip()}'")
        values[name] = float(match[1]) * UNITS[match[2] or ""]
    if values.get("cpus", 1) == 0 and not values.get("gpus"):
        raise InputError("--needs must leave a cell cpus or gpus, or any number of cells would run on one machine")
    return Needs(**values)


def _check_answers(address: str) -> None:
    """Raise InputError unless something listens at HOST:PORT; Ray itself would try for a minute."""
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdigit():
        raise InputError(f"a cluster's address is HOST:PORT of its head, such as 10.0.0.1:6379, got '{address}'")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"no Ray cluster answers at {address} ({first_line(error)}): start one with ray start --head --port {port}"
        ) from error


def _staged(folder: Path) -> tuple[str, ...]:
    """Copy the files of variants to where they travel from; their places there."""
    places = []
    for number, path in enumerate(files()):
        place = Path("variants", str(number), path.name)
        (folder / place).parent.mkdir(parents=True)
        shutil.copyfile(path, folder / place)
        places.append(str(place))
    return tuple(places)
