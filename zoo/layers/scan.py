"""Recurrences that are linear in their state: their steps need not wait for each other."""

import torch
from torch import Tensor, nn

from zoo.layers.recurrence import Cell, State, compiled_for


class LinearCell(Cell):
    """A layer of cells whose gates see the input only: h_t = keep_t * h_t-1 + add_t.

    A subclass writes `parts`, which may use pointwise functions and split. Where a step is compiled (on a CPU) the
    window runs step by step, else all steps run at once.
    """

    @staticmethod
    def shapes(_size: int) -> dict[str, tuple[int, ...]]:
        return {}

    @staticmethod
    def parts(z: Tensor) -> tuple[Tensor, Tensor]:
        """keep and add [H, ...] of the projected input z [blocks * H, ...]."""
        raise NotImplementedError

    @classmethod
    def step(cls, z: Tensor, state: State, _weights: State) -> State:
        keep, add = cls.parts(z)
        return (keep * state[0] + add,)

    def forward(self, x_BLC: Tensor) -> Tensor:
        if compiled_for(type(self), x_BLC) is not None:
            return super().forward(x_BLC)
        z_BLZ = nn.functional.linear(x_BLC, self.input, self.bias)
        keep_HBL, add_HBL = self.parts(z_BLZ.permute(2, 0, 1))
        return linear_scan(keep_HBL.permute(1, 2, 0), add_HBL.permute(1, 2, 0))


def linear_scan(keep_BLH: Tensor, add_BLH: Tensor) -> Tensor:
    """h [B, L, H] with h_t = keep_t * h_t-1 + add_t, beginning at zero, in log2(L) rounds over the whole window.

    Each round joins every step with the one `reach` before it, which doubles what it has seen. Source: Hillis & Steele,
    Data parallel algorithms, Communications of the ACM 29 (1986).
    """
    reach = 1
    while reach < keep_BLH.shape[1]:
        later_BLH, earlier_BLH = keep_BLH[:, reach:], keep_BLH[:, :-reach]
        add_BLH = torch.cat([add_BLH[:, :reach], add_BLH[:, reach:] + later_BLH * add_BLH[:, :-reach]], dim=1)
        keep_BLH = torch.cat([keep_BLH[:, :reach], later_BLH * earlier_BLH], dim=1)
        reach *= 2
    return add_BLH
