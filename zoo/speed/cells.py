"""Speed suites: a TOML file (or the same settings by hand) becomes cells, each one a kind of step to time."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from zoo.errors import InputError
from zoo.problem import NORMALISE, Problem
from zoo.registry import create, variant
from zoo.space import resolve
from zoo.suite import RunSettings, Strict, beside, checked, chosen_models, read_toml
from zoo.train.fit import resolve_device
from zoo.train.modes import check_mode

SPEED_SCHEMA = 1
Batch = int | Literal["max"]
DTYPES = {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "tf32", "bfloat16", "float16"), "mps": ("float32",)}


class Grid(Strict):
    """[[grid]]: every batch size with every lookback."""

    batch_size: list[Batch] = Field(default=[64, 512, 4096], min_length=1)
    lookback: list[int] = Field(default=[7, 96], min_length=1)


class SpeedSettings(Strict):
    """[speed]: what is timed. Without [[grid]], batch_size and lookback are the one grid."""

    models: list[str] | None = None
    tags: list[str] | None = None
    phase: list[Literal["infer", "train"]] = Field(default=["infer", "train"], min_length=1)
    dtype: list[Literal["float32", "tf32", "bfloat16", "float16"]] = Field(default=["float32"], min_length=1)
    mode: list[Literal["eager", "compile", "cuda-graph"]] = Field(default=["eager"], min_length=1)
    batch_size: list[Batch] = Field(default=[64, 512, 4096], min_length=1)
    lookback: list[int] = Field(default=[7, 96], min_length=1)
    channels: int = 5
    horizon: int = 1
    normalise: str = "last"
    threads: int = 1


class Method(Strict):
    """[method]: how long and how often; no part of what a row is.

    seconds: time cap of one cell, of which each pass has its share; passes: times that each cell is visited, each
    time in a fresh process, and at most as often again where the machine was always busy; precision: half width
    of the median's 95 % interval, as a share, at which a cell is settled; alone: cells that are timed again
    alone in fresh processes, at most a quarter of all; seed: of order and inputs.
    """

    seconds: float = 3.0
    passes: int = 3
    precision: float = 0.02
    alone: int = 6
    seed: int = 0


class SpeedSuite(Strict):
    """A whole speed suite; `models` are parameters of single variants, where a list sweeps."""

    name: str = Field(pattern=r"^[\w.-]+$")
    speed: SpeedSettings = SpeedSettings()
    grid: list[Grid] = Field(default=[])
    method: Method = Method()
    models: dict[str, dict[str, Any]] = Field(default={})


@dataclass(frozen=True)
class SpeedCell:
    """One kind of step, complete enough to be timed again from its row."""

    key: str
    suite: str
    variant: str
    tags: tuple[str, ...]
    params: dict[str, Any]
    phase: str
    device: str
    dtype: str
    batch_size: Batch
    lookback: int
    mode: str
    channels: int
    horizon: int
    normalise: str
    threads: int
    plugin: dict[str, str] | None = None

    @property
    def problem(self) -> Problem:
        """The problem of its shape: the one target is the fourth channel (close, of OHLCV), or the last."""
        target = min(3, self.channels - 1)
        return Problem(self.lookback, self.channels, (target,), (self.horizon, 1), self.normalise)  # type: ignore[arg-type]


def read_speed_suite(path: Path) -> SpeedSuite:
    """The speed suite in a TOML file; raises InputError naming the key, the rule and the nearest known key."""
    settings = read_toml(path)
    speed = settings.get("speed")
    if isinstance(speed, dict) and isinstance(speed.get("models"), list):
        speed["models"] = beside(path, speed["models"])
    return checked(SpeedSuite, settings, str(path))


def expand_speed(suite: SpeedSuite, *, device: str = "auto") -> tuple[list[SpeedCell], list[str]]:
    """The cells of a suite, each once, and sentences on what was left out or added.

    A batch-1 inference cell, whose latency is measured, is added for each lookback. Everything that can be
    wrong is found here, before anything runs. Raises InputError.
    """
    speed, notes = suite.speed, []
    names = chosen_models(RunSettings(models=speed.models, tags=speed.tags))
    kind = resolve_device(device).type
    _check(suite, kind)
    for name in suite.models:
        if variant(name).name not in names:
            raise InputError(f"[models.{name}] sets parameters of a variant that speed.models does not name")
    grids = suite.grid or [Grid(batch_size=speed.batch_size, lookback=speed.lookback)]
    shapes = [(batch, lookback) for grid in grids for batch in grid.batch_size for lookback in grid.lookback]
    cells: list[SpeedCell] = []
    for name in names:
        learns = True
        for params in _swept(suite.models.get(name, {})):
            resolved = resolve(variant(name).build, params, f"variant '{name}'")
            base = SpeedCell(
                key="",
                suite=suite.name,
                variant=name,
                tags=variant(name).tags,
                params=resolved,
                phase="",
                device=kind,
                dtype="",
                batch_size=1,
                lookback=1,
                mode="",
                channels=speed.channels,
                horizon=speed.horizon,
                normalise=speed.normalise,
                threads=speed.threads,
                plugin=variant(name).plugin,
            )
            for lookback in dict.fromkeys(lookback for _, lookback in shapes):
                learns &= has_step(replace(base, lookback=lookback))
            cells += _cells(base, speed, shapes, learns)
        if not learns and "train" in speed.phase:
            notes.append(name)
    sentences = []
    if notes:
        sentences.append(f"{', '.join(notes)}: no training step, so timed for inference only")
    if "float16" in speed.dtype and "train" in speed.phase:
        sentences.append("float16 is timed for inference only: training in it needs a loss scale; take bfloat16")
    cells = list({cell.key: cell for cell in cells}.values())
    if not cells:
        raise InputError(f"nothing to time: {', '.join(names)} in phase {', '.join(speed.phase)}")
    return cells, sentences


def _cells(base: SpeedCell, speed: SpeedSettings, shapes: list[tuple[Batch, int]], learns: bool) -> Iterable[SpeedCell]:
    for phase, dtype, mode in itertools.product(speed.phase, speed.dtype, speed.mode):
        if phase == "train" and (not learns or dtype == "float16"):
            continue
        own = list(shapes)
        if phase == "infer":
            own += [(1, lookback) for _, lookback in shapes]
        for batch, lookback in own:
            cell = replace(base, phase=phase, dtype=dtype, mode=mode, batch_size=batch, lookback=lookback)
            yield replace(cell, key=key_of(cell))


@torch.no_grad()
def has_step(cell: SpeedCell) -> bool:
    """Whether the variant descends a gradient; builds it on the way and runs it once, so that what cannot be
    built raises InputError."""
    model = create(cell.variant, cell.problem, **cell.params).eval()
    try:
        model(torch.zeros(1, cell.lookback, cell.channels))
    except (ValueError, TypeError, RuntimeError, IndexError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in cell.params.items())
        raise InputError(
            f"variant '{cell.variant}' cannot run with lookback {cell.lookback}, {given}: {error}"
        ) from error
    return not hasattr(model.variant, "solve") and any(p.requires_grad for p in model.variant.parameters())


def key_of(cell: SpeedCell) -> str:
    """SHA-256 over the canonical JSON of what is measured: not the suite, the method, the machine or the commit."""
    asked = {name: value for name, value in asdict(cell).items() if name not in ("key", "suite", "tags", "plugin")}
    if cell.plugin is not None:
        asked["source"] = cell.plugin["sha256"]
    text = json.dumps({**asked, "kind": "speed", "schema": SPEED_SCHEMA}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _swept(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of the parameters whose value is a list."""
    for name, value in params.items():
        if value == []:
            raise InputError(f"the sweep of {name} is empty: give at least one value")
    options = [value if isinstance(value, list) else [value] for value in params.values()]
    return [dict(zip(params, values, strict=True)) for values in itertools.product(*options)]


def _check(suite: SpeedSuite, device: str) -> None:
    speed, method = suite.speed, suite.method
    batches = speed.batch_size + [batch for grid in suite.grid for batch in grid.batch_size]
    lookbacks = speed.lookback + [lookback for grid in suite.grid for lookback in grid.lookback]
    rules: list[tuple[str, list[Any], float]] = [
        ("batch size", [batch for batch in batches if batch != "max"], 1),
        ("lookback", lookbacks, 1),
        ("channels", [speed.channels], 1),
        ("horizon", [speed.horizon], 1),
        ("threads", [speed.threads], 1),
        ("method.passes", [method.passes], 1),
        ("method.alone", [method.alone], 0),
    ]
    for name, values, low in rules:
        for value in values:
            if value < low:
                raise InputError(f"{name} must be >= {low}, got {value}")
    if not method.seconds > 0:
        raise InputError(f"method.seconds must be > 0, got {method.seconds}")
    if not 0 < method.precision < 1:
        raise InputError(f"method.precision must be a share between 0 and 1, got {method.precision}")
    if speed.normalise not in NORMALISE:
        raise InputError(f"normalise must be one of {', '.join(NORMALISE)}, got '{speed.normalise}'")
    for mode in speed.mode:
        check_mode(mode, torch.device(device))
    is_new = device != "cuda" or torch.cuda.get_device_capability() >= (8, 0)
    there = [dtype for dtype in DTYPES[device] if is_new or dtype not in ("tf32", "bfloat16")]
    for dtype in speed.dtype:
        if dtype not in there:
            raise InputError(f"dtype {dtype} is not supported on this {device} device; choose from {', '.join(there)}")
