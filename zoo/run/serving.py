"""The loop of a worker process: requests come in through a pipe, events and answers go out.

A worker has one torch thread, so that a cell's figures depend neither on how many run beside it nor on how zoo was
started.
"""

import importlib
import os
import queue
import signal
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from zoo.errors import PluginWarning
from zoo.registry import from_file
from zoo.train.config import FitConfig
from zoo.train.optimizer import Optimizer

THREADS = 1  # of every worker: two are slower than one for models this small, and change the sums
Message = dict[str, Any]
Say = Callable[[Message], None]
Hear = Callable[[], Message]


def serve(
    module: str, variants: Sequence[Path], pipe: Connection, log: str, folder: str, environment: Mapping[str, str]
) -> None:
    """Answer each request by MODULE.answer(request, say, hear): say sends an event, hear waits for the reply to one.

    variants: files that the user named; log: the file that standard output and error go to; folder, environment: of
    the process that asks. Never returns.
    """
    log_file = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(log_file, 1)
    os.dup2(log_file, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    answer: Callable[[Message, Say, Hear], Message] = importlib.import_module(module).answer
    make_ready([path for path in variants if path.exists()])
    incoming: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_listen, args=(pipe, incoming), daemon=True).start()
    while True:
        pipe.send({"answer": answer(incoming.get(), pipe.send, incoming.get)})


def make_ready(variants: Sequence[Path]) -> None:
    """Make this process one that may measure: with one torch thread, the variants of these files, and warm."""
    torch.set_num_threads(THREADS)
    warnings.filterwarnings("ignore", category=PluginWarning)  # the parent warns of it
    for path in variants:
        from_file(path)
    _warm_up()


def _warm_up() -> None:
    """Do once what torch does at its first use (seconds of imports), so that no cell's time contains it."""
    model = torch.nn.LSTM(1, 1)
    model(torch.zeros(1, 1, 1))[0].sum().backward()
    Optimizer(list(model.parameters()), FitConfig(device="cpu")).step()


def _listen(pipe: Connection, incoming: "queue.Queue[Message]") -> None:
    try:
        while True:
            incoming.put(pipe.recv())
    except (OSError, EOFError):
        os._exit(0)  # the parent is gone or needs no more; files move into place whole, so none is half-written
