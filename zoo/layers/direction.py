"""Direction: the probability that a target will lie above its last value."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data.scaling import Units
from zoo.data.windows import Windows, columns
from zoo.layers.committee import Committee
from zoo.layers.embedded import normalised
from zoo.problem import Problem

NEWTON_STEPS = 30
PRIOR = 100  # windows


class Direction(nn.Module):
    """Scaled x [B, L, C] -> the log-odds [B, T, D] that the target rises above its last value, by each step ahead.

    log-odds = usual log-odds of the training part + slope * change that the variant forecasts

    A variant that gradient descent trains learns the change as log-odds, by cross-entropy. Any other (one that is
    solved, a committee) forecasts values, and the slope is that of a logistic regression on the validation part (Platt
    1999, Probabilistic outputs for support vector machines), shrunk towards zero and never negative. For every variant
    alike the same regression moves the usual log-odds to where they are in the validation part, shrunk as if that of
    the training part counted for PRIOR of its windows: where rises become rarer, a variant gains nothing by knowing
    that. naive forecasts no change, and so the usual share of rises: the majority class.
    """

    learns_by = "cross-entropy"

    def __init__(self, build: Callable[[Problem], nn.Module], problem: Problem) -> None:
        super().__init__()
        self.problem, points = problem, problem.of_points()
        self.model = normalised(build, points)
        self.is_trained = self.model.is_trainable and not isinstance(self.model.variant, Committee)
        self.usual_TD: Tensor
        self.slope_TD: Tensor
        self.register_buffer("usual_TD", torch.zeros(points.output_shape))
        self.register_buffer("slope_TD", torch.ones(points.output_shape) if self.is_trained else self.usual_TD.clone())

    def __repr__(self) -> str:
        return self.problem.of_model(self)

    @property
    def variant(self) -> nn.Module:
        """The variant inside."""
        return self.model.variant

    @property
    def is_trainable(self) -> bool:
        """Whether gradient descent trains the variant."""
        return self.model.is_trainable

    def forward(self, x_BLC: Tensor) -> Tensor:
        return self.usual_TD + self.slope_TD * self._change(x_BLC)

    def _change(self, x_BLC: Tensor) -> Tensor:
        if self.is_trained and self.problem.normalise == "none":  # what it learns has no level
            return self.model(x_BLC)
        return self.model(x_BLC) - columns(x_BLC[:, -1:], self.problem.targets)

    def loss(
        self, log_odds_BTD: Tensor, is_up_BTD: Tensor, *, smoothing: float = 0.0, is_balanced: bool = False
    ) -> Tensor:
        """The cross-entropy [], averaged over everything; smoothing: share of each label that is spread over both;
        is_balanced: rises and falls of the training part weigh alike."""
        up_TD = self.usual_TD.sigmoid()
        weight_BTD = (is_up_BTD / up_TD + (1 - is_up_BTD) / (1 - up_TD)) / 2 if is_balanced else None
        spread_BTD = (1 - smoothing) * is_up_BTD + smoothing / 2
        return functional.binary_cross_entropy_with_logits(log_odds_BTD, spread_BTD, weight_BTD)

    @torch.no_grad()
    def begin(self, train: Windows) -> None:
        """Take the usual share of rises from the training windows."""
        share_TD = train.scaled_truth().mean(dim=0).clamp(1 / (len(train) + 1), 1 - 1 / (len(train) + 1))
        self.usual_TD.copy_(share_TD.logit())

    @torch.no_grad()
    def finish(self, windows: Windows, batch_size: int) -> None:
        """Fit the usual log-odds to the directions of these windows, and where gradient descent did not train the
        variant the slope too."""
        self.eval()
        pairs = [(self._change(x), y) for x, y in windows.batches(batch_size)]
        change_nTD, is_up_nTD = (torch.cat(parts).double() for parts in zip(*pairs, strict=True))
        unit_TD = change_nTD.square().mean(dim=0).sqrt().clamp(min=1e-12)
        inputs_nTD, slope_TD = change_nTD / unit_TD, self.slope_TD * unit_TD
        usual_TD = learned_TD = self.usual_TD.double()
        for _ in range(NEWTON_STEPS):
            chance_nTD = (usual_TD + slope_TD * inputs_nTD).sigmoid()
            moves_TD = (is_up_nTD - chance_nTD).sum(dim=0) - PRIOR / 4 * (usual_TD - learned_TD)
            usual_TD = usual_TD + moves_TD / ((chance_nTD * (1 - chance_nTD)).sum(dim=0) + PRIOR / 4)
            if self.is_trained:
                continue
            chance_nTD = (usual_TD + slope_TD * inputs_nTD).sigmoid()
            gradient_TD = ((is_up_nTD - chance_nTD) * inputs_nTD).sum(dim=0) - slope_TD
            curvature_TD = (chance_nTD * (1 - chance_nTD) * inputs_nTD.square()).sum(dim=0) + 1
            slope_TD = (slope_TD + gradient_TD / curvature_TD).clamp(min=0.0)
        self.usual_TD.copy_(usual_TD)
        if not self.is_trained:
            self.slope_TD.copy_(slope_TD / unit_TD)

    @staticmethod
    def restored(log_odds: np.ndarray, _: Units | None = None) -> np.ndarray:
        """Probabilities of a rise, of log-odds [n, T, D]."""
        return np.asarray(1 / (1 + np.exp(-log_odds.astype(np.float64))))
