"""quiet: Optuna's own log and its warnings of experimental features, silenced while studies run."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna

_lock = threading.Lock()
_depth = 0
_filters = warnings.catch_warnings()
_verbosity = 0


@contextmanager
def quiet() -> Iterator[None]:
    """For the whole process, however many threads are inside; the last one out puts all back."""
    global _depth, _filters, _verbosity
    with _lock:
        _depth += 1
        if _depth == 1:
            _verbosity = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(optuna.logging.CRITICAL)
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _filters.__exit__(None, None, None)
                optuna.logging.set_verbosity(_verbosity)
