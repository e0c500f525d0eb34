"""Weight dropout: in each training step a share of the recurrent weights is zero."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.errors import InputError

RECURRENT = ("weight_hh", "recurrent")  # how weights from state to state are called


class WeightDropout:
    """Zeroes a share of the weights from state to state for a step, the same at all of its time steps, and makes the
    others larger by 1 / (1 - share): DropConnect (Merity, Keskar & Socher 2018, arXiv 1708.02182, section 2).

    A state is never dropped itself, so that memory is not cut. Draws from torch's own generator, as dropout does. It
    changes the weights in place, because a recurrence may hold them in one block; between `drop` and `restore` lie a
    forward and a backward pass. Raises InputError for a variant without such weights.
    """

    def __init__(self, model: nn.Module, share: float) -> None:
        self.share = share
        self.weights = [] if share == 0 else recurrent_weights(model)
        if share > 0 and not self.weights:
            raise InputError(
                "fit.weight_dropout needs weights from state to state, called weight_hh or recurrent, and this variant "
                "has none: leave it out"
            )
        self.factors = [torch.empty_like(weight) for weight in self.weights]
        self.whole = [torch.empty_like(weight) for weight in self.weights]

    @torch.no_grad()
    def drop(self) -> None:
        """Zero a share of the weights."""
        for weight, factor, whole in zip(self.weights, self.factors, self.whole, strict=True):
            whole.copy_(weight)
            factor.bernoulli_(1 - self.share).div_(1 - self.share)
            weight.mul_(factor)

    @torch.no_grad()
    def restore(self) -> None:
        """Bring the weights back, with the gradient that a step with the others gives them."""
        for weight, factor, whole in zip(self.weights, self.factors, self.whole, strict=True):
            weight.copy_(whole)
            assert weight.grad is not None
            weight.grad.mul_(factor)


def recurrent_weights(model: nn.Module) -> Sequence[Tensor]:
    """The trained weights from state to state, by their names."""
    named = ((name.rsplit(".", 1)[-1], weight) for name, weight in model.named_parameters() if weight.requires_grad)
    return [weight for name, weight in named if name.startswith(RECURRENT)]
