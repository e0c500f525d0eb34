"""Embedded: a variant whose categories are learned vectors; and the choice of what wraps a variant for its problem."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from zoo.data.windows import Windows, columns
from zoo.layers.normalised import Normalised, _standardised
from zoo.layers.plain import WithPlain
from zoo.problem import Problem

WIDEST = 50


class Embedded(WithPlain):
    """Normalised, whose variant sees each category as a vector that training learns (Guo & Berkhahn 2016, arXiv
    1604.06737), in further channels that keep their values.

    forward takes codes in the channels problem.categories: 1 to the number of names, or 0 for a name that training has
    not seen; its vector is zero and stays so, the middle of those that training begins with. A vector has
    min(50, round(1.6 names^0.56)) entries, a rule of fastai.
    """

    def __init__(self, build: Callable[[Problem], nn.Module], problem: Problem) -> None:
        counts = dict(problem.categories)
        others = [position for position in range(problem.channels) if position not in counts]
        widths = [min(WIDEST, round(1.6 * max(names, 1) ** 0.56)) for names in counts.values()]
        channels, with_level = len(others) + sum(widths), problem.channels - len(problem.plain)
        inner = replace(problem, channels=channels, plain=tuple(range(with_level, channels)), categories=())
        super().__init__(build(inner), inner)
        self.problem, self.others = problem, others
        # Vectors that nothing trains are the same for every seed.
        generator = None if self.is_trainable else torch.Generator().manual_seed(0)
        self.vectors = nn.ModuleList()
        for names, width in zip(counts.values(), widths, strict=True):
            start = torch.cat([torch.zeros(1, width), torch.randn(names, width, generator=generator)])
            self.vectors.append(nn.Embedding.from_pretrained(start, freeze=not self.is_trainable, padding_idx=0))

    def forward(self, x_BLC: Tensor) -> Tensor:
        return super().forward(self.embedded(x_BLC))

    def inside(self, windows: Windows, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches (x [B, L, C], y [B, T, D]) as the variant sees them: what `solve` learns from."""
        for x_BLC, y_BTD in windows.batches(batch_size):
            embedded_BLC = self.embedded(x_BLC)
            level_B1C, scale_B1C = self._level_and_scale(embedded_BLC)
            of_targets = (None if part is None else columns(part, self.targets) for part in (level_B1C, scale_B1C))
            yield _standardised(embedded_BLC, level_B1C, scale_B1C), _standardised(y_BTD, *of_targets)

    def embedded(self, x_BLC: Tensor) -> Tensor:
        """x [B, L, C] with the vectors of its categories in place of their codes."""
        vectors = [
            table(x_BLC[..., position].long().clamp(0, names))
            for (position, names), table in zip(self.problem.categories, self.vectors, strict=True)
        ]
        return torch.cat([x_BLC[..., self.others], *vectors], dim=-1)


def normalised(build: Callable[[Problem], nn.Module], problem: Problem) -> Normalised:
    """The variant inside what problem.normalise and problem.categories add to it."""
    if problem.categories:
        return Embedded(build, problem)
    variant = build(problem)
    return WithPlain(variant, problem) if problem.plain else Normalised(variant, problem)
