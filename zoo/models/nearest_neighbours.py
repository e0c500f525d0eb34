"""Nearest neighbours: a sequence is of the class of the training sequence that is most like it."""

from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.layers.normalised import Batches
from zoo.layers.warping import warped_distances
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float

LIMITS = {
    "parameters": "the training sequences, not weights: their number grows with them",
    "onnx": "the distance to each training sequence is a loop",
}


class Remembered(nn.Module):
    """Scores of classes: minus the distance to the nearest training sequence of each, x [B, L, C] -> [B, 1, K]."""

    solves_classes = True
    steps_SC: Tensor
    lengths_N: Tensor
    labels_N: Tensor

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.classes = problem.output_shape[1]
        self.register_buffer("steps_SC", torch.zeros(0, problem.channels))  # of all sequences, one after the other
        self.register_buffer("lengths_N", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("labels_N", torch.zeros(0, dtype=torch.int64))

    def solve(self, train: Batches, valid: Batches | None) -> None:  # noqa: ARG002
        """Keep the training sequences."""
        batches = list(train())
        device = self.steps_SC.device
        self.steps_SC = torch.cat([x.flatten(0, 1) for x, _ in batches]).to(device)
        lengths = [torch.full((len(x),), x.shape[1], dtype=torch.int64) for x, _ in batches]
        self.lengths_N = torch.cat(lengths).to(device)
        self.labels_N = torch.cat([y[:, 0].argmax(dim=1) for _, y in batches]).to(device)

    def forward(self, x: Tensor) -> Tensor:
        if not len(self.lengths_N):
            return x.new_zeros(len(x), 1, self.classes)
        distances_BN = self._distances(x)
        nearest_BK = torch.full((len(x), self.classes), float(distances_BN.max()) + 1.0, device=x.device, dtype=x.dtype)
        index_BN = self.labels_N.expand(len(x), -1)
        return -nearest_BK.scatter_reduce(1, index_BN, distances_BN.to(x.dtype), "amin")[:, None]

    def _distances(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in ("steps_SC", "lengths_N", "labels_N"):  # as many as there were
            if (stored := state_dict.get(prefix + name)) is not None:
                setattr(self, name, torch.empty_like(stored, device=getattr(self, name).device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


@register(
    "nearest-neighbour",
    summary="classifies by the most similar training sequence, Euclidean distance",
    source="Cover & Hart 1967; on sequences as in Dau et al. 2019 (the UCR archive), section 5",
    tags=("baseline", "classifier", "deterministic"),
    limits=LIMITS,
)
class NearestNeighbour(Remembered):
    """distance of two sequences = sqrt(sum over steps and channels of (x - z)^2); all must be equally long."""

    def _distances(self, x: Tensor) -> Tensor:
        known_NF = self.steps_SC.unflatten(0, (len(self.lengths_N), -1)).flatten(1)
        return torch.cdist(x.flatten(1), known_NF, compute_mode="donot_use_mm_for_euclid_dist")  # products would cancel


@register(
    "dtw-nearest-neighbour",
    summary="classifies by the most similar training sequence, dynamic time warping",
    source="Sakoe & Chiba 1978; as a classifier Ratanamahatana & Keogh 2005; channels warp together (DTW_D, "
    "Shokoohi-Yekta et al. 2017)",
    tags=("baseline", "classifier", "deterministic"),
    limits=LIMITS,
)
class WarpedNearestNeighbour(Remembered):
    """distance = sqrt(least sum of (x_i - z_j)^2 over paths of steps (i, j) that only go forward).

    window: how far a path may stray from the diagonal, as a share of the longer sequence; 1 is no limit, 0 compares
    step with step where sequences are equally long.
    """

    takes_any_length = True

    def __init__(self, problem: Problem, *, window: Annotated[float, Float(0.0, 1.0)] = 1.0) -> None:
        super().__init__(problem)
        if not 0 <= window <= 1:
            raise InputError(f"dtw-nearest-neighbour: window must be from 0 to 1, got {window}")
        self.window = window

    def _distances(self, x: Tensor) -> Tensor:
        known = self.steps_SC.cpu().double().numpy()
        distances = warped_distances(x.cpu().double().numpy(), known, self.lengths_N.cpu().numpy(), self.window)
        return torch.from_numpy(np.sqrt(distances)).to(x.device)
