"""Windows: a table of scaled values and the start row of each window; batches are gathered on demand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from zoo.data.moves import Flat, flat_of
from zoo.data.scaling import Units
from zoo.problem import Problem


@dataclass(frozen=True)
class Windows:
    """The windows of one part of a split.

    values: float32 [rows, C], scaled, shared by all parts and never copied; starts: int32 or int64 [n], the first
    lookback row of each window; raw: [rows, C] in the data's units, for ground truth; units: bring forecasts back to
    the data's units; is_filled: bool [rows], where a target is not measured but filled in, None: nowhere; is_direction:
    the values to forecast are whether the target lies above its last value, 1 or 0; flat: they are moves, -1, 0 or 1,
    and limits are float32 [rows, D, 2], the scaled values between which a target that has this row as its last one
    stays flat; is_whole: is_filled is of every channel, and no lookback holds such a row; inputs: float32 [rows, C],
    what models read where outliers are cleaned, None: values. Memory grows with rows, not with rows x lookback.
    """

    values: Tensor
    starts: Tensor
    lookback: int
    horizon: int
    targets: tuple[int, ...]
    raw: np.ndarray
    units: Units
    is_filled: np.ndarray | None = None
    is_direction: bool = False
    is_whole: bool = False
    inputs: Tensor | None = None
    flat: Flat | None = None
    limits: Tensor | None = None
    is_even = True  # all are equally long

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return f"Windows({len(self):,} of {self.lookback} + {self.horizon} steps, {self.values.shape[1]} channels)"

    def between(self, first: int, end: int) -> "Windows":
        """The windows ALL of whose target rows lie in rows [first, end); their lookback may reach back before them.

        A window with a filled target row is left out: a fill is no truth to learn from or to be scored by. Of whole
        windows, one with a filled row in its lookback too.
        """
        start = max(first - self.lookback, 0)
        kind = np.int32 if len(self.values) < 2**31 else np.int64
        starts = np.arange(start, max(end - self.horizon - self.lookback + 1, start), dtype=kind)
        if self.is_filled is not None:
            filled_before = np.concatenate([[0], np.cumsum(self.is_filled)])  # [rows + 1]
            row = starts + self.lookback
            starts = starts[filled_before[row + self.horizon] == filled_before[starts if self.is_whole else row]]
        return replace(self, starts=torch.from_numpy(starts))

    def to(self, device: torch.device | str) -> "Windows":
        """The same windows with values and starts on `device`."""
        tensors = {name: getattr(self, name) for name in ("values", "starts", "inputs", "limits")}
        return replace(self, **{name: each.to(device) for name, each in tensors.items() if each is not None})

    def as_points(self) -> "Windows":
        """The same windows, whose values to forecast are the target's own."""
        return replace(self, is_direction=False, flat=None, limits=None)

    def gather(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Windows number `index` [B] as (x [B, L, C], y [B, T, D]), in one indexing call on the device."""
        starts, length = self.starts[index], self.lookback + self.horizon
        block = every_window(self.values, length)[starts]
        x, y = block[:, : self.lookback], columns(block[:, self.lookback :], self.targets)
        y = self._labels(y, starts)
        return x if self.inputs is None else every_window(self.inputs, self.lookback)[starts], y

    def batches(self, batch_size: int, *, generator: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches (x [B, L, C], y [B, T, D]), the last one smaller; shuffled by `generator` where given."""
        if generator is None:
            for first in range(0, len(self), batch_size):
                end = min(first + batch_size, len(self))
                yield self.gather(torch.arange(first, end, device=self.starts.device))
            return
        for index in self.split(self.order(generator), batch_size):
            yield self.gather(index)

    def batch_count(self, batch_size: int) -> int:
        """How many batches all windows make."""
        return -(-len(self) // batch_size)

    @staticmethod
    def split(order: Tensor, batch_size: int) -> list[Tensor]:
        """Window numbers in batches, the last one smaller."""
        return list(order.split(batch_size))

    def order(self, generator: torch.Generator | None = None) -> Tensor:
        """Window numbers [n] on the device: ascending, or shuffled by a CPU generator."""
        if generator is None:
            return torch.arange(len(self), device=self.starts.device)
        return torch.randperm(len(self), generator=generator).to(self.starts.device)

    def truth(self) -> np.ndarray:
        """The actual values: float64 [n, T, D] in the data's units, or directions or moves."""
        rows = self.target_rows()[:, None] + np.arange(self.horizon)
        values = self.raw[rows][..., list(self.targets)].astype(np.float64, copy=False)
        if self.flat is not None:
            low, high = self.flat.limits(self.last()[:, None])
            return (values > high).astype(float) - (values < low)
        return (values > self.last()[:, None]).astype(float) if self.is_direction else values

    def scaled_truth(self) -> Tensor:
        """The actual values in scaled units, or directions or moves: float32 [n, T, D] on the device."""
        steps = torch.arange(self.lookback, self.lookback + self.horizon, device=self.starts.device)
        values = columns(self.values[self.starts[:, None] + steps], self.targets)
        return self._labels(values, self.starts)

    def _labels(self, y_BTD: Tensor, starts: Tensor) -> Tensor:
        """Scaled values as they are to be forecast: themselves, directions 1 or 0, or moves -1, 0 or 1."""
        if self.flat is not None:
            assert self.limits is not None
            low_B1D, high_B1D = self.limits[starts + self.lookback - 1].unsqueeze(1).unbind(dim=3)
            return (y_BTD > high_B1D).to(y_BTD.dtype) - (y_BTD < low_B1D).to(y_BTD.dtype)
        if self.is_direction:
            last_BD = columns(self.values[starts + self.lookback - 1], self.targets)
            return (y_BTD > last_BD[:, None]).to(y_BTD.dtype)
        return y_BTD

    def last(self) -> np.ndarray:
        """The targets' last observed values: float64 [n, D] in the data's units."""
        return self.raw[self.target_rows() - 1][:, list(self.targets)].astype(np.float64, copy=False)

    def target_rows(self) -> np.ndarray:
        """The row of the first forecast step of each window: int64 [n]."""
        return self.starts.cpu().numpy().astype(np.int64) + self.lookback


def every_window(values: Tensor, length: int) -> Tensor:
    """All windows of so many rows of values [rows, C], without a copy: [rows - length + 1, length, C]."""
    rows, channels = values.shape
    row, column = values.stride()
    return values.as_strided((rows - length + 1, length, channels), (row, row, column))


def limits_of(problem: Problem, values: np.ndarray, units: Units) -> Tensor | None:
    """The scaled limits of every row of values [rows, C] as the last one, float32 [rows, D, 2]; None without moves."""
    if not problem.flat:
        return None
    last = values[:, list(problem.targets)].astype(np.float64, copy=False)
    return torch.from_numpy(flat_of(problem.flat).scaled_limits(last, units))


def columns(x: Tensor, numbers: Sequence[int]) -> Tensor:
    """x [..., C] at the channels `numbers`, in that order: [..., len(numbers)]; a view where they are neighbours.

    Indexing by a list copies the list to the device at every call: a GPU waits for it, and a CUDA graph cannot hold it.
    """
    first, last = numbers[0], numbers[-1]
    if tuple(numbers) == tuple(range(first, last + 1)):
        return x[..., first : last + 1]
    return torch.stack([x[..., number] for number in numbers], dim=-1)
