"""Inline: data in memory become a source that worker processes can load."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.data.sources import NAMES
from zoo.errors import InputError
from zoo.files import write_text

IN_MEMORY = "data.csv"  # the file in the output folder that data in memory become


def source_of(data: Any, folder: Path) -> tuple[str, list[str] | None]:
    """What workers load, and the columns where that is known: data in memory become a file in the folder."""
    if isinstance(data, (str, Path)):
        return str(data) if str(data) in NAMES else os.path.abspath(data), None
    if isinstance(data, np.ndarray):
        if data.ndim not in (1, 2):
            raise InputError(f"an array must have the shape [rows] or [rows, columns], got {list(data.shape)}")
        data = pd.DataFrame(data.reshape(len(data), -1))
        data.columns = ["value"] if data.shape[1] == 1 else [f"column{number}" for number in range(data.shape[1])]
    frame = data.to_frame(name=data.name if data.name is not None else "value") if isinstance(data, pd.Series) else data
    has_times = isinstance(frame.index, pd.DatetimeIndex)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / IN_MEMORY
    write_text(path, frame.to_csv(index=has_times, index_label="time" if has_times else None))
    return str(path.resolve()), list(map(str, frame.columns))


def plain_value(value: Any) -> Any:
    """A tuple as a list, as a suite has it."""
    return list(value) if isinstance(value, tuple) else value


def is_watched() -> bool:
    """Whether somebody looks on: in a terminal, or in a notebook that can show a bar."""
    return sys.stderr.isatty() or ("ipykernel" in sys.modules and find_spec("ipywidgets") is not None)
