"""Inline: data in memory become a source that worker processes can load."""

import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from zoo.data.sources import NAMES, in_memory
from zoo.files import write_text

IN_MEMORY = "data.csv"  # the file in the output folder that data in memory become


def source_of(data: Any, folder: Path) -> tuple[str, list[str] | None]:
    """What workers load, and the columns where that is known: data in memory become a file in the folder."""
    if isinstance(data, (str, Path)):
        return str(data) if str(data) in NAMES else os.path.abspath(data), None
    frame = in_memory(data)
    assert isinstance(frame, pd.DataFrame)
    has_times = isinstance(frame.index, pd.DatetimeIndex)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / IN_MEMORY
    write_text(path, frame.to_csv(index=has_times, index_label="time" if has_times else None))
    return str(path.resolve()), list(map(str, frame.columns))


def plain_value(value: Any) -> Any:
    """A tuple as a list, as a suite has it."""
    return list(value) if isinstance(value, tuple) else value


def is_watched() -> bool:
    """Whether somebody looks on: in a terminal, or in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
