"""The registry: variants register themselves by a decorator and are created by name."""

import importlib
import inspect
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from zoo.errors import InputError, unknown
from zoo.layers.normalised import Normalised
from zoo.plugins import Origin, PluginWarning, installed, loading, origin, run_file, source_hash
from zoo.problem import Problem
from zoo.seeding import stream_seed
from zoo.space import Parameter, Range, parameters_of, ranges_of, resolve

V = TypeVar("V", bound=type[nn.Module])


@dataclass(frozen=True)
class Variant:
    """A registered architecture.

    tags: `lstm`, `baseline`, `deterministic` (learns nothing at random: one cell, not one per seed), ...;
    limits: what it does not do; source: paper and section, and where it departs; origin: the file or package that
    brought it, None for the zoo's own and for what a user's program registers.
    """

    name: str
    build: type[nn.Module]
    summary: str
    source: str
    tags: tuple[str, ...]
    tasks: tuple[str, ...]
    limits: tuple[str, ...]
    origin: Origin | None = None

    @property
    def plugin(self) -> dict[str, str] | None:
        """What a row says of where it comes from, the hash of its source among it; None for the zoo's own."""
        if self.origin is None:
            return None
        name = Path(self.origin.name).name if self.origin.kind == "file" else self.origin.name
        return {self.origin.kind: name, "sha256": self.origin.sha256}

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


NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_variants: dict[str, Variant] = {}
_files: dict[Path, str] = {}  # what was run, and its hash
_discovered: list[bool] = []


def register(
    name: str,
    *,
    summary: str,
    source: str,
    tags: tuple[str, ...] = (),
    tasks: tuple[str, ...] = ("forecast",),
    limits: tuple[str, ...] = (),
) -> Callable[[V], V]:
    """Put the decorated nn.Module class into the registry under `name`.

    Raises InputError for a name that is taken or is none (lower case, hyphens between words), and for tags, tasks or
    limits that are a text where a tuple of texts is meant.
    """
    if not NAME.fullmatch(name) or name == "all":
        raise InputError(f"a variant's name is lower case with hyphens, such as gated-lstm, got '{name}'")
    for what, given in (("tags", tags), ("tasks", tasks), ("limits", limits)):
        if isinstance(given, str):
            raise InputError(f"variant '{name}': {what} must be a tuple of texts, (\"{given}\",), got a text")

    def add(build: V) -> V:
        holder = _variants.get(name)
        is_twice = holder is not None and holder.origin is not None and holder.origin is origin()
        if holder is not None and (is_twice or inspect.getfile(holder.build) != inspect.getfile(build)):
            held = holder.origin or holder.build.__module__
            raise InputError(f"variant '{name}' is already registered by {held}; choose another name")
        _variants[name] = Variant(name, build, summary, source, tags, tasks, limits, origin())
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


def from_file(path: str | Path) -> list[str]:
    """The names of the variants that a Python file registers; the file is run, each time it has changed anew.

    Raises InputError for a file that is not there, fails, takes a name that another holds, or registers nothing.
    """
    _discover()
    place = Path(path).resolve()
    known = _names_of(place)
    if not known or _files.get(place) != source_hash(place):
        for name in known:
            del _variants[name]
        run_file(place)
        _files[place] = source_hash(place)
        known = _names_of(place)
    if not known:
        raise InputError(f"{path} registers no variant: decorate a class with @zoo.register(...) (zoo new shows how)")
    return known


def named(text: str) -> list[str]:
    """The variants that a user means: the one of this name, or all of a Python file, `./mine.py`."""
    return from_file(text) if text.endswith(".py") else [variant(text).name]


def files() -> list[Path]:
    """The files that variants were taken from."""
    return list(_files)


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
            built = chosen.build(problem, **resolved)
            if any(isinstance(parameter, UninitializedParameter) for parameter in built.parameters()):
                raise InputError(
                    f"variant '{name}' has a lazy layer: give its input size, problem.channels for instance"
                )
            return Normalised(built, problem)
        except InputError:
            raise
        except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
            given = ", ".join(f"{key}={value!r}" for key, value in resolved.items())
            raise InputError(f"variant '{name}' cannot be built with {given}: {error}") from error


def _names_of(place: Path) -> list[str]:
    own = ("file", str(place))
    return [v.name for v in _variants.values() if v.origin is not None and (v.origin.kind, v.origin.name) == own]


def _discover() -> None:
    """Import the zoo's own variants, and at the first time those of installed packages."""
    importlib.import_module("zoo.models")
    if _discovered:
        return
    _discovered.append(True)
    for where, point in installed():
        try:
            with loading(where):
                point.load()
        except (Exception, SystemExit) as error:  # whatever a package does wrong costs its own variants only
            for name in [name for name, v in _variants.items() if v.origin == where]:
                del _variants[name]
            warnings.warn(
                f"variants of {where} were skipped: {type(error).__name__}: {error}", PluginWarning, stacklevel=2
            )
