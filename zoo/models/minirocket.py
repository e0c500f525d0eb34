"""MiniRocket: a linear classifier on how often many fixed convolutions exceed a threshold."""

import math
from itertools import combinations
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.errors import InputError
from zoo.layers.normalised import Batches
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Int

TAPS, DOUBLED = 9, 3
KERNELS = math.comb(TAPS, DOUBLED)
MOST_DILATIONS, MOST_CHANNELS = 32, 9
PENALTIES = np.logspace(-3, 3, 10)
GOLDEN = (math.sqrt(5) + 1) / 2


@register(
    "minirocket",
    summary="classifies by a linear map of thousands of fixed convolutions",
    source="Dempster, Schmidt & Webb 2021, MiniRocket; with several channels each kernel sums a random choice of them",
    tags=("baseline", "classifier", "deterministic"),
    limits={"parameters": "of the linear map over `features`, whatever the channels"},
)
class MiniRocket(nn.Module):
    """Scores of classes [B, 1, K] = ridge regression of the shares of steps at which a convolution exceeds its bias.

    The 84 kernels of nine taps have the weights -1 and, at three of them, 2; dilations grow to the length of the
    longest sequence. Biases are quantiles of the convolutions of training sequences. Every second feature sees the
    steps at which no tap leaves the sequence alone, where there are such.
    """

    solves_classes = True
    takes_any_length = True

    def __init__(self, problem: Problem, *, features: Annotated[int, Int(1000, 20000, log=True)] = 10_000) -> None:
        super().__init__()
        if features < KERNELS:
            raise InputError(f"minirocket: features must be >= {KERNELS}, got {features}")
        each = features // KERNELS
        # As in the paper: dilations are spread evenly over the exponents, each with its share of the features.
        most = math.log2(max(problem.lookback - 1, TAPS - 1) / (TAPS - 1))
        exponents = np.linspace(0, most, min(each, MOST_DILATIONS))
        values, counts = np.unique(np.floor(2**exponents).astype(int), return_counts=True)
        shares = np.floor(counts * each / counts.sum()).astype(int)
        shares[: each - shares.sum()] += 1
        self.dilations = [(int(value), int(share)) for value, share in zip(values, shares, strict=True) if share]
        taps = torch.full((KERNELS, TAPS), -1.0)
        for row, chosen in enumerate(combinations(range(TAPS), DOUBLED)):
            taps[row, list(chosen)] = 2.0
        random = np.random.default_rng(0)
        for place, _ in enumerate(self.dilations):
            is_chosen = torch.zeros(KERNELS, problem.channels)
            for row in range(KERNELS):
                most_here = min(problem.channels, MOST_CHANNELS)
                size = int(2 ** random.uniform(0, math.log2(most_here + 1)))
                is_chosen[row, random.choice(problem.channels, min(size, problem.channels), replace=False)] = 1.0
            self.register_buffer(f"kernels_{place}", taps[:, None] * is_chosen[:, :, None], persistent=False)
        count = KERNELS * sum(share for _, share in self.dilations)
        self.bias_F: Tensor
        self.mean_F: Tensor
        self.register_buffer("bias_F", torch.zeros(count))
        self.register_buffer("mean_F", torch.zeros(count))
        self.map_FK = nn.Parameter(torch.zeros(count, problem.output_shape[1]))
        self.usual_K = nn.Parameter(torch.zeros(problem.output_shape[1]))

    def forward(self, x: Tensor) -> Tensor:
        return ((self._features(x) - self.mean_F) @ self.map_FK + self.usual_K)[:, None]

    def solve(self, train: Batches, valid: Batches | None) -> None:  # noqa: ARG002
        """Take the biases from training sequences, and the map by ridge regression, penalty by leaving one out."""
        from sklearn.linear_model import RidgeCV  # slow to import

        batches = list(train())
        self._take_biases([case[None] for x, _ in batches for case in x])
        features = torch.cat([self._features(x) for x, _ in batches]).double().cpu().numpy()
        is_class = torch.cat([y[:, 0] for _, y in batches]).double().cpu().numpy()
        mean, deviation = features.mean(axis=0), features.std(axis=0)
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-9)
        ridge = RidgeCV(alphas=PENALTIES).fit((features - mean) * scale, 2 * is_class - 1)
        for own, new in (
            (self.mean_F, mean), (self.map_FK, (ridge.coef_ * scale).T), (self.usual_K, ridge.intercept_),
        ):  # fmt: skip
            own.data.copy_(torch.as_tensor(new, dtype=own.dtype, device=own.device))

    def _take_biases(self, cases: list[Tensor]) -> None:
        random = np.random.default_rng(1)
        number, begin = 0, 0
        for place, (dilation, share) in enumerate(self.dilations):
            for kernel in range(KERNELS):
                case = cases[int(random.integers(len(cases)))]
                number += share
                levels = torch.tensor([(GOLDEN * (number - other)) % 1 for other in range(share)])
                output = self._convolved(case, place, dilation, slice(kernel, kernel + 1))[0, 0]
                self.bias_F[begin : begin + share] = output.quantile(levels.to(output))
                begin += share

    def _features(self, x: Tensor) -> Tensor:
        features, begin = [], 0
        for place, (dilation, share) in enumerate(self.dilations):
            output_BKL = self._convolved(x, place, dilation)
            bias_KS = self.bias_F[begin : begin + KERNELS * share].unflatten(0, (KERNELS, share))
            edge = (TAPS - 1) // 2 * dilation
            inner_BKL = output_BKL[..., edge : x.shape[1] - edge] if x.shape[1] > 2 * edge else output_BKL
            own = [
                ((output_BKL if number % 2 == 0 else inner_BKL) > bias_KS[:, number, None]).to(x.dtype).mean(dim=2)
                for number in range(share)
            ]
            features.append(torch.stack(own, dim=2).flatten(1))
            begin += KERNELS * share
        return torch.cat(features, dim=1)

    def _convolved(self, x: Tensor, place: int, dilation: int, chosen: slice = slice(None)) -> Tensor:
        """The outputs [B, 84, L] of the kernels of one dilation, or of those chosen; zeros lie beyond the ends."""
        kernels = self.get_buffer(f"kernels_{place}")[chosen].to(x.dtype)
        return functional.conv1d(x.transpose(1, 2), kernels, padding=(TAPS - 1) // 2 * dilation, dilation=dilation)
