"""Embedded: a variant whose categories are learned vectors; and the choice of what wraps a variant for its problem."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from zoo.data.windows import Windows, columns
from zoo.layers.committee import Committee
from zoo.layers.normalised import Normalised, _standardised
from zoo.layers.plain import WithPlain
from zoo.problem import Problem

WIDEST = 50


class Embedded(WithPlain):
    """Normalised, whose variant sees each category as a vector that training learns (Guo & Berkhahn 2016, arXiv
    1604.06737), in further channels that keep their values.

    forward takes codes in the channels problem.categories: 1 to the number of names, or 0 for a name that training has
    not seen; its vector is zero and stays so, the middle of those that training begins with. A vector has min(50,
    round(1.6 names^0.56)) entries, a rule of fastai. Vectors of a variant that is solved, and of a Committee, whose
    members train alone, stay as they begin.
    """

    def __init__(self, build: Callable[[Problem], nn.Module], problem: Problem) -> None:
        counts = dict(problem.categories)
        others = [position for position in range(problem.channels) if position not in counts]
        widths = [min(WIDEST, round(1.6 * max(names, 1) ** 0.56)) for names in counts.values()]
        channels, with_level = len(others) + sum(widths), problem.channels - len(problem.plain)
        inner = replace(problem, channels=channels, plain=tuple(range(with_level, channels)), categories=())
        super().__init__(build(inner), inner)
        self.problem, self.others = problem, others
        # Vectors that nothing trains are no weights, and the same for every seed.
        is_trained = self.is_trainable and not isinstance(self.variant, Committee)
        generator = None if is_trained else torch.Generator().manual_seed(0)
        self.vectors = nn.ModuleList()
        for names, width in zip(counts.values(), widths, strict=True):
            start = torch.cat([torch.zeros(1, width), torch.randn(names, width, generator=generator)])
            table = nn.Embedding.from_pretrained(start, freeze=False, padding_idx=0)
            if not is_trained:
                del table.weight
                table.register_buffer("weight", start)
            self.vectors.append(table)

    def forward(self, x_BLC: Tensor) -> Tensor:
        return super().forward(self.embedded(x_BLC))

    def inside(self, windows: Windows, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches (x [B, L, C], y [B, T, D]) as the variant sees them: what `solve` learns from."""
        for x_BLC, y_BTD in windows.batches(batch_size):
            embedded_BLC = self.embedded(x_BLC)
            level_B1C, scale_B1C = self._level_and_scale(embedded_BLC)
            of_targets = (None if part is None else columns(part, self.targets) for part in (level_B1C, scale_B1C))
            yield _standardised(embedded_BLC, level_B1C, scale_B1C), _standardised(y_BTD, *of_targets)

    def with_vectors(self, windows: Windows) -> Windows:
        """The same windows with vectors in place of codes: what members of a Committee learn from, each alone."""
        inputs = None if windows.inputs is None else self.embedded(windows.inputs)
        return replace(windows, values=self.embedded(windows.values), inputs=inputs)

    def embedded(self, x_BLC: Tensor) -> Tensor:
        """x [..., C] with the vectors of its categories in place of their codes."""
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
