"""Gradient boosting on lags: trees over each target's own lookback."""

from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.layers.normalised import Batches
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int

DEPTH = 6
MOST_ROWS = 200_000  # of windows times horizon steps; more are thinned out evenly


@register(
    "gradient-boosting",
    summary="boosted trees over each target's own lookback, as many as serve validation best",
    source="Friedman 2001; trees over binned values as Ke et al. 2017 (LightGBM), by scikit-learn's "
    "HistGradientBoostingRegressor; the horizon step is a further input, so that one model serves all steps",
    tags=("baseline", "deterministic"),
    limits={
        "parameters": "trees, not weights: their number does not follow a hidden size",
        "first step": "a tree splits only where it helps, which may leave steps unread",
        "last step": "a tree splits only where it helps, and not at the last value where normalise subtracts it",
    },
)
class GradientBoosting(nn.Module):
    """Forecast of target d, t steps ahead = sum over trees of the leaf in which (x[:, d], t) ends.

    Trees of depth 6 at most, one set for each target. The trees are kept as arrays, so that a saved model needs neither
    scikit-learn nor pickle.
    """

    feature: Tensor
    below: Tensor

    def __init__(
        self,
        problem: Problem,
        *,
        trees: Annotated[int, Int(20, 500, log=True)] = 200,
        learning_rate: Annotated[float, Float(0.01, 0.3, log=True)] = 0.05,
        leaves: Annotated[int, Int(4, 31)] = 15,
    ) -> None:
        super().__init__()
        if trees < 1 or leaves < 2:
            raise InputError(f"gradient-boosting: trees must be >= 1 and leaves >= 2, got {trees} and {leaves}")
        self.targets, self.horizon = problem.targets, problem.horizon
        self.settings = {"max_iter": trees, "learning_rate": learning_rate, "max_leaf_nodes": leaves}
        shape = (len(problem.targets), trees, 2 * leaves - 1)
        self.value = nn.Parameter(torch.zeros(shape))  # of leaves; the first tree is the constant before them
        self.threshold = nn.Parameter(torch.zeros(shape))
        self.register_buffer("feature", torch.zeros(shape, dtype=torch.long))
        self.register_buffer("below", torch.zeros(*shape, 2, dtype=torch.long))  # where to go, left and right

    def forward(self, x: Tensor) -> Tensor:
        forecasts = []
        for d, target in enumerate(self.targets):
            rows_XF = self._rows(x[:, :, target])
            trees, nodes = self.value.shape[1:]
            node_XK = (torch.arange(trees, device=x.device) * nodes).expand(rows_XF.shape[0], -1)
            feature, threshold = self.feature[d].flatten(), self.threshold[d].flatten()
            below, value = self.below[d].flatten(0, 1), self.value[d].flatten()
            for _ in range(DEPTH):
                is_right_XK = rows_XF.gather(1, feature[node_XK]) > threshold[node_XK]
                node_XK = below[node_XK, is_right_XK.long()]
            forecasts.append(value[node_XK].sum(dim=1).unflatten(0, (x.shape[0], self.horizon)))
        return torch.stack(forecasts, dim=2)

    def solve(self, train: Batches, valid: Batches | None) -> None:
        """Grow trees on the training windows; keep those up to the least squared error on validation."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        for d in range(len(self.targets)):
            rows, values = self._table(train, d)
            model = HistGradientBoostingRegressor(
                **self.settings, max_depth=DEPTH, early_stopping=False, random_state=0
            ).fit(rows, values)
            count = len(model._predictors)
            if valid is not None:
                held_out, actual = self._table(valid, d)
                errors = [np.mean((forecast - actual) ** 2) for forecast in model.staged_predict(held_out)]
                count = int(np.argmin(errors)) + 1
            self._keep(
                d, [stage[0].nodes for stage in model._predictors[:count]], float(model._baseline_prediction.item())
            )

    def _keep(self, d: int, trees: list[np.ndarray], constant: float) -> None:
        """Copy scikit-learn's trees of one target; unused trees and nodes give zero."""
        nodes = self.value.shape[2]
        value, threshold = np.zeros(self.value.shape[1:]), np.zeros(self.value.shape[1:], dtype=np.float32)
        feature, below = np.zeros(value.shape, dtype=np.int64), np.zeros((*value.shape, 2), dtype=np.int64)
        below[:] = np.arange(value.size).reshape(*value.shape, 1)  # a leaf leads to itself
        for k, tree in enumerate(trees):
            used, leaf = np.arange(len(tree)), tree["is_leaf"].astype(bool)
            value[k, used[leaf]] = tree["value"][leaf]
            inner = used[~leaf]
            feature[k, inner] = tree["feature_idx"][inner]
            limit = tree["num_threshold"][inner]
            rounded = limit.astype(np.float32)
            # x is float32: the largest float32 that is not above the limit decides as the limit does.
            threshold[k, inner] = np.where(rounded > limit, np.nextafter(rounded, np.float32(-np.inf)), rounded)
            below[k, inner, 0] = k * nodes + tree["left"][inner]
            below[k, inner, 1] = k * nodes + tree["right"][inner]
            if k == 0:
                value[k, used[leaf]] += constant
        for own, new in (
            (self.value, value),
            (self.threshold, threshold),
            (self.feature, feature),
            (self.below, below),
        ):
            own.data[d] = torch.as_tensor(new, device=own.device).to(own.dtype)

    def _table(self, batches: Batches, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs [rows, L + 1] and targets [rows] of one target."""
        pairs = [(x[:, :, self.targets[d]].cpu(), y[..., d].cpu()) for x, y in batches()]
        own_NL, y_NT = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        step = -(-len(own_NL) * self.horizon // MOST_ROWS)
        own_NL, y_NT = own_NL[::step], y_NT[::step]
        return self._rows(own_NL).numpy(), y_NT.flatten().double().numpy()

    def _rows(self, own_BL: Tensor) -> Tensor:
        """A row for each window and horizon step: the lookback, and the step."""
        steps_XT = torch.arange(self.horizon, dtype=own_BL.dtype, device=own_BL.device).repeat(own_BL.shape[0])
        return torch.cat([own_BL.repeat_interleave(self.horizon, dim=0), steps_XT[:, None]], dim=1)
