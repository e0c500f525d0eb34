"""What a cell costs beside nn.LSTM of the same size, and beside the same step as a plain loop.

    python benchmarks/bench_cells.py

One process, one thread: batch 64, 5 channels, 64 units. Each figure is nn.LSTM's best time over the cell's best time in
the same round, the median of rounds; training is forward and backward of the last state.
"""

import statistics
import time
from collections.abc import Callable

import torch
from tabulate import tabulate
from torch import nn

from zoo.layers.cells import CoupledCell, ElmanCell, GRUCell, LSTMCell, PeepholeCell
from zoo.layers.recurrence import Cell, plain_loop, why_not

BATCH, CHANNELS, SIZE, ROUNDS, SECONDS = 64, 5, 64, 9, 0.1


class Loop(nn.Module):
    """The step of a cell as a loop in Python."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cell = self.cell
        z = torch.matmul(cell.input, x.permute(1, 2, 0)) + cell.bias[:, None]
        initial = (x.new_zeros(cell.hidden_size, len(x)),) * cell.states
        return plain_loop(type(cell), z, initial, tuple(map(cell.get_parameter, cell.names))).permute(2, 0, 1)


def best(run: Callable[[], object]) -> float:
    """The least time of a call within SECONDS."""
    run()
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def runs(module: nn.Module, x: torch.Tensor) -> list[Callable[[], object]]:
    """A training step and a forecast of a layer."""

    def states() -> torch.Tensor:
        out = module(x)
        return (out[0] if isinstance(out, tuple) else out)[:, -1]

    def train() -> None:
        for parameter in module.parameters():
            parameter.grad = None
        states().sum().backward()

    def infer() -> None:
        with torch.no_grad():
            states()

    return [train, infer]


def main() -> None:
    torch.set_num_threads(1)
    lines = []
    for lookback in (7, 96):
        x = torch.randn(BATCH, lookback, CHANNELS)
        reference = runs(nn.LSTM(CHANNELS, SIZE, batch_first=True), x)
        for kind in (LSTMCell, CoupledCell, PeepholeCell, GRUCell, ElmanCell):
            cell = kind(CHANNELS, SIZE)
            sides = [*runs(cell, x), *runs(Loop(cell), x)]
            rounds = []
            for _ in range(ROUNDS):
                theirs = [best(run) for run in reference]
                rounds.append([theirs[place % 2] / best(run) for place, run in enumerate(sides)])
            ratios = [f"{statistics.median(each):.2f}" for each in zip(*rounds, strict=True)]
            lines.append([kind.__name__, lookback, *ratios, why_not(kind) or ""])
    header = ["cell", "lookback", "training", "inference", "training, loop", "inference, loop", "not compiled"]
    print("Speed relative to nn.LSTM of the same size:\n")
    print(tabulate(lines, header, tablefmt="pipe", disable_numparse=True))


if __name__ == "__main__":
    main()
