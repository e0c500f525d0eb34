"""Speed suites: a TOML file (or the same settings by hand) becomes cells, each one a kind of step to time."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from zoo.cell import SpeedCell
from zoo.errors import InputError
from zoo.problem import Normalise
from zoo.records import Record, Word, checked
from zoo.registry import check_forecast, create, variant
from zoo.space import resolve
from zoo.stats.timings import FEWEST
from zoo.suite import RunSettings, beside, chosen_models, read_toml
from zoo.train.fit import resolve_device
from zoo.train.modes import check_mode

DTYPES = {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "tf32", "bfloat16", "float16"), "mps": ("float32",)}


def _batch(size: Any) -> Any:
    if size == "max" or (type(size) is int and size >= 1):
        return size
    raise PydanticCustomError("batch_size", "input should be a whole number >= 1 or 'max'")


Batch = Annotated[int | Literal["max"], BeforeValidator(_batch)]
Batches = Annotated[list[Batch], Field(min_length=1)]
Lookbacks = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]


class Grid(Record):
    """[[grid]]: every batch size with every lookback."""

    batch_size: Batches = Field(default=[64, 512, 4096])
    lookback: Lookbacks = Field(default=[7, 96])


class SpeedSettings(Grid):
    """[speed]: what is timed. Without [[grid]], batch_size and lookback are the one grid."""

    models: list[str] | None = None
    tags: list[str] | None = None
    phase: list[Literal["infer", "train"]] = Field(default=["infer", "train"], min_length=1)
    dtype: list[Literal["float32", "tf32", "bfloat16", "float16"]] = Field(default=["float32"], min_length=1)
    mode: list[Literal["eager", "kernel", "compile", "cuda-graph"]] = Field(default=["eager"], min_length=1)
    channels: int = Field(default=5, ge=1)
    horizon: int = Field(default=1, ge=1)
    normalise: Normalise = "last"
    threads: int = Field(default=1, ge=1)


class Method(Record):
    """[method]: how long and how often cells are timed; no part of a row's key.

    seconds: time limit of one cell, shared by its passes. passes: visits to each cell, each in a fresh process; up to
    as many again where the machine was always busy. precision: half width of the median's 95 % interval, as a share,
    at which a cell is settled. alone: cells that are timed again alone in fresh processes, at most a quarter of all.
    seed: of order and inputs.
    """

    seconds: float = Field(default=1.0, gt=0)
    passes: int = Field(default=5, ge=1)
    precision: float = Field(default=0.02, gt=0, lt=1)
    alone: int = Field(default=6, ge=0)
    seed: int = 0

    def visits(self, cell: SpeedCell) -> int:
        """Visits that a cell needs on a calm machine: a compiled cell three, since every visit compiles again."""
        return min(self.passes, FEWEST) if cell.mode == "compile" else self.passes


class SpeedSuite(Record):
    """A whole speed suite; `models` are parameters of single variants, where a list sweeps."""

    name: Word
    speed: SpeedSettings = SpeedSettings()
    grid: list[Grid] = Field(default=[])
    method: Method = Method()
    models: dict[str, dict[str, Any]] = Field(default={})


def read_speed_suite(path: Path) -> SpeedSuite:
    """The speed suite in a TOML file; raises InputError naming the key, the rule and the nearest known key."""
    settings = read_toml(path)
    speed = settings.get("speed")
    if isinstance(speed, dict) and isinstance(speed.get("models"), list):
        speed["models"] = beside(path, speed["models"])
    return checked(SpeedSuite, settings, str(path))


def expand_speed(suite: SpeedSuite, *, device: str = "auto") -> tuple[list[SpeedCell], list[str]]:
    """The cells of a suite, each once, and notes on what is not timed.

    A batch-1 inference cell, which gives the latency, is added for each lookback. Everything that can be wrong is
    checked here, before anything runs. Raises InputError.
    """
    speed = suite.speed
    names = chosen_models(RunSettings(models=speed.models, tags=speed.tags))
    kind = resolve_device(device).type
    _check_device(speed, kind)
    for name in suite.models:
        if variant(name).name not in names:
            raise InputError(f"[models.{name}] sets parameters of a variant that speed.models does not name")
    shapes = [shape for grid in suite.grid or [speed] for shape in itertools.product(grid.batch_size, grid.lookback)]
    lookbacks = dict.fromkeys(lookback for _, lookback in shapes)
    of_phase = {"train": shapes, "infer": [*shapes, *itertools.product([1], lookbacks)]}
    cells: dict[str, SpeedCell] = {}
    untrained = {}
    sweeps = {name: _swept(suite.models.get(name, {})) for name in names}
    for name, params in ((name, params) for name, swept in sweeps.items() for params in swept):
        base = _base(suite, name, params, kind)
        learns = all([has_step(base.model_copy(update={"lookback": lookback})) for lookback in lookbacks])
        if not learns and "train" in speed.phase:
            untrained[name] = True
        for phase, dtype, mode in itertools.product(speed.phase, speed.dtype, speed.mode):
            if phase == "train" and (not learns or dtype == "float16"):
                continue
            for batch, lookback in of_phase[phase]:
                shape = {"phase": phase, "dtype": dtype, "mode": mode, "batch_size": batch, "lookback": lookback}
                cell = base.model_copy(update=shape).keyed()
                cells[cell.key] = cell
    if not cells:
        raise InputError(f"nothing to time: {', '.join(names)} in phase {', '.join(speed.phase)}")
    notes = [f"{', '.join(untrained)}: no training step, so timed for inference only"] if untrained else []
    if "float16" in speed.dtype and "train" in speed.phase:
        notes.append("float16 is timed for inference only, because training in it needs a loss scale; use bfloat16")
    return list(cells.values()), notes


def has_step(cell: SpeedCell) -> bool:
    """Whether gradient descent trains the variant. Builds it and runs it once: raises InputError where that fails."""
    model = create(cell.variant, cell.problem, **cell.params)
    params = "".join(f", {key}={value!r}" for key, value in cell.params.items())
    x = torch.zeros(1, cell.lookback, cell.channels)
    check_forecast(model, x, f"variant '{cell.variant}' with lookback {cell.lookback}{params}")
    return model.is_trainable


def _base(suite: SpeedSuite, name: str, params: dict[str, Any], device: str) -> SpeedCell:
    """A cell of one variant and one set of parameters, for its phase and shape to be filled in."""
    known = variant(name)
    shared = suite.speed.model_dump(include={"channels", "horizon", "normalise", "threads"})
    params = resolve(known.build, params, f"variant '{name}'")
    shape: dict[str, Any] = {"phase": "infer", "dtype": "float32", "batch_size": 1, "lookback": 1, "mode": "eager"}
    origin: dict[str, Any] = {"suite": suite.name, "variant": name, "tags": known.tags, "code": known.code.portable}
    return SpeedCell(**origin, params=params, device=device, **shared, **shape)


def _swept(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of the parameters whose value is a list."""
    options = {name: value if isinstance(value, list) else [value] for name, value in params.items()}
    for name in (name for name, values in options.items() if not values):
        raise InputError(f"the sweep of {name} is empty: give at least one value")
    return [dict(zip(params, values, strict=True)) for values in itertools.product(*options.values())]


def _check_device(speed: SpeedSettings, device: str) -> None:
    for mode in speed.mode:
        check_mode(mode, torch.device(device))
    usable = DTYPES[device]
    if device == "cuda" and torch.cuda.get_device_capability() < (8, 0):
        usable = ("float32", "float16")
    for dtype in set(speed.dtype).difference(usable):
        raise InputError(f"dtype {dtype} is not supported on this {device} device; choose from {', '.join(usable)}")
