"""Code: where a variant comes from, and a hash of its source. Plugins: files and packages that bring variants."""

import ast
import hashlib
import importlib.util
import inspect
import io
import sys
import tokenize
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal

from zoo.errors import InputError
from zoo.files import read_input
from zoo.records import Record

GROUP = "zoo.variants"  # of entry points; each names a module, or something in one, whose import registers variants
HOME = Path(__file__).parent
PARTS = ("zoo.layers.", "zoo.learn.", "zoo.models.")  # modules that variants are built from
WRAPPER = HOME / "layers" / "normalised.py"  # is part of every model


class Code(Record):
    """Where a variant's class comes from.

    kind: the zoo itself, a file or an installed package that the user named, or the user's own program. name: the
    module, the file's path, or the package with its version. sha256: of the source without comments, docstrings and
    __repr__, and of the zoo's layers that it imports; of a package, of all its Python files. What else a file imports
    is not covered.
    """

    kind: Literal["zoo", "file", "package", "program"]
    name: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.is_plugin else self.name

    @property
    def is_plugin(self) -> bool:
        """Whether the user named the file or installed the package."""
        return self.kind in ("file", "package")

    @property
    def portable(self) -> "Code":
        """The same with the file's name alone, for rows and models, which travel between machines."""
        return self.model_copy(update={"name": Path(self.name).name}) if self.kind == "file" else self


_loading: list[Code] = []


@contextmanager
def loading(code: Code) -> Iterator[None]:
    """Whatever registers itself inside comes from `code`."""
    _loading.append(code)
    try:
        yield
    finally:
        _loading.pop()


def code_of(build: type) -> Code:
    """The code of a class that registers itself now."""
    if _loading:
        return _loading[-1]
    kind: Literal["zoo", "program"] = "zoo" if build.__module__.startswith("zoo.") else "program"
    try:
        sha256 = source_hash([Path(inspect.getfile(build))])
    except (OSError, TypeError, SyntaxError):  # typed into a console
        sha256 = hashlib.sha256(build.__qualname__.encode()).hexdigest()
    return Code(kind=kind, name=build.__module__, sha256=sha256)


def run_file(path: Path) -> ModuleType:
    """Run a Python file as a module of its own; raises InputError for a file that is missing or fails."""
    code = Code(kind="file", name=str(path), sha256=file_hash(path))
    name = f"zoo_file_{path.stem}_{code.sha256[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where torch.compile and inspect look for the source of its classes
    try:
        with loading(code):
            spec.loader.exec_module(module)
    except InputError as error:
        del sys.modules[name]
        raise InputError(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:  # SystemExit: a script that ends itself
        del sys.modules[name]
        raise InputError(f"{path} cannot be loaded: {type(error).__name__}: {error}{_line(error, path)}") from error
    return module


def installed() -> list[tuple[Code, EntryPoint]]:
    """The entry points of installed packages, by package and name, whether or not they can be loaded."""
    points = []
    for point in entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value
        sha256 = _package_hash(package, point.module.split(".")[0])
        points.append((Code(kind="package", name=package, sha256=sha256), point))
    return sorted(points, key=lambda pair: (pair[0].name, pair[1].name))


def file_hash(path: Path) -> str:
    """source_hash of one file that the user named; raises InputError for one that is missing or not Python."""
    try:
        return source_hash([path])
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"no such file: {path}") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder: name a Python file") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save it as UTF-8") from error
    except SyntaxError as error:
        line = f" (line {error.lineno})" if error.lineno else ""
        raise InputError(f"{path} cannot be loaded: {type(error).__name__}: {error.msg}{line}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; nesting that is too deep to parse
        raise InputError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error


def source_hash(paths: Iterable[Path]) -> str:
    """SHA-256 over the bare source of files, of the zoo's layers that they import, and of the wrapper of all models."""
    waiting, sources = [*paths, WRAPPER], dict[Path, str]()
    while waiting:
        path = waiting.pop()
        if path not in sources:
            sources[path], imported = _bare(path, path.stat().st_mtime_ns)
            waiting += imported
    return hashlib.sha256("\n".join(sorted(sources.values())).encode()).hexdigest()


@lru_cache(maxsize=256)
def _bare(path: Path, _: int) -> tuple[str, tuple[Path, ...]]:
    """A file's source without what computes nothing, and the zoo's layers that it imports.

    That is comments, docstrings, blank lines and __repr__.
    """
    source = read_input(path).decode("utf-8-sig").replace("\r\n", "\n")
    imported, left_out = list[Path](), set[int]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            places = [
                HOME.parent.joinpath(*name.split(".")).with_suffix(".py") for name in names if name.startswith(PARTS)
            ]
            imported += [place for place in places if place.is_file()]
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            is_own_line = getattr(node, "lineno", 0) != first.lineno
            left_out |= set(range(first.lineno, (first.end_lineno or 0) + 1)) if is_own_line else set()
        if isinstance(node, ast.FunctionDef) and node.name == "__repr__":
            left_out |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token.start[1] for token in tokens if token.type == tokenize.COMMENT}
    lines = [
        line[: comments.get(number)].rstrip()
        for number, line in enumerate(source.split("\n"), start=1)
        if number not in left_out
    ]
    return "\n".join(filter(None, lines)), tuple(imported)


def _package_hash(package: str, module: str) -> str:
    """SHA-256 over a package's name and version and all Python files of its top-level module."""
    digest = hashlib.sha256(package.encode())
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    files = sorted(file for place in places for file in place.rglob("*.py"))
    if spec is not None and not places and spec.origin:
        files = [Path(spec.origin)]
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _line(error: BaseException, path: Path) -> str:
    """The last line of the file that the error passed through."""
    numbers = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" (line {numbers[-1]})" if numbers else ""
