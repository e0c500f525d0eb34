"""`.npy` files: an array of numbers that stays on the disk, of which only what is needed is read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.data.table import Table
from zoo.errors import InputError, first_line


def read_npy(path: Path, columns: Sequence[str] | None) -> Table:
    """The rows of an array [rows] or [rows, columns], memory-mapped, in the order of the file.

    float32 and float64 stay as they are on the disk; other numbers become float64 in memory. columns: their names
    (default: those of an array in memory, value or column0, column1, ...). Raises InputError.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file: name a file")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} cannot be read as .npy: {first_line(error)}") from error
    if not isinstance(array, np.ndarray) or array.ndim not in (1, 2) or array.dtype.kind not in "fiub":
        content = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "an archive of arrays"
        raise InputError(f"{path} must hold an array of real numbers [rows] or [rows, columns], got {content}")
    if array.size == 0:
        raise InputError(f"{path} is empty: it holds no rows of numbers")
    values = np.asarray(array).reshape(len(array), -1)  # a view, still on the disk
    count = values.shape[1]
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    names = tuple(columns) if columns is not None else array_names(count)
    if len(names) != count or len(set(names)) < count:
        raise InputError(f"{path} has {count} columns: --columns must name {count} different ones, got {len(names)}")
    return Table(str(path), names, values, notes=("a .npy file has no times: rows are taken in the order of the file",))


def array_names(count: int) -> tuple[str, ...]:
    """What the columns of an array are called."""
    return ("value",) if count == 1 else tuple(f"column{number}" for number in range(count))
