"""The loop of a worker process: requests as JSON lines on standard input, events and answers on another channel.

One torch thread each, so that a cell's figures depend neither on how many run beside it nor on how zoo was
started.
"""

import json
import os
import queue
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import torch

from zoo.plugins import PluginWarning
from zoo.registry import from_file

THREADS = 1  # of every worker: two are slower than one for models this small, and change the sums
Message = dict[str, Any]
Say = Callable[[Message], None]
Hear = Callable[[], Message]


def serve(handle: Callable[[Message, Say, Hear], Message]) -> None:
    """Answer each request by `handle(request, say, hear)`: say sends an event, hear waits for the reply to one."""
    # What a variant prints goes to stderr; answers have a channel of their own.
    channel = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    torch.set_num_threads(THREADS)
    warnings.filterwarnings("ignore", category=PluginWarning)  # the parent warns of it
    for path in sys.argv[1:]:  # files with variants that the user named
        from_file(path)
    _warm_up()
    incoming: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_listen, args=(incoming,), daemon=True).start()

    def say(event: Message) -> None:
        channel.write(json.dumps(event) + "\n")

    while True:
        say({"answer": handle(incoming.get(), say, incoming.get)})


def _warm_up() -> None:
    """Do once what torch does on first use (seconds of imports), so that no cell's time contains it."""
    model = torch.nn.LSTM(1, 1)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    model(torch.zeros(1, 1, 1))[0].sum().backward()
    optimizer.step()


def _listen(incoming: "queue.Queue[Message]") -> None:
    for line in sys.stdin:
        incoming.put(json.loads(line))
    os._exit(0)  # the parent is gone, or needs no more: nothing is half-written, files move into place whole
