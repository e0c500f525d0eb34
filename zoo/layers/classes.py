"""Classes: the probability of each class that a whole sequence may belong to."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data.scaling import Units
from zoo.data.sequences import Sequences
from zoo.errors import Unsuitable
from zoo.layers.committee import Committee
from zoo.layers.normalised import EPSILON, Normalised, Solvable
from zoo.problem import Problem

SLOPES = tuple(2.0**exponent for exponent in range(-6, 9))  # tried for scores that gradient descent did not learn


class Classes(nn.Module):
    """Scaled x [B, L, C] -> the log-odds [B, 1, K] of K classes, up to a constant.

    A variant that gradient descent trains forecasts a score for each class as if it were a target of its own, and
    learns them by cross-entropy; it starts from the shares of the classes in training. One that is solved for classes
    (`solves_classes`) gives scores too: their slope is that of the least cross-entropy on the validation part, and then
    it is solved once more, on training and validation together. naive always gives the shares of training: the majority
    class.

    With normalise instance each sequence is standardised by its own mean and deviation, channel by channel. Raises
    Unsuitable for a variant that cannot classify.
    """

    learns_by = "cross-entropy"

    def __init__(self, build: Callable[[Problem], nn.Module], problem: Problem) -> None:
        super().__init__()
        self.problem, points = problem, problem.of_points()
        self.model = Normalised(build(points), points)
        self.is_solved = isinstance(self.variant, Solvable)
        self.knows_nothing = not self.is_solved and not self.is_trainable
        self.usual_K: Tensor
        self.slope: Tensor
        self.register_buffer("usual_K", torch.zeros(points.output_shape[1]))
        self.register_buffer("slope", torch.ones(()))
        _check_suitable(self.model, problem)

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
        if self.knows_nothing:
            return self.usual_K.expand(x_BLC.shape[0], 1, -1)
        scores_B1K = self.model(self._inside(x_BLC))
        return self.slope * scores_B1K if self.is_solved else self.usual_K + scores_B1K

    def _inside(self, x_BLC: Tensor) -> Tensor:
        if self.problem.normalise == "none":
            return x_BLC
        variance_B1C, mean_B1C = torch.var_mean(x_BLC, dim=1, correction=0, keepdim=True)
        return (x_BLC - mean_B1C) / (variance_B1C + EPSILON).sqrt()

    def inside(self, cases: Sequences, batch_size: int) -> list[tuple[Tensor, Tensor]]:
        """Batches (x [B, L, C], y [B, 1, K]) as the variant sees them: what `solve` learns from."""
        return [(self._inside(x), y) for x, y in cases.batches(batch_size)]

    @torch.no_grad()
    def solve(self, train: Sequences, valid: Sequences | None, batch_size: int) -> float | None:
        """Solve the variant for classes; returns the cross-entropy on the validation part before that part is learned
        too."""
        variant = self.variant
        assert isinstance(variant, Solvable)
        known = self.inside(train, batch_size)
        held_out = self.inside(valid, batch_size) if valid is not None else None
        variant.solve(lambda: known, None if held_out is None else lambda: held_out)
        self._take_slope(held_out or known)
        if held_out is None:
            return None
        log_odds = torch.cat([self.slope * self.model(x) for x, _ in held_out])
        loss = float(self.loss(log_odds, torch.cat([y for _, y in held_out])))
        variant.solve(lambda: [*known, *held_out], None)
        return loss

    def loss(
        self, log_odds_B1K: Tensor, is_class_B1K: Tensor, *, smoothing: float = 0.0, is_balanced: bool = False
    ) -> Tensor:
        """The cross-entropy [], averaged over the batch; smoothing: share of each label that is spread over all
        classes; is_balanced: all classes of the training part weigh alike."""
        weight_K = torch.exp(-self.usual_K) / len(self.usual_K) if is_balanced else torch.ones_like(self.usual_K)
        spread_B1K = (1 - smoothing) * is_class_B1K + smoothing / len(self.usual_K)
        return -(weight_K * spread_B1K * functional.log_softmax(log_odds_B1K, dim=2)).sum(dim=2).mean()

    @torch.no_grad()
    def begin(self, train: Sequences) -> None:
        """Take the usual shares of the classes from the training cases."""
        self.usual_K.copy_(train.scaled_truth().mean(dim=(0, 1)).clamp(min=1 / (2 * len(train))).log())

    def _take_slope(self, batches: list[tuple[Tensor, Tensor]]) -> None:
        """Choose the slope of a solved variant's scores, as if one case of each class more had been seen with any
        scores (Platt 1999): few cases that are all right prove no certainty."""
        scores = torch.cat([self.model(x) for x, _ in batches])
        count, classes = len(scores), scores.shape[2]
        unit, truth = scores.std().clamp(min=1e-12), torch.cat([y for _, y in batches])
        truth = (count * truth + 1) / (count + classes)
        losses = [float(self.loss(slope / unit * scores, truth)) for slope in SLOPES]
        self.slope.copy_(SLOPES[int(np.argmin(losses))] / unit)

    def finish(self, cases: Sequences, batch_size: int) -> None:
        """After training there is nothing to do."""

    @staticmethod
    def restored(log_odds: np.ndarray, _: Units | None) -> np.ndarray:
        """Probabilities, of log-odds [n, 1, K]."""
        shifted = np.exp(log_odds.astype(np.float64) - log_odds.max(axis=2, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=2, keepdims=True))


@torch.no_grad()
def _check_suitable(model: Normalised, problem: Problem) -> None:
    """Raise Unsuitable unless the variant can tell classes apart by what it sees of a sequence."""
    variant = model.variant
    if isinstance(variant, Committee):
        raise Unsuitable("its members forecast values")
    if isinstance(variant, Solvable):
        if not getattr(variant, "solves_classes", False):
            raise Unsuitable("it is solved for values, not for classes")
        if problem.shortest is not None and not getattr(variant, "takes_any_length", False):
            raise Unsuitable(_lengths_text(problem))
        return
    generator = torch.Generator().manual_seed(0)
    twin = copy.deepcopy(model).eval()
    for parameter in twin.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    x_BLC = torch.randn(2, problem.lookback, problem.channels, generator=generator)
    if not model.is_trainable:
        if not torch.equal(twin(x_BLC), x_BLC[:, -1:, :1].expand(-1, 1, problem.output_shape[1])):
            raise Unsuitable("it learns nothing, and a class cannot be repeated")
        return
    scores_B1K = twin(x_BLC)
    if scores_B1K.shape != (2, *problem.output_shape):
        return  # what runs the variant says what is wrong
    if torch.allclose(scores_B1K[..., 0], scores_B1K[..., 1], atol=1e-5):
        raise Unsuitable("it has one map for all targets, and classes need one each")
    for channel in range(1, problem.channels):
        other_BLC = x_BLC.clone()
        other_BLC[..., channel] += 1
        if torch.equal(twin(other_BLC), scores_B1K):
            raise Unsuitable(f"it does not look at channel {channel + 1}: each target has its own channel alone")
    if problem.shortest is not None:
        try:
            twin(x_BLC[:, : problem.shortest])
        except Exception as error:
            raise Unsuitable(_lengths_text(problem)) from error


def _lengths_text(problem: Problem) -> str:
    return f"it needs sequences of one length, and these have {problem.shortest} to {problem.lookback} steps"
