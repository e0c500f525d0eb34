"""A worker process: reads cells as JSON lines on standard input, answers with events as JSON lines.

Started by zoo.bench.executor as `python -m zoo.bench.worker`, one torch thread each, so that a cell's
figures depend neither on how many run beside it nor on how zoo was started.
"""

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import torch

from zoo.bench.accuracy import THREADS, measure
from zoo.suite import Cell
from zoo.train.fit import Epoch


def main() -> None:
    # Whatever a variant prints goes to stderr; the parent's lines have a channel of their own.
    channel = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    torch.set_num_threads(THREADS)
    _warm_up()
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    while True:
        request = requests.get()
        fields = request["cell"]
        cell = Cell(**{**fields, "tags": tuple(fields["tags"])})

        def on_epoch(epoch: Epoch) -> None:
            event = {"epoch": epoch.number, "valid_loss": epoch.valid_loss, "train_loss": epoch.train_loss}
            channel.write(json.dumps(event) + "\n")

        row = measure(cell, Path(request["out"]), request["context"], on_epoch)
        channel.write(json.dumps({"row": row}) + "\n")


def _warm_up() -> None:
    """Do once what torch does on first use (seconds of imports), so that no cell's time contains it."""
    model = torch.nn.LSTM(1, 1)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    model(torch.zeros(1, 1, 1))[0].sum().backward()
    optimizer.step()


def _listen(requests: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)  # the parent is gone, or needs no more: nothing is half-written, files move into place whole


if __name__ == "__main__":
    main()
