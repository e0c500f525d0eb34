"""Plugins: variants from outside - a file that the user names, or an installed package."""

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from zoo.errors import InputError

GROUP = "zoo.variants"  # of entry points; each names a module, or something in one, whose import registers variants


class PluginWarning(UserWarning):
    """An installed plugin could not be loaded, and was skipped."""


@dataclass(frozen=True)
class Origin:
    """Where a variant comes from that is not the zoo's own: `name` is a file's path or a package with its version.

    sha256: of the file when it was run, or of all Python files of the package's module and of its version. What a
    file imports from elsewhere is not in it.
    """

    kind: str  # file or package
    name: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


_loading: list[Origin] = []


@contextmanager
def loading(origin: Origin) -> Iterator[None]:
    """Inside, what registers itself comes from `origin`."""
    _loading.append(origin)
    try:
        yield
    finally:
        _loading.pop()


def origin() -> Origin | None:
    """Where what registers itself now comes from; None for the zoo's own and for a user's program."""
    return _loading[-1] if _loading else None


def run_file(path: Path) -> ModuleType:
    """Run a Python file as a module of its own; raises InputError where there is none or it fails."""
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    origin = Origin("file", str(path), source_hash(path))
    name = f"zoo_file_{path.stem}_{origin.sha256[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where torch.compile and inspect look for the source of its classes
    try:
        with loading(origin):
            spec.loader.exec_module(module)
    except InputError as error:
        del sys.modules[name]
        raise InputError(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:  # a script that ends itself, too
        del sys.modules[name]
        raise InputError(f"{path} cannot be loaded: {type(error).__name__}: {error}{_line(error, path)}") from error
    return module


def installed() -> list[tuple[Origin, EntryPoint]]:
    """The entry points of installed packages, by package and name, whether or not they can be loaded."""
    found = []
    for point in entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value
        found.append((Origin("package", package, _package_hash(package, point.module.split(".")[0])), point))
    return sorted(found, key=lambda pair: (pair[0].name, pair[1].name))


def source_hash(path: str | Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _package_hash(package: str, module: str) -> str:
    """SHA-256 over a package's name and version and all Python files of its top-level module."""
    found = hashlib.sha256(package.encode())
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    files = sorted(file for place in places for file in place.rglob("*.py"))
    if spec is not None and not places and spec.origin:
        files = [Path(spec.origin)]
    for file in files:
        found.update(file.name.encode() + file.read_bytes())
    return found.hexdigest()


def _line(error: BaseException, path: Path) -> str:
    """The last line of the file that the error passed through."""
    if isinstance(error, SyntaxError):
        return ""  # its message names the line
    trace, number = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            number = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {number})" if number is not None else ""
