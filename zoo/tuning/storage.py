"""Storage: where a study's trials are kept, and how the trials of a dead process are found.

Embedded storage is a journal file: processes on one machine share it under a lock that the kernel lets go
when its holder dies. Each process that runs trials holds a small lock file beside it, so that others see
whether it lives. A database does without: there Optuna's heartbeat tells.
"""

import json
import os
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import journal
from optuna.trial import FrozenTrial, TrialState

from zoo.errors import InputError
from zoo.tuning.search import START

try:
    import fcntl
except ImportError:  # not on Windows: there the journal takes Optuna's own lock, and the dead are not found
    fcntl = None  # type: ignore[assignment]

JOURNAL = "study.journal"
ORDINAL = "ordinal"  # of a trial among those that count: what its training's seed is drawn from
HEARTBEAT_SECONDS, GRACE_SECONDS = 5, 20
CONNECT_SECONDS = 10
CREATE_ATTEMPTS = 5
NAMELESS_SECONDS = 10  # a running trial without an owner is this old when its process died before it signed


class Store:
    """A storage and what it knows of who lives: `storage` is Optuna's, `owner` this process's name
    in it, `shown` where it is, without a password."""

    def __init__(self, storage: optuna.storages.BaseStorage, shown: str, folder: Path | None = None) -> None:
        self.storage = storage
        self.shown = shown
        self.owner = uuid.uuid4().hex
        self.folder = folder
        self._held: int | None = None
        if folder is not None and fcntl is not None:
            self._held = os.open(self._sign(self.owner), os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(self._held, fcntl.LOCK_EX)

    @property
    def sees_the_dead(self) -> bool:
        """Whether a trial whose process died will be found out while others run."""
        return self._held is not None or isinstance(self.storage, optuna.storages.RDBStorage)

    def reap(self, study: optuna.Study) -> None:
        """Mark the running trials of dead processes as failed and queue each once more."""
        if self._held is None:
            optuna.storages.fail_stale_trials(study)
            return
        oldest = datetime.now() - timedelta(seconds=NAMELESS_SECONDS)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            owner = trial.user_attrs.get("owner")
            if owner is None and trial.datetime_start is not None and trial.datetime_start > oldest:
                continue
            if owner is None or not self._lives(owner):
                try:
                    study.tell(trial.number, state=TrialState.FAIL)
                except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
                    continue  # another process was faster
                queue_again(study, trial)

    def close(self) -> None:
        """Take this process's sign away."""
        if self._held is not None:
            self._sign(self.owner).unlink(missing_ok=True)
            os.close(self._held)

    def _sign(self, owner: str) -> Path:
        assert self.folder is not None
        return self.folder / f".owner-{owner}"

    def _lives(self, owner: str) -> bool:
        if owner == self.owner:
            return True
        try:
            sign = os.open(self._sign(owner), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(sign, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(sign)
        self._sign(owner).unlink(missing_ok=True)
        return False


def open_store(url: str | None, folder: Path | None) -> Store:
    """The storage at an Optuna URL, else a journal file in folder, else memory.

    Raises InputError, without a password that the URL holds, for storage that cannot be reached.
    """
    if url is not None:
        return Store(_at(url), shown(url))
    if folder is None:
        return Store(optuna.storages.InMemoryStorage(), "memory")
    path = folder / JOURNAL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _KernelLock(path) if fcntl is not None else journal.JournalFileOpenLock(str(path))
        _cut_broken_line(path, lock)
        backend = journal.JournalFileBackend(str(path), lock_obj=lock)  # type: ignore[arg-type]
        return Store(journal.JournalStorage(backend), JOURNAL, folder)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --out") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}): choose another --out, or delete it to start anew") from error


def queue_again(study: optuna.Study, trial: FrozenTrial, *, is_innocent: bool = False) -> None:
    """Queue a lost trial's parameters once more; one that is lost twice stays failed, unless it `is_innocent`."""
    if "retry_of" in trial.user_attrs and not is_innocent:
        return
    # One that died while it drew its parameters draws them all anew.
    is_whole = set(trial.params) == set(study.user_attrs.get("asked", {}).get("ranges", trial.params))
    again = optuna.create_trial(
        state=TrialState.WAITING,
        params=trial.params if is_whole else {},
        distributions=trial.distributions if is_whole else {},
        user_attrs={
            **{name: value for name, value in trial.user_attrs.items() if name in (START, ORDINAL)},
            "retry_of": trial.number,
        },
        system_attrs=trial.system_attrs,
    )
    study.add_trial(again)


def shown(url: str) -> str:
    """A storage URL without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return url.rpartition("@")[2]


def _at(url: str) -> optuna.storages.BaseStorage:
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    if url.startswith(("postgresql://", "postgres://")):
        url = f"postgresql+pg8000://{url.partition('://')[2]}"
    # pg8000 alone: each driver has its own name for the time that a connection may take.
    options: dict[str, Any] = {"connect_args": {"timeout": CONNECT_SECONDS}} if "+pg8000" in url else {}
    try:
        if url.startswith("redis"):
            return journal.JournalStorage(journal.JournalRedisBackend(url))
        return _database(url, options)
    except ImportError as error:
        extra = "; install 'lstm-zoo[postgres]'" if "pg8000" in url else ""
        raise InputError(f"storage {shown(url)} needs a driver that is not installed{extra} ({error})") from error
    except (ArgumentError, ValueError) as error:
        raise InputError(f"storage '{shown(url)}' is no storage URL such as postgresql://user@host/db") from error
    except (SQLAlchemyError, OSError, optuna.exceptions.StorageInternalError) as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error
        if cause.args and isinstance(cause.args[0], dict):  # PostgreSQL's fields, M the message
            cause = cause.args[0].get("M", cause)
        cause = " ".join(str(cause).split())
        raise InputError(f"storage {shown(url)} cannot be reached: {cause}") from error


def _database(url: str, options: dict[str, Any]) -> optuna.storages.RDBStorage:
    from sqlalchemy.exc import IntegrityError, SQLAlchemyError

    for attempt in range(1, CREATE_ATTEMPTS + 1):
        try:
            return optuna.storages.RDBStorage(
                url,
                engine_kwargs={"pool_pre_ping": True, **options},
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
                heartbeat_stale_trial_callback=queue_again,
            )
        except SQLAlchemyError as error:
            # Two processes that make the tables at once: the slower one finds them there the next time.
            is_race = isinstance(error, IntegrityError) or "already exists" in str(error)
            if not is_race or attempt == CREATE_ATTEMPTS:
                raise
            time.sleep(0.5)
    raise AssertionError


class _KernelLock:
    """A lock for JournalFileBackend that dies with its holder, where Optuna's own keep others out for 30 s."""

    def __init__(self, path: Path) -> None:
        self.path = f"{path}.lock"
        self.held: int | None = None

    def acquire(self) -> bool:
        held = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(held, fcntl.LOCK_EX)
        self.held = held
        return True

    def release(self) -> None:
        assert self.held is not None
        held, self.held = self.held, None
        os.close(held)


def _cut_broken_line(path: Path, lock: Any) -> None:
    """Cut what a write that was interrupted left behind: lines are whole, or the next one is lost with it."""
    lock.acquire()
    try:
        if path.exists():
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(path, whole)
            lines = content[:whole].splitlines()
            if lines and "op_code" not in json.loads(lines[-1]):  # Optuna finds bad lines, but not the last
                raise ValueError("its last line is not a study's")
    finally:
        lock.release()
