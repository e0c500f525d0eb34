"""Sequences: the cases of one part, with their classes; batches of equally long ones are gathered on demand."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from zoo.data.scaling import Units


@dataclass(frozen=True)
class Sequences:
    """The counterpart of Windows for classification: the cases of one part of a split, shorter ones first.

    values: float32 [steps, C], scaled, shared by all parts; starts, lengths: int64 [n], the first step of each case and
    its number of steps; labels: int64 [n], the class of each, from 0 to K - 1; names: of the cases; is_even: whether
    all are equally long. The actual values are [n, 1, K]: 1 for the class of the case, 0 for the others. Nothing is
    padded: a batch holds cases of one length. Where lengths differ, each batch waits for the device once.
    """

    values: Tensor
    starts: Tensor
    lengths: np.ndarray
    labels: Tensor
    classes: tuple[str, ...]
    names: np.ndarray
    lookback: int
    units: Units
    is_even: bool
    horizon = 1
    targets = ()

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return f"Sequences({len(self):,} of {len(self.classes)} classes, {self.values.shape[1]} channels)"

    def to(self, device: torch.device | str) -> "Sequences":
        """The same cases with values, starts and labels on `device`."""
        moved = {name: getattr(self, name).to(device) for name in ("values", "starts", "labels")}
        return replace(self, **moved)

    def alone(self, count: int | None = None) -> "Sequences":
        """The first `count` of the cases (default: all), with no steps of any other."""
        cut = {name: getattr(self, name)[:count] for name in ("lengths", "labels", "names")}
        pairs = zip(self.starts[:count].tolist(), cut["lengths"].tolist(), strict=True)
        steps = [self.values[start : start + length] for start, length in pairs]
        starts = torch.from_numpy(np.cumsum(cut["lengths"]) - cut["lengths"])
        return replace(self, values=torch.cat([self.values[:0], *steps]), starts=starts, **cut)

    def gather(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Cases number `index` [B], of one length, as (x [B, L, C], y [B, 1, K])."""
        length = self.lookback if self.is_even else int(self.lengths[int(index[0])])
        rows, channels = self.values.shape
        row, column = self.values.stride()
        every_window = self.values.as_strided((rows - length + 1, length, channels), (row, row, column))
        return every_window[self.starts[index]], self._one_hot(self.labels[index])

    def batches(self, batch_size: int, *, generator: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches (x [B, L, C], y [B, 1, K]), each of cases of one length; shuffled by `generator` where given."""
        for index in self.split(self.order(generator), batch_size):
            yield self.gather(index)

    def batch_count(self, batch_size: int) -> int:
        """How many batches all cases make."""
        return len(self.split(self.order(), batch_size))

    def order(self, generator: torch.Generator | None = None) -> Tensor:
        """Numbers of the cases [n] on the device: ascending, or shuffled by a CPU generator."""
        if generator is None:
            return torch.arange(len(self), device=self.starts.device)
        return torch.randperm(len(self), generator=generator).to(self.starts.device)

    def split(self, order: Tensor, batch_size: int) -> list[Tensor]:
        """Numbers of cases in batches of one length each, in the order in which the first of each batch comes."""
        if self.is_even:
            return list(order.split(batch_size))
        numbers = order.cpu().numpy()
        batches: list[tuple[int, np.ndarray]] = []
        for length in np.unique(self.lengths[numbers]):
            places = np.flatnonzero(self.lengths[numbers] == length)
            batches += [(part[0], part) for part in np.split(places, range(batch_size, len(places), batch_size))]
        return [order[torch.from_numpy(part)] for _, part in sorted(batches, key=lambda batch: batch[0])]

    def truth(self) -> np.ndarray:
        """The actual classes: float64 [n, 1, K], 1 or 0."""
        return self.scaled_truth().cpu().double().numpy()

    def scaled_truth(self) -> Tensor:
        """The same on the device, float32."""
        return self._one_hot(self.labels)

    def _one_hot(self, labels: Tensor) -> Tensor:
        return functional.one_hot(labels, len(self.classes)).to(torch.float32)[:, None]

    def last(self) -> np.ndarray:
        """What a forecast would start from: zeros [n, K], since a class has no last value."""
        return np.zeros((len(self), len(self.classes)))

    def target_rows(self) -> np.ndarray:
        """The number of each case in its part: int64 [n]."""
        return np.arange(len(self))
