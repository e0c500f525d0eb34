"""Moves: the probabilities that a target will fall, stay flat or rise."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data.moves import MOVES
from zoo.data.scaling import Units
from zoo.data.windows import Windows, columns
from zoo.layers.committee import Committee
from zoo.layers.direction import PRIOR
from zoo.layers.embedded import normalised
from zoo.layers.quantiles import tells_copies_apart
from zoo.problem import Problem


class Moves(nn.Module):
    """Scaled x [B, L, C] -> the log-odds [B, T, D, 3], up to a constant, that the target falls, stays flat or rises.

    log-odds = those of the usual shares of the training part + (score of a fall, 0, score of a rise)

    A variant that gradient descent trains gives both scores as if they were targets of their own, and learns them by
    cross-entropy. One with the same map for all targets gives the score of a rise, and its negative is that of a fall.
    Any other (one that is solved, a committee) forecasts values: the change times a slope is the score of a rise, its
    negative that of a fall (an adjacent-category logit: Agresti 2010, Analysis of ordinal categorical data, section
    4.1). That slope is fitted to the validation part, shrunk towards zero and never negative. For every variant alike
    the usual log-odds then follow the validation part, as if the training part counted for PRIOR of its windows, as
    in Direction. naive forecasts no change, and so the usual shares.
    """

    learns_by = "cross-entropy"

    def __init__(self, build: Callable[[Problem], nn.Module], problem: Problem) -> None:
        super().__init__()
        self.problem, points = problem, problem.of_points()
        self.model, self.has_both = normalised(build, points), False
        self.is_trained = self.model.is_trainable and not isinstance(self.model.variant, Committee)
        if self.is_trained:
            both = normalised(build, problem.of_points(copies=2))
            if tells_copies_apart(both):
                self.model, self.has_both = both, True
        self.usual_TDK: Tensor
        self.slope_TD: Tensor
        self.register_buffer("usual_TDK", torch.zeros(problem.output_shape))
        self.register_buffer("slope_TD", torch.full(points.output_shape, float(self.is_trained)))

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
        return self.usual_TDK + self._scores(x_BLC)

    def _scores(self, x_BLC: Tensor) -> Tensor:
        """Of a fall, of staying flat and of a rise, [B, T, D, 3]."""
        score = self.model(x_BLC)
        if not self.is_trained or self.problem.normalise != "none":  # what is trained without a level has none
            score = score - columns(x_BLC[:, -1:], self.model.problem.targets)
        if self.has_both:
            fall_BTD, rise_BTD = score.unflatten(2, (-1, 2)).unbind(dim=3)
        else:
            rise_BTD = self.slope_TD * score
            fall_BTD = -rise_BTD
        return torch.stack([fall_BTD, torch.zeros_like(rise_BTD), rise_BTD], dim=3)

    def loss(
        self, log_odds_BTDK: Tensor, move_BTD: Tensor, *, smoothing: float = 0.0, is_balanced: bool = False
    ) -> Tensor:
        """The cross-entropy [] of moves -1, 0 or 1, averaged over everything; smoothing: share of each label that is
        spread over all three; is_balanced: falls, flats and rises of the training part weigh alike."""
        is_move_BTDK = torch.stack([move_BTD == kind for kind in MOVES.values()], dim=3)
        spread_BTDK = (1 - smoothing) * is_move_BTDK + smoothing / 3
        losses_BTDK = spread_BTDK * functional.log_softmax(log_odds_BTDK, dim=3)
        if is_balanced:
            losses_BTDK = losses_BTDK / (3 * self.usual_TDK.softmax(dim=2))
        return -losses_BTDK.sum(dim=3).mean()

    @torch.no_grad()
    def begin(self, train: Windows) -> None:
        """Take the usual shares from the training windows."""
        moves_nTD = train.scaled_truth()
        shares_TDK = torch.stack([(moves_nTD == kind).float().mean(dim=0) for kind in MOVES.values()], dim=2)
        self.usual_TDK.copy_(shares_TDK.clamp(min=1 / (len(train) + 1)).log())

    @torch.no_grad()
    def finish(self, windows: Windows, batch_size: int) -> None:
        """Fit the usual log-odds to the moves of these windows, and where gradient descent did not train the variant
        the slope too."""
        self.eval()
        self.slope_TD.fill_(1.0)
        pairs = [(self._scores(x), y) for x, y in windows.batches(batch_size)]
        scores_nTDK, moves_nTD = (torch.cat(parts).double().cpu().numpy() for parts in zip(*pairs, strict=True))
        for step, target in np.ndindex(moves_nTD.shape[1:]):
            usual_K = self.usual_TDK[step, target]
            shares_K = usual_K.double().softmax(dim=0).cpu().numpy()
            own = shares_K, scores_nTDK[:, step, target], moves_nTD[:, step, target]
            usual, slope = _most_likely(*own, is_slope_free=not self.is_trained)
            usual_K.copy_(torch.from_numpy(usual))
            self.slope_TD[step, target] = slope

    @staticmethod
    def restored(log_odds: np.ndarray, _: Units | None = None) -> np.ndarray:
        """Probabilities of a fall, of staying flat and of a rise, of log-odds [n, T, D, 3]."""
        shifted = np.exp(log_odds.astype(np.float64) - log_odds.max(axis=3, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=3, keepdims=True))


def _most_likely(
    shares_K: np.ndarray, scores_nK: np.ndarray, moves_n: np.ndarray, *, is_slope_free: bool
) -> tuple[np.ndarray, float]:
    """The usual log-odds [K] and the slope under which these moves are likeliest, with PRIOR further windows of these
    usual shares, and a slope that is a priori about 0 in units of the scores; it is 1 where it is not free."""
    from scipy.optimize import minimize  # slow to import
    from scipy.special import log_softmax

    unit = max(float(np.sqrt(np.square(scores_nK[:, 2]).mean())), 1e-12) if is_slope_free else 1.0
    is_move_nK, scores_nK = moves_n[:, None] == list(MOVES.values()), scores_nK / unit

    def penalty(point: np.ndarray) -> tuple[float, np.ndarray]:
        usual_K, slope = point[:-1], point[-1]
        log_nK, log_K = log_softmax(usual_K + slope * scores_nK, axis=1), log_softmax(usual_K)
        off_nK = np.exp(log_nK) - is_move_nK
        value = -log_nK[is_move_nK].sum() - PRIOR * shares_K @ log_K + slope**2 / 2
        of_usual = off_nK.sum(axis=0) + PRIOR * (np.exp(log_K) - shares_K)
        return float(value), np.append(of_usual, (off_nK * scores_nK).sum() + slope)

    bounds = [(None, None)] * len(shares_K) + [(0, None) if is_slope_free else (1, 1)]
    begin = np.append(np.log(shares_K), 0.0 if is_slope_free else 1.0)
    likeliest = minimize(
        penalty, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-8}
    )
    return likeliest.x[:-1], float(likeliest.x[-1] / unit)
