"""Workload: the model, the inputs and the timed step of a cell."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.cell import SpeedCell
from zoo.data.scaling import Units
from zoo.data.windows import Windows
from zoo.layers.model import Model
from zoo.registry import create
from zoo.train.config import FitConfig
from zoo.train.modes import Mode, captured_call, prepared
from zoo.train.optimizer import Optimizer
from zoo.train.step import Step, float32_rounding, subnormals_as_zero

MOST_BUFFERS, ENOUGH_BYTES = 16, 64 * 2**20  # inputs rotate, so that none waits in a cache for its next turn
NARROW = ("bfloat16", "float16")
Part = Callable[[], None]


class Workload:
    """A cell's step, ready to run. Inputs are random, never zero, and rotate; no weight is zero.

    run does one step; parts are its three parts in order for an eager training step (their results pass from
    one to the next), and empty otherwise. Close it when done: it changes settings of the process.
    """

    def __init__(self, cell: SpeedCell, batch_size: int, *, seed: int) -> None:
        self.cell, self.batch_size = cell, batch_size
        self._open = ExitStack()
        self._open.enter_context(float32_rounding(cell.dtype))
        self.device = torch.device(cell.device)
        random = torch.Generator(self.device).manual_seed(seed)  # there, since it draws gigabytes for large batches
        self.model = _without_zeros(create(cell.variant, cell.problem, **cell.params).to(self.device), random)
        self.parts: tuple[Part, ...] = ()
        self.optimizer: Optimizer | None = None
        self.mode = Mode(lambda index: index, cell.mode)
        self._turn = 0
        try:
            self.run = self._training(random) if cell.phase == "train" else self._inference(random)
        except BaseException:
            self._open.close()
            raise

    def close(self) -> None:
        """Restore the settings of the process."""
        self._open.close()

    def resident_bytes(self) -> int:
        """Bytes that a step finds in memory: weights, their gradients, optimizer state, and one step's input."""
        tensors: list[Tensor] = [*self.model.parameters(), *self.model.buffers(), *self._inputs]
        tensors += [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        return sum(tensor.nbytes for tensor in tensors) + self.optimizer_bytes()

    def optimizer_bytes(self) -> int:
        """Bytes of the optimizer's state."""
        return sum(tensor.nbytes for tensor in self.optimizer.state()) if self.optimizer is not None else 0

    @property
    def input_bytes(self) -> int:
        """Bytes of the windows of one step, gathered."""
        size = 2 if self.cell.phase == "infer" and self.cell.dtype in NARROW else 4
        return size * self.batch_size * self.cell.lookback * self.cell.channels

    def _training(self, random: torch.Generator) -> Part:
        self._open.enter_context(subnormals_as_zero())
        self.model.train()
        windows = _windows(self.cell, max(4096, 4 * self.batch_size), random)
        precision: Any = self.cell.dtype
        config = FitConfig(mode=self.cell.mode, precision=precision, batch_size=self.batch_size)  # type: ignore[arg-type]
        step = Step(self.model, windows, config)
        self.optimizer = step.optimizer
        indices = [
            torch.randint(len(windows), (self.batch_size,), generator=random, device=self.device)
            for _ in range(MOST_BUFFERS)
        ]
        self.mode = prepared(step, indices[0])
        self._inputs = [windows.values, windows.starts, indices[0]]
        self.windows_values = windows.values

        def run() -> None:
            self._turn += 1
            self.mode.run(indices[self._turn % MOST_BUFFERS])

        loss = torch.zeros(())

        def forward() -> None:
            nonlocal loss
            self._turn += 1
            loss = step.forward(indices[self._turn % MOST_BUFFERS])

        def backward() -> None:
            step.backward(loss)

        if self.mode.name == "eager":
            self.parts = (forward, backward, step.update)
        return run

    def _inference(self, random: torch.Generator) -> Part:
        self.model.eval()
        dtype = getattr(torch, self.cell.dtype) if self.cell.dtype in NARROW else torch.float32
        self.model.to(dtype)
        count = min(max(ENOUGH_BYTES // self.input_bytes, 2), MOST_BUFFERS)
        shape = (self.batch_size, self.cell.lookback, self.cell.channels)
        inputs = [torch.randn(shape, generator=random, device=self.device).to(dtype) for _ in range(count)]
        self._inputs = inputs[:1]
        self._open.enter_context(torch.inference_mode())
        self.mode, call = captured_call(self.model, inputs[0], self.cell.mode)

        def run() -> None:
            self._turn += 1
            call(inputs[self._turn % count])

        return run


def _without_zeros(model: Model, random: torch.Generator) -> Model:
    """Give weights that start at zero (heads, linear maps) small random values: zeros could be cheaper."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.count_nonzero():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=random, device=parameter.device))
    return model


def _windows(cell: SpeedCell, count: int, random: torch.Generator) -> Windows:
    """Random windows on the generator's device; without truth in the data's units, which no step reads."""
    rows = count + cell.lookback + cell.horizon - 1
    values = torch.randn(rows, cell.channels, generator=random, device=random.device)
    starts = torch.arange(count, device=random.device)
    one = np.ones(1)
    units = Units(("target",), np.zeros(1), one, one, one)
    raw = np.empty((0, cell.channels))
    return Windows(values, starts, cell.lookback, cell.horizon, cell.problem.targets, raw, units)
