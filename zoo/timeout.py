"""time_limit: ends what loops in this process."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Inside, TimeoutError is raised after so many seconds. No limit without a number, outside the main thread, and on
    systems without timers."""
    can_limit = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if seconds is None or not can_limit:
        yield
        return

    def end(*_: Any) -> None:
        raise TimeoutError(f"it took longer than {seconds:g} s (--cell-timeout)")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
