"""The registry: variants register themselves by a decorator and are created by name."""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from zoo.errors import InputError, unknown
from zoo.layers.normalised import Normalised
from zoo.problem import Problem
from zoo.seeding import stream_seed
from zoo.space import Parameter, Range, parameters_of, ranges_of, resolve

V = TypeVar("V", bound=type[nn.Module])


@dataclass(frozen=True)
class Variant:
    """A registered architecture.

    tags: `lstm`, `baseline`, `deterministic` (learns nothing at random: one cell, not one per seed), ...;
    limits: what it does not do; source: paper and section, and where it departs.
    """

    name: str
    build: type[nn.Module]
    summary: str
    source: str
    tags: tuple[str, ...]
    tasks: tuple[str, ...]
    limits: tuple[str, ...]

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Its hyperparameters: the keyword-only arguments of its signature."""
        return parameters_of(self.build)

    @property
    def space(self) -> dict[str, Range]:
        """The ranges that its signature declares."""
        return ranges_of(self.build)

    def space_for(self, problem: Problem) -> dict[str, Range]:
        """The ranges on one problem: those of the class's own `space(problem)` where it defines one."""
        own: Callable[[Problem], dict[str, Range]] | None = getattr(self.build, "space", None)
        return self.space if own is None else own(problem)

    @property
    def is_deterministic(self) -> bool:
        """Whether every seed gives the same forecasts."""
        return "deterministic" in self.tags


_variants: dict[str, Variant] = {}


def register(
    name: str,
    *,
    summary: str,
    source: str,
    tags: tuple[str, ...] = (),
    tasks: tuple[str, ...] = ("forecast",),
    limits: tuple[str, ...] = (),
) -> Callable[[V], V]:
    """Put the decorated nn.Module class into the registry under `name`; a name that is taken raises."""

    def add(build: V) -> V:
        holder = _variants.get(name)
        if holder is not None and inspect.getfile(holder.build) != inspect.getfile(build):
            raise InputError(
                f"variant '{name}' is already registered by {holder.build.__module__}; choose another name"
            )
        _variants[name] = Variant(name, build, summary, source, tags, tasks, limits)
        return build

    return add


def list_models(*, tag: str | None = None) -> list[str]:
    """Names of the registered variants, sorted with baselines last; those with `tag` where it is given."""
    _discover()
    chosen = [v for v in _variants.values() if tag is None or tag in v.tags]
    if tag is not None and not chosen:
        raise unknown("tag", tag, sorted({t for v in _variants.values() for t in v.tags}))
    return [v.name for v in sorted(chosen, key=lambda v: ("baseline" in v.tags, v.name))]


def variant(name: str) -> Variant:
    """The registered variant called `name`; raises UnknownName, with the nearest name, when there is none."""
    _discover()
    if name not in _variants:
        raise unknown("variant", name, list_models())
    return _variants[name]


def create(name: str, problem: Problem, *, seed: int = 0, **params: Any) -> Normalised:
    """A new model: the variant with `params` over its defaults, its weights drawn from `seed`.

    Maps scaled x [B, L, C] to a scaled forecast [B, *problem.output_shape]. The global random state is
    left as it was. Raises UnknownName for an unknown variant or parameter, InputError for a value of the
    wrong type or one that cannot be built.
    """
    chosen = variant(name)
    resolved = resolve(chosen.build, params, f"variant '{name}'")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_seed(seed, "weights"))
        try:
            return Normalised(chosen.build(problem, **resolved), problem)
        except InputError:
            raise
        except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
            given = ", ".join(f"{key}={value!r}" for key, value in resolved.items())
            raise InputError(f"variant '{name}' cannot be built with {given}: {error}") from error


def _discover() -> None:
    importlib.import_module("zoo.models")
