"""Inline: what a program needs that the command does not: data in memory, folders that go, and who looks on."""

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from zoo.data.sources import NAMES, in_memory
from zoo.errors import InputError
from zoo.files import write_text

T = TypeVar("T")
IN_MEMORY = "data.csv"  # the file in the output folder that data in memory become


def listed(names: str | Iterable[str] | None) -> list[str]:
    """One name, several or none, as a list."""
    return [names] if isinstance(names, str) else [] if names is None else list(map(str, names))


def source_of(data: Any, folder: Path) -> str:
    """What workers load: data in memory become a file in the folder."""
    if isinstance(data, (str, Path)):
        return str(data) if str(data) in NAMES else os.path.abspath(data)
    frame = in_memory(data)
    assert isinstance(frame, pd.DataFrame)
    has_times = isinstance(frame.index, pd.DatetimeIndex)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / IN_MEMORY
    write_text(path, frame.to_csv(index=has_times, index_label="time" if has_times else None))
    return str(path.resolve())


def in_folder(out: str | Path | None, measure: Callable[[Path], T]) -> T:
    """What `measure` gives for the folder `out`, or for one that lasts as long as the result.

    Where it refuses the request, a folder that is new goes again.
    """
    if out is not None:
        is_new = not Path(out).exists()
        try:
            return measure(Path(out))
        except InputError:
            if is_new:
                shutil.rmtree(out, ignore_errors=True)
            raise
    folder = Path(tempfile.mkdtemp(prefix="lstm-zoo-"))
    try:
        measured = measure(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(measured, shutil.rmtree, folder, ignore_errors=True)
    return measured


def plain_value(value: Any) -> Any:
    """A tuple as a list, as a suite has it."""
    return list(value) if isinstance(value, tuple) else value


def is_watched() -> bool:
    """Whether somebody looks on: in a terminal, or in a notebook that can show a bar."""
    return sys.stderr.isatty() or ("ipykernel" in sys.modules and find_spec("ipywidgets") is not None)
