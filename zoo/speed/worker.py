"""The worker of speed cells: `python -m zoo.speed.worker`, a fresh process for each group and pass."""

import resource
from pathlib import Path

import torch

from zoo.run.serving import Hear, Message, Say, serve
from zoo.speed.ceilings import ceilings
from zoo.speed.cells import Method, SpeedCell
from zoo.speed.measure import measure
from zoo.speed.reference import Reference

SPARE = 0.9  # of the memory that is free when the worker starts


def answered(request: Message, say: Say, _: Hear) -> Message:
    """Ceilings by dtype and a first reading for {"ceilings": device}; else visits, each start and row an event."""
    torch.set_num_threads(request["threads"])
    if "ceilings" in request:
        device = request["ceilings"]
        best = Reference().best if device == "cpu" else None
        return {"ceilings": {dtype: ceilings(device, dtype) for dtype in request["dtypes"]}, "reference": best}
    visits = [(SpeedCell(**{**cell, "tags": tuple(cell["tags"])}), row) for cell, row in request["visits"]]
    if visits[0][0].device == "cpu":
        _limit_memory()
    measure(
        visits,
        Method(**request["method"]),
        request["context"],
        on_start=lambda cell: say({"started": cell.key}),
        on_row=lambda row: say({"row": row}),
    )
    return {}


def _limit_memory() -> None:
    """Let an allocation beyond the free memory fail as an error of its cell, before the system kills the process."""
    try:
        said = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(said["MemAvailable"].split()[0]) * 1024
        own = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        held = int(own["VmData"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = held + int(SPARE * free)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


if __name__ == "__main__":
    serve(answered)
