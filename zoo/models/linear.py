"""Linear baselines: each target's horizon as a weighted sum of its own lookback."""

from typing import Annotated

import torch
from torch import Tensor

from zoo.errors import InputError
from zoo.layers.head import OwnLookback
from zoo.layers.normalised import Batches
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float

PENALTIES = tuple(10.0**exponent for exponent in range(-7, 2))
DEFAULT_PENALTY = 1e-3


@register(
    "linear",
    summary="a trained linear map from each target's own lookback",
    source="Zeng et al. 2023, 'Are Transformers Effective for Time Series Forecasting?', section 4 (NLinear)",
    tags=("baseline",),
    limits={"parameters": "grow as lookback, one weight for each step"},
)
class Linear(OwnLookback):
    """A linear forecast trained by gradient descent like the recurrent variants; it starts at zero weights.

    forecast of target d = A_d x[:, d] + a_d
    """


@register(
    "ridge",
    summary="the closed-form penalised linear map, penalty chosen on validation",
    source="Hoerl & Kennard 1970; penalties relative to the mean squared lookback value",
    tags=("baseline", "deterministic"),
    limits={"parameters": "grow as lookback, one weight for each step"},
)
class Ridge(OwnLookback):
    """Least squares with an L2 penalty on the weights, not on the intercept, solved for each target alone.

    forecast of target d = A_d x[:, d] + a_d,   A_d = (X'X + penalty n s I)^-1 X'y of centred windows

    penalty is relative: it is multiplied by the number of training windows and the mean square of the
    centred lookback values, so that it means the same on any scale. None tries a range on the validation
    part, or takes 0.001 where there is none.
    """

    def __init__(
        self, problem: Problem, *, penalty: Annotated[float | None, Float(1e-7, 10.0, log=True)] = None
    ) -> None:
        super().__init__(problem)
        if penalty is not None and not 0 < penalty < float("inf"):
            raise InputError(f"ridge: penalty must be > 0, got {penalty}")
        self.penalty = penalty

    def solve(self, train: Batches, valid: Batches | None) -> None:
        """Set the weights from batches (x [B, L, C], y [B, T, D]) of normalised windows."""
        if self.penalty is not None:
            penalties: tuple[float, ...] = (self.penalty,)
        else:
            penalties = PENALTIES if valid is not None else (DEFAULT_PENALTY,)
        held_out = None if valid is None else [self._moments(valid, d) for d in range(len(self.targets))]
        for d in range(len(self.targets)):
            gram, cross, x_mean, y_mean = _centred(self._moments(train, d))
            # One eigendecomposition serves every penalty.
            values, vectors = torch.linalg.eigh(gram)
            projected = vectors.T @ cross
            unit = gram.diagonal().mean()
            unit = unit if unit > 0 else torch.ones_like(unit)
            candidates = []
            for penalty in penalties:
                weight_LT = vectors @ (projected / (values.clamp_min(0) + penalty * unit)[:, None])
                bias_T = y_mean - x_mean @ weight_LT
                loss = 0.0 if held_out is None else _squared_error(held_out[d], weight_LT, bias_T)
                candidates.append((loss, weight_LT, bias_T))
            _, weight_LT, bias_T = min(candidates, key=lambda candidate: candidate[0])
            self.weight.data[d] = weight_LT.T.to(self.weight.dtype)
            self.bias.data[d] = bias_T.to(self.bias.dtype)

    def _moments(self, batches: Batches, d: int) -> tuple[int, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Count and float64 sums X'X [L, L], X'Y [L, T], X'1 [L], Y'1 [T], Y'Y [T] of one target."""
        count, sums = 0, None
        for x, y in batches():
            own_BL, y_BT = x[..., self.targets[d]].cpu().double(), y[..., d].cpu().double()  # MPS has no float64
            batch = [own_BL.T @ own_BL, own_BL.T @ y_BT, own_BL.sum(0), y_BT.sum(0), (y_BT**2).sum(0)]
            sums = batch if sums is None else [total + part for total, part in zip(sums, batch, strict=True)]
            count += len(x)
        assert sums is not None
        return count, sums[0], sums[1], sums[2], sums[3], sums[4]


def _centred(
    moments: tuple[int, Tensor, Tensor, Tensor, Tensor, Tensor],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centred Gram [L, L] and cross moments [L, T], and the means [L], [T]."""
    count, xx, xy, x_sum, y_sum, _ = moments
    x_mean, y_mean = x_sum / count, y_sum / count
    return xx - count * torch.outer(x_mean, x_mean), xy - count * torch.outer(x_mean, y_mean), x_mean, y_mean


def _squared_error(
    moments: tuple[int, Tensor, Tensor, Tensor, Tensor, Tensor], weight_LT: Tensor, bias_T: Tensor
) -> float:
    """The sum of (x @ weight + bias - y)^2 over the windows that the moments summarise."""
    count, xx, xy, x_sum, y_sum, yy = moments
    quadratic = ((xx @ weight_LT) * weight_LT).sum(0) - 2 * (weight_LT * xy).sum(0) + yy
    return float((quadratic + 2 * bias_T * (x_sum @ weight_LT - y_sum) + count * bias_T**2).sum())
