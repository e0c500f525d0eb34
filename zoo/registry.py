"""The registry: variants register themselves by a decorator and are created by name."""

import importlib
import inspect
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from zoo.errors import InputError, PluginWarning, Unsuitable, expect, message_of, plain, unknown
from zoo.family import family
from zoo.layers.embedded import Embedded
from zoo.layers.model import Model, inside, model_of
from zoo.plugins import Code, code_of, file_hash, installed, loading, run_file
from zoo.problem import EXAMPLE, Problem
from zoo.seeding import stream_seed
from zoo.space import Parameter, Range, checked_default, checked_ranges, parameters_of, ranges_of, resolve

V = TypeVar("V", bound=type[nn.Module])


@dataclass(frozen=True)
class Variant:
    """A registered architecture.

    source: paper and section, and where it departs; tags: `lstm`, `baseline`, `deterministic` (every seed gives the
    same forecasts), ..., for people to read and select by; limits: topic -> reason why it does not do that; code: where
    its class comes from.
    """

    name: str
    build: type[nn.Module]
    summary: str
    source: str
    tags: tuple[str, ...]
    limits: Mapping[str, str]
    code: Code
    needs: str | None = None

    def __repr__(self) -> str:
        return f"Variant({self.name}: {self.summary})"

    @property
    def is_here(self) -> bool:
        """Whether the package that it needs is installed."""
        return self.needs is None or find_spec(self.needs) is not None

    @property
    def install(self) -> str:
        """The command that installs what it needs."""
        return INSTALL if self.code.kind == "zoo" else f"pip install {self.needs}"

    @property
    def family(self) -> str:
        """cell, architecture or baseline."""
        return family(self.tags)

    @property
    def paper(self) -> str:
        """Authors and year, where its source begins with them; else nothing."""
        begin = re.match(r"[^;:()]{,60}?\b(?:19|20)\d\d\b", self.source)
        return begin.group() if begin else ""

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Its hyperparameters: the keyword-only arguments of its signature."""
        return parameters_of(self.build)

    @property
    def space(self) -> dict[str, Range]:
        """The ranges that its signature declares."""
        return ranges_of(self.build)

    def space_for(self, problem: Problem) -> dict[str, Range]:
        """The ranges on one problem: those of the class's own `space(problem)` where it defines one.

        Raises InputError where that fails, or returns no valid ranges.
        """
        own, owner = getattr(self.build, "space", None), f"variant '{self.name}': space(problem)"
        if own is None:
            return self.space
        try:
            ranges = own(problem)
        except (Exception, SystemExit) as error:  # a variant may raise anything
            raise InputError(f"{owner} must return ranges by name, and raised {message_of(error)}") from error
        return checked_ranges(ranges, self.parameters, owner)

    @property
    def is_classifier(self) -> bool:
        """Whether it does nothing but classify whole sequences."""
        return bool(getattr(self.build, "solves_classes", False))

    @property
    def is_deterministic(self) -> bool:
        """Whether every seed gives the same forecasts."""
        return "deterministic" in self.tags


TASKS = {
    "forecast": "forecast", "quantile": "forecast quantiles", "direction": "forecast directions",
    "move": "forecast moves", "classify": "classify sequences",
}  # fmt: skip
INSTALL = "pip install 'lstm-zoo[stats]'"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_variants: dict[str, Variant] = {}
_files: dict[Path, str] = {}  # each file that was run, and the hash that its source had
_discovered: list[bool] = []


def register(
    name: str,
    *,
    summary: str,
    source: str,
    tags: tuple[str, ...] = (),
    limits: Mapping[str, str] = MappingProxyType({}),
    needs: str | None = None,
    replace: bool = False,
) -> Callable[[V], V]:
    """Put the decorated nn.Module class into the registry under `name`.

    tags: words to select variants by; limits: topics of the contract that it does not fulfil, {"onnx": "why"}; needs: a
    package without which it cannot be fitted, and where it is not installed "all" leaves the variant out; replace: take
    the place of a variant that this program registered before, as a cell of a notebook does when it runs again.
    Raises InputError where the name is taken or is not valid (lower case, hyphens between words), where tags or limits
    have the wrong type, and for a class that cannot be a variant.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name) or name == "all":
        raise InputError(f"a variant's name is lower case with hyphens, such as gated-lstm, got '{name}'")
    if not isinstance(summary, str) or not isinstance(source, str):
        raise InputError(f"variant '{name}': summary and source must be texts, got {summary!r} and {source!r}")
    if isinstance(tags, str) or not all(isinstance(tag, str) for tag in tags):
        raise InputError(f"variant '{name}': tags must be a tuple of texts, (\"lstm\",), got {tags!r}")
    if not isinstance(limits, Mapping) or not all(isinstance(text, str) for pair in limits.items() for text in pair):
        raise InputError(f'variant \'{name}\': limits must map a topic to a reason, {{"onnx": "why"}}, got {limits!r}')

    def add(build: V) -> V:
        if not (inspect.isclass(build) and issubclass(build, nn.Module)):
            raise InputError(f"variant '{name}' must be a class that extends torch.nn.Module, got {build!r}")
        if not build.__module__.startswith("zoo."):
            importlib.import_module("zoo.models")  # its names come first, whenever a program registers its own
        reasons = {topic: plain(reason) for topic, reason in limits.items()}
        new = Variant(name, build, plain(summary), plain(source), tuple(tags), reasons, code_of(build), needs)
        if name in _variants:
            _check_free(new, replace)
        _check_signature(new)
        _variants[name] = new
        return build

    return add


def _check_free(new: Variant, replace: bool) -> None:
    """Raise InputError unless a variant may take the place of the one that has its name."""
    holder = _variants[new.name]
    is_own = holder.code.kind == new.code.kind == "program"
    if is_own and replace:
        return
    taken = f"variant '{new.name}' is already registered by {holder.code}"
    if is_own:
        raise InputError(f"{taken}; choose another name, or replace it by @zoo.register(..., replace=True)")
    raise InputError(f"{taken}; choose another name")


def _check_signature(new: Variant) -> None:
    """Raise InputError for a class whose hyperparameters, ranges or methods cannot be used as they are meant."""
    owner = f"variant '{new.name}'"
    try:
        parameters = new.parameters
    except Exception as error:  # an annotation is an expression
        raise InputError(
            f"{owner}: an annotation of __init__ does not resolve ({message_of(error)}); import or define its names "
            "above the class, outside `if TYPE_CHECKING`"
        ) from error
    for parameter in parameters.values():
        checked_default(parameter, owner)
    checked_ranges(new.space, parameters, owner)
    new.space_for(EXAMPLE)
    if hasattr(new.build, "loss"):
        raise InputError(
            f"{owner}: its method loss would never be called; training minimises fit.loss (mse, mae or huber): remove "
            "or rename it, or compute the weights in a method solve(train, valid)"
        )


def list_models(*, tag: str | None = None, classifiers: bool = False) -> list[str]:
    """Names of the registered variants, sorted with baselines last; those with `tag` where it is given.

    Variants that need a package which is not installed are left out; `absent` names them. classifiers: list also those
    that do nothing but classify whole sequences.
    """
    _discover()
    known = [v for v in _variants.values() if v.is_here and (classifiers or not v.is_classifier)]
    chosen = [v for v in known if tag is None or tag in v.tags]
    if tag is not None and not chosen:
        raise unknown("tag", tag, sorted({t for v in known for t in v.tags}))
    return [v.name for v in sorted(chosen, key=lambda v: ("baseline" in v.tags, v.name))]


def absent() -> list[Variant]:
    """The registered variants that need a package which is not installed."""
    _discover()
    return [v for v in _variants.values() if not v.is_here]


def variant(name: str) -> Variant:
    """The registered variant called `name`; raises UnknownName, with the nearest name, when there is none."""
    expect("a variant's name", name, str, "text")
    _discover()
    if name not in _variants:
        raise unknown("variant", name, list_models(classifiers=True))
    return _variants[name]


def is_registered(name: str) -> bool:
    """Whether there is a variant called `name`."""
    _discover()
    return name in _variants


def require_here(name: str) -> None:
    """Raise InputError where the package that a variant needs is not installed."""
    if not variant(name).is_here:
        raise InputError(
            f"variant '{name}' needs {variant(name).needs}, which is not installed: {variant(name).install}"
        )


def from_file(path: str | Path) -> list[str]:
    """The names of the variants that a Python file registers; runs the file, and again whenever it has changed.

    Raises InputError for a file that does not exist, fails, takes a name that is in use, or registers nothing.
    """
    _discover()
    place = Path(path).resolve()
    names, sha256 = _names_of(place), file_hash(place)
    if not names or _files.get(place) != sha256:
        for name in names:
            del _variants[name]
        try:
            run_file(place)
        except InputError:
            for name in _names_of(place):  # those above the error
                del _variants[name]
            raise
        _files[place] = sha256
        names = _names_of(place)
    if not names:
        raise InputError(f"{path} registers no variant: decorate a class with @zoo.register(...) (zoo new shows how)")
    return names


def named(text: str) -> list[str]:
    """The variants that a user means: the one of this name, or all of a Python file, `./mine.py`."""
    return from_file(text) if text.endswith(".py") else [variant(text).name]


def files() -> list[Path]:
    """The files that variants were taken from."""
    return list(_files)


def create(name: str, problem: Problem, /, *, seed: int = 0, **params: Any) -> Model:
    """A new model: the variant with `params` over its defaults, its weights drawn from `seed`.

    Maps scaled x [B, L, C] to a scaled forecast [B, *problem.output_shape]. The global random state is
    left as it was. Raises UnknownName for an unknown variant or parameter, Unsuitable for a variant that cannot do the
    problem's task, InputError for a value of the wrong type or one that cannot be built.
    """
    expect("problem", problem, Problem, "a zoo.Problem, such as data.problem")
    expect("seed", seed, int, "a whole number")
    chosen = variant(name)
    resolved = resolve(chosen.build, params, f"variant '{name}'")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_seed(seed, "weights"))
        try:
            model = model_of(lambda each: chosen.build(each, **resolved), problem)
            if any(isinstance(parameter, UninitializedParameter) for parameter in model.parameters()):
                raise InputError(
                    f"variant '{name}' has a lazy layer: give its input size, problem.channels for instance"
                )
            return model
        except Unsuitable as error:
            raise Unsuitable(f"variant '{name}' cannot {TASKS[problem.task]}: {error}") from error
        except InputError:
            raise
        except (Exception, SystemExit) as error:  # a variant may raise anything
            given = ", ".join(f"{key}={value!r}" for key, value in resolved.items()) or "no parameters"
            raise InputError(f"variant '{name}' cannot be built with {given}: {message_of(error)}") from error


@torch.no_grad()
def check_forecast(model: Model, x_BLC: Tensor, owner: str) -> None:
    """Run the variant of a model once, on scaled windows; the model is left in eval mode.

    Raises InputError, beginning with `owner`, where it fails or returns another shape than [B, *output_shape], which a
    loss would broadcast and train.
    """
    model.eval()
    try:
        points = inside(model)
        forecast = model.variant(points.embedded(x_BLC) if isinstance(points, Embedded) else x_BLC)
    except (Exception, SystemExit) as error:  # a variant may raise anything
        raise InputError(f"{owner} cannot run: {message_of(error)}") from error
    expected = [len(x_BLC), *inside(model).problem.output_shape]
    seen = f"shape {list(forecast.shape)}" if isinstance(forecast, Tensor) else type(forecast).__name__
    if seen != f"shape {expected}":
        raise InputError(f"{owner} must forecast shape {expected} (batch, horizon, targets), got {seen}")


def _names_of(place: Path) -> list[str]:
    return [v.name for v in _variants.values() if (v.code.kind, v.code.name) == ("file", str(place))]


def _discover() -> None:
    """Import the zoo's own variants, and at the first time those of installed packages."""
    importlib.import_module("zoo.models")
    if _discovered:
        return
    _discovered.append(True)
    for code, point in installed():
        try:
            with loading(code):
                point.load()
        except (Exception, SystemExit) as error:  # whatever a package does wrong costs its own variants only
            for name in [name for name, v in _variants.items() if v.code is code]:
                del _variants[name]
            warnings.warn(
                f"variants of {code} were skipped: {type(error).__name__}: {error}", PluginWarning, stacklevel=2
            )
