"""Every variant's forward pass and training step, at batch 64 on lookback 7 and 96.

    pytest benchmarks/bench_models.py --benchmark-autosave
    pytest benchmarks/bench_models.py --benchmark-compare

It compares one commit with the next; zoo speed measures more of each variant.
"""

import pytest

import zoo
from zoo.records import checked
from zoo.throughput.cells import SpeedSuite, expand_speed
from zoo.throughput.workload import Workload

BATCH = 64


def cells(name, phase):
    settings = {"models": [name], "phase": [phase], "batch_size": [BATCH], "lookback": [7, 96]}
    every_cell, _ = expand_speed(checked(SpeedSuite, {"name": "bench", "speed": settings}, "bench"), device="cpu")
    return [cell for cell in every_cell if cell.batch_size == BATCH]


FORWARD = [cell for name in zoo.list_models() for cell in cells(name, "infer")]
TRAIN = [cell for name in [*zoo.list_models(tag="lstm"), "linear"] for cell in cells(name, "train")]


@pytest.mark.parametrize("cell", FORWARD + TRAIN, ids=lambda cell: f"{cell.variant}-{cell.phase}-{cell.lookback}")
def test_step(timed, device, cell):
    work = Workload(cell.model_copy(update={"device": device.type}), BATCH, seed=0)
    try:
        timed(work.run, device, BATCH)
    finally:
        work.close()
