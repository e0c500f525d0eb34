"""Benchmarks: a TOML file that names suites, and what all of them share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from zoo.errors import InputError, unknown
from zoo.records import Record, Word, checked
from zoo.suite import read_toml

SHIPPED = Path(__file__).parent / "suites"


class Preset(Record):
    """What a smaller run of a benchmark changes."""

    suites: list[str] | None = None
    models: list[str] | None = None
    seeds: int | list[int] | None = None
    fit: dict[str, Any] = Field(default={})


class Benchmark(Record):
    """suites: files, from the benchmark's own folder; models, seeds and fit: in place of what each suite says."""

    name: Word
    suites: list[str] = Field(min_length=1)
    models: list[str] | None = None
    seeds: int | list[int] | None = None
    fit: dict[str, Any] = Field(default={})
    presets: dict[str, Preset] = Field(default={})


def shipped(name: str) -> Path | None:
    """The file of a benchmark that comes with the zoo, or of a suite with published figures, by its name; None where
    there is none of that name."""
    path, published = SHIPPED / f"{name}.toml", SHIPPED / "published" / f"{name}.toml"
    if path.is_file() and is_benchmark(path):
        return path
    return published if published.is_file() else None


def is_benchmark(path: Path) -> bool:
    """Whether a TOML file names suites, and is no suite itself."""
    return "suites" in read_toml(path)


def read_benchmark(path: Path, preset: str | None = None) -> list[tuple[Path, dict[str, Mapping[str, Any]]]]:
    """The suite files of a benchmark, each with what the benchmark changes in it: values by section and key.

    Raises InputError for a file that is no benchmark, names a suite that does not exist, or has no such preset.
    """
    benchmark = checked(Benchmark, read_toml(path), str(path))
    if preset is not None and preset not in benchmark.presets:
        if not benchmark.presets:
            raise InputError(f"benchmark {path} has no presets, got --preset {preset}")
        raise unknown("preset", preset, sorted(benchmark.presets))
    small = benchmark.presets[preset] if preset is not None else Preset()
    files = [path.parent / name for name in small.suites or benchmark.suites]
    for file in files:
        if not file.is_file():
            raise InputError(f"benchmark {path} names a suite that does not exist: {file}")
    run = {
        name: getattr(benchmark, name) if getattr(small, name) is None else getattr(small, name)
        for name in ("models", "seeds")
    }
    changes: dict[str, Mapping[str, Any]] = {"run": run, "fit": {**benchmark.fit, **small.fit}}
    return [(file, changes) for file in files]
