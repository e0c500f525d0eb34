"""What the checks share: small problems, models under test, windows to feed them, and the ways a check can end."""

import itertools
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import first_line
from zoo.layers.model import Model
from zoo.problem import Normalise, Problem
from zoo.registry import create, variant
from zoo.space import Choice, Int, Range

LOOKBACK, CHANNELS, BATCH = 8, 3, 4
MOST_CORNERS, INNER_POINTS = 64, 16


class Broken(AssertionError):
    """A variant breaks a check of the contract: the expectation, what the check saw, and the usual cause."""

    def __init__(self, expected: str, seen: str, cause: str) -> None:
        super().__init__(f"expected {expected}; saw {seen}; usual cause: {cause}")


class WrongShape(Broken):
    """A forecast has the wrong shape, so no other check can say anything."""


class NotApplicable(Exception):
    """A check does not apply to this variant or this machine; the message is the reason."""


@contextmanager
def expecting(expected: str, cause: str) -> Iterator[None]:
    """Inside, an error of any kind becomes Broken."""
    try:
        yield
    except NotApplicable:
        raise
    except Exception as error:
        raise Broken(expected, f"{type(error).__name__}: {first_line(error)}", cause) from error


def require_same(one: Tensor, other: Tensor, expected: str, cause: str, *, tolerance: float = 0.0) -> None:
    """Raise Broken unless the largest absolute difference is within the tolerance (NaN is not)."""
    difference = float((one - other).abs().max())
    if not difference <= tolerance:
        raise Broken(expected, f"{difference:.3g} between them", cause)


def require_trainable(model: Model) -> None:
    """Raise NotApplicable for a variant that gradient descent does not train."""
    if not model.is_trainable:
        raise NotApplicable("is not trained by gradient descent")


def require_undeclared(name: str, topic: str) -> None:
    """Raise NotApplicable where the variant's limits declare the topic."""
    if topic in variant(name).limits:
        raise NotApplicable(f"declares: {variant(name).limits[topic]}")


def declaration(topic: str, why: str = "why") -> str:
    """The way out for a variant that breaks a check on purpose."""
    return f'if it is meant, declare limits={{"{topic}": "{why}"}}'


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


def windows(small: Problem, batch: int = BATCH, seed: int = 0) -> Tensor:
    """Random scaled inputs [B, L, C] of a problem."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, small.lookback, small.channels, generator=generator)


def shaken(name: str, small: Problem | None = None, *, batch: int = BATCH) -> tuple[Model, Tensor]:
    """A model in eval mode and windows for it, [B, L, C].

    Its weights are away from their start, where heads are zero and hide the layers before.
    """
    model = create(name, small or problem())
    shake(model)
    return model.eval(), windows(model.problem, batch)


@torch.no_grad()
def shake(model: nn.Module) -> None:
    """Move every weight a little, the same way at every call."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def corners(name: str, small: Problem) -> list[dict[str, Any]]:
    """Every combination of the ends of the ranges; of more than 64 an even choice with the first and the last."""
    spans = variant(name).space_for(small)
    ends = [span.options if isinstance(span, Choice) else (span.low, span.high) for span in spans.values()]
    count = math.prod(map(len, ends))
    size = min(count, MOST_CORNERS)
    chosen = {number * (count - 1) // max(size - 1, 1) for number in range(size)}
    combinations = enumerate(itertools.product(*ends))
    return [dict(zip(spans, values, strict=True)) for number, values in combinations if number in chosen]


def inner_points(name: str, small: Problem) -> list[dict[str, Any]]:
    """Settings from inside the ranges, the same at every call: odd sizes, which corners seldom are."""
    spans, draw = variant(name).space_for(small), random.Random(0)
    return [{key: _drawn(span, draw) for key, span in spans.items()} for _ in range(INNER_POINTS)] if spans else []


def _drawn(span: Range, draw: random.Random) -> Any:
    if isinstance(span, Choice):
        return draw.choice(span.options)
    if isinstance(span, Int) and not span.log:
        return draw.randrange(span.low, span.high + 1, span.step)
    number = (
        math.exp(draw.uniform(math.log(span.low), math.log(span.high)))
        if span.log
        else draw.uniform(span.low, span.high)
    )
    return span.nearest(number) if isinstance(span, Int) else number
