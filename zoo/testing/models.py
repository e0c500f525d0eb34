"""Models under test: small problems, models with weights away from their start, and windows to feed them."""

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn

from zoo.layers.normalised import Normalised
from zoo.problem import Normalise, Problem
from zoo.registry import create, variant
from zoo.space import Choice, Range

LOOKBACK, CHANNELS, BATCH = 8, 3, 4
MOST_CORNERS = 64


def problem(
    *,
    lookback: int = LOOKBACK,
    channels: int = CHANNELS,
    targets: tuple[int, ...] = (1,),
    horizon: int = 3,
    normalise: Normalise = "last",
) -> Problem:
    """A small forecast problem."""
    return Problem(lookback, channels, targets, (horizon, len(targets)), normalise)


def windows(asked: Problem, batch: int = BATCH, seed: int = 0) -> Tensor:
    """Random scaled inputs [B, L, C] of a problem."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, asked.lookback, asked.channels, generator=generator)


def shaken(name: str, asked: Problem, **params: Any) -> Normalised:
    """A model in eval mode whose weights have left their start, where heads are zero and hide what is before them."""
    model = create(name, asked, **params)
    shake(model)
    return model.eval()


@torch.no_grad()
def shake(model: nn.Module) -> None:
    """Move every weight a little, each time alike."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def corners(name: str, asked: Problem) -> list[dict[str, Any]]:
    """Every combination of the ends of the ranges; of more than 64 an even choice, first and last among them."""
    ends = {parameter: _ends(span) for parameter, span in variant(name).space_for(asked).items()}
    count = math.prod(len(values) for values in ends.values())
    kept = min(count, MOST_CORNERS)
    wanted = {number * (count - 1) // max(kept - 1, 1) for number in range(kept)}
    combinations = enumerate(itertools.product(*ends.values()))
    return [dict(zip(ends, values, strict=True)) for number, values in combinations if number in wanted]


def learns(name: str) -> bool:
    """Whether the variant is trained by gradient descent."""
    model = create(name, problem())
    return any(True for _ in model.variant.parameters()) and not hasattr(model.variant, "solve")


def limit(name: str, topic: str) -> str | None:
    """What the variant declares about a topic: the text of a limit `topic: text`; None without one."""
    return next((text.split(":", 1)[1].strip() for text in variant(name).limits if text.startswith(f"{topic}:")), None)


def furthest(one: Tensor, other: Tensor) -> float:
    """The largest absolute difference."""
    return float((one - other).abs().max())


def gradients(model: nn.Module) -> dict[str, Tensor | None]:
    """The gradient of each parameter that wants one."""
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}


def _ends(span: Range) -> tuple[Any, ...]:
    return span.options if isinstance(span, Choice) else (span.low, span.high)
