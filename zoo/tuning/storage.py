"""Storage: where a study keeps its trials, and how the trials of dead processes are run again.

A running trial sends heartbeats; where they stop, another process queues the trial again. A study in a local folder
needs no wait for that: each process there holds a shared lock, which the kernel releases when the process dies, so a
process that opens the folder alone knows that no trial is running.
"""

import copy
import fcntl
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, RetryHeartbeatStaleTrialCallback, journal
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from zoo.errors import InputError
from zoo.files import check_folder, clear_drafts
from zoo.tuning.search import START

DATABASE, JOURNAL, LOCK = "study.db", "study.journal", ".study.lock"
REQUEST = "request"  # of a study: its data, settings and ranges
HEARTBEAT_SECONDS, GRACE_SECONDS = 5, 20
CONNECT_SECONDS, LOCK_SECONDS = 10, 60
MOST_RETRIES = 3  # of a trial whose process died


@contextmanager
def opened_storage(url: str | None, folder: Path | None) -> Iterator[BaseStorage]:
    """The storage at an Optuna URL, otherwise the database in `folder`, otherwise memory.

    Raises InputError for storage that cannot be used; its message does not contain the URL's password.
    """
    with ExitStack() as lock:
        if url is not None:
            storage = _shared(url)
        elif folder is None:
            storage = optuna.storages.InMemoryStorage()
        else:
            check_folder(folder)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                clear_drafts(folder)
                file = lock.enter_context((folder / LOCK).open("a"))
            except OSError as error:
                raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --out") from error
            storage = _embedded(folder, file)
        try:
            yield storage
        finally:
            if isinstance(storage, RDBStorage):
                storage.engine.dispose()
                # A result that is read later opens a connection again, until it is dropped itself.
                weakref.finalize(storage, storage.engine.dispose)


def storage_name(url: str | None, folder: Path | None) -> str:
    """A name of the storage for readers, without a password."""
    if url is None:
        return "memory" if folder is None else DATABASE
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return url.rpartition("@")[2]


def cause_of(error: BaseException) -> str:
    """The database's own words, on one line."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    cause = getattr(cause, "orig", None) or cause
    if cause.args and isinstance(cause.args[0], dict):  # PostgreSQL's fields, M the message
        return str(cause.args[0].get("M", cause))
    return " ".join(str(cause).split())


def queue_again(study: optuna.Study, trial: FrozenTrial, most_retries: int | None = MOST_RETRIES) -> None:
    """Queue the settings of a lost trial once more, unless it was run again `most_retries` times already."""
    trial = copy.deepcopy(trial)
    if set(trial.params) != set(study.user_attrs.get(REQUEST, {}).get("ranges", trial.params)):
        trial.params, trial.distributions = {}, {}  # it died while it drew them: draw all of them again
    trial.user_attrs = {name: value for name, value in trial.user_attrs.items() if name == START}
    RetryHeartbeatStaleTrialCallback(max_retry=most_retries)(study, trial)


def _embedded(folder: Path, lock: IO[str]) -> RDBStorage:
    """The database in a folder; running trials are queued again where no other process has the folder open."""
    path = folder / DATABASE
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_alone = True
    except BlockingIOError:
        fcntl.flock(lock, fcntl.LOCK_SH)  # waits while another process prepares the database
        is_alone = False
    try:
        if is_alone and (folder / JOURNAL).exists() and not path.exists():
            _import_journal(folder / JOURNAL, path)
        storage = _file(path)
        if is_alone:
            for name in optuna.get_all_study_names(storage):
                study = optuna.load_study(study_name=name, storage=storage)
                for trial in study.get_trials(states=(TrialState.RUNNING,)):
                    study.tell(trial.number, state=TrialState.FAIL)
                    queue_again(study, trial)
            fcntl.flock(lock, fcntl.LOCK_SH)
        return storage
    except (SQLAlchemyError, StorageInternalError, RuntimeError, AssertionError) as error:
        raise InputError(
            f"{path} cannot be read ({cause_of(error)}): choose another --out, or delete the file to start again"
        ) from error


def _import_journal(path: Path, database: Path) -> None:
    """Copy the study of an earlier version into a new database; the journal stays as it is."""
    draft = database.with_name(f".{database.name}")
    draft.unlink(missing_ok=True)
    try:
        old, new = journal.JournalStorage(journal.JournalFileBackend(str(path))), _file(draft)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}): choose another --out, or delete it to start again") from error
    for name in optuna.get_all_study_names(old):
        optuna.copy_study(from_study_name=name, from_storage=old, to_storage=new)
        study = optuna.load_study(study_name=name, storage=new)
        study.set_user_attr(REQUEST, study.user_attrs.get("asked", {}))
    new.engine.dispose()
    draft.replace(database)


def _shared(url: str) -> BaseStorage:
    if url.startswith(("postgresql://", "postgres://")):
        url = f"postgresql+pg8000://{url.partition('://')[2]}"
    name = storage_name(url, None)
    try:
        if url.startswith("redis"):
            return journal.JournalStorage(journal.JournalRedisBackend(url))
        # Each driver has its own name for the time that a connection may take.
        return _database(url, connect_args={"timeout": CONNECT_SECONDS} if "+pg8000" in url else {})
    except ImportError as error:
        extra = "; install 'lstm-zoo[postgres]'" if "pg8000" in url else ""
        raise InputError(f"storage {name} needs a driver that is not installed{extra} ({error})") from error
    except (ArgumentError, ValueError) as error:
        raise InputError(f"'{name}' is not a storage URL such as postgresql://user@host/db") from error
    except (SQLAlchemyError, OSError, StorageInternalError, RuntimeError) as error:
        raise InputError(f"storage {name} cannot be used: {cause_of(error)}") from error


def _file(path: Path) -> RDBStorage:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=LOCK_SECONDS, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")  # commits need not wait for the disk, and survive a kill
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    return _database(f"sqlite:///{DATABASE}", creator=connect)


def _database(url: str, *, attempts: int = 5, **engine: Any) -> RDBStorage:
    try:
        return RDBStorage(
            url,
            engine_kwargs={"pool_pre_ping": True, **engine},
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=queue_again,
        )
    except SQLAlchemyError as error:
        # Two processes create the tables at the same time: at the next attempt the slower one reads them.
        is_race = isinstance(error, IntegrityError) or "already exists" in str(error)
        if not is_race or attempts == 1:
            raise
        time.sleep(0.5)
        return _database(url, attempts=attempts - 1, **engine)
