"""Logistic regression: a linear map from all values of a sequence to the log-odds of its class."""

from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.layers.normalised import Batches
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float

PENALTIES = tuple(10.0**exponent for exponent in range(-4, 5))


@register(
    "logistic-regression",
    summary="classifies by a linear map of all values, penalty chosen on validation",
    source="Cox 1958; scikit-learn's LogisticRegression, on standardised values",
    tags=("baseline", "classifier", "deterministic"),
    limits={"parameters": "grow as lookback, one weight for each step"},
)
class LogisticRegression(nn.Module):
    """log-odds of class k = W_k (x - m) / s + b_k, over the flattened sequence; all must be equally long.

    penalty: of the squared weights, for one case; None tries a range on the validation part, or takes 1 without one.
    """

    solves_classes = True

    def __init__(
        self, problem: Problem, *, penalty: Annotated[float | None, Float(1e-4, 1e4, log=True)] = None
    ) -> None:
        super().__init__()
        if penalty is not None and not 0 < penalty < float("inf"):
            raise InputError(f"logistic-regression: penalty must be > 0, got {penalty}")
        self.penalty, self.chosen = penalty, 1.0
        self.weight_KF = nn.Parameter(torch.zeros(problem.output_shape[1], problem.lookback * problem.channels))
        self.bias_K = nn.Parameter(torch.zeros(problem.output_shape[1]))

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) @ self.weight_KF.T + self.bias_K)[:, None]

    def solve(self, train: Batches, valid: Batches | None) -> None:
        """Fit each penalty, and keep that of the least cross-entropy on validation, which a call without it takes."""
        values, labels = _table(train)
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-9)
        penalties = PENALTIES if valid is not None else (self.chosen,)
        penalties = (self.penalty,) if self.penalty is not None else penalties
        lowest, chosen = np.inf, penalties[0]
        for penalty in penalties:
            weight, bias = self._fitted((values - mean) * scale, labels, penalty)
            weight = weight * scale
            bias = bias - weight @ mean
            loss = 0.0 if valid is None else _cross_entropy(*_table(valid), weight, bias)
            if loss < lowest:
                lowest, chosen = loss, penalty
                for own, new in ((self.weight_KF, weight), (self.bias_K, bias)):
                    own.data = torch.as_tensor(new, dtype=own.dtype, device=own.device)
        self.chosen = chosen

    def _fitted(self, values: np.ndarray, labels: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """Weights [K, F] and bias [K]; a class without training cases keeps zeros."""
        from sklearn.linear_model import LogisticRegression as Fitter  # slow to import

        fitter = Fitter(C=1 / penalty, max_iter=1000).fit(values, labels)
        weight, bias = np.zeros(self.weight_KF.shape), np.zeros(len(self.bias_K))
        if len(fitter.classes_) == 2:  # one map, for the second against the first
            weight[fitter.classes_[1]], bias[fitter.classes_[1]] = fitter.coef_[0], fitter.intercept_[0]
        else:
            weight[fitter.classes_], bias[fitter.classes_] = fitter.coef_, fitter.intercept_
        return weight, bias


def _table(batches: Batches) -> tuple[np.ndarray, np.ndarray]:
    """Values [n, F] and labels [n]."""
    pairs = [(x.flatten(1).cpu(), y[:, 0].argmax(dim=1).cpu()) for x, y in batches()]
    values, labels = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return values.double().numpy(), labels.numpy()


def _cross_entropy(values: np.ndarray, labels: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> float:
    odds = torch.from_numpy(values @ weight.T + bias)
    return float(nn.functional.cross_entropy(odds, torch.from_numpy(labels)))
