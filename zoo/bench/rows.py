"""Rows: one JSON line for each measured cell, appended the moment it ends; the last line of a key wins."""

import json
import os
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.files import write_atomically

try:
    import fcntl
except ImportError:  # not on Windows: there two runs into one folder are not kept apart
    fcntl = None  # type: ignore[assignment]

Row = dict[str, Any]


def read_rows(folder: Path) -> tuple[list[Row], list[str]]:
    """The rows of OUT/rows.jsonl, the last of each key in the order of their first line, and what was left out.

    A line that is not a JSON object with a key is left out and named.
    """
    path = folder / "rows.jsonl"
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    rows: dict[str, Row] = {}
    left_out = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows[row["key"]] = row
        except (ValueError, TypeError, KeyError):
            left_out.append(f"line {number} of {path.name} is not a row: left out")
    return list(rows.values()), left_out


class RowStore:
    """The rows of one output folder, held by one run at a time.

    Opening it makes the folder, locks it and compacts the file. Raises InputError for a folder that
    cannot be written or that another run is writing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "rows.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY)
            self._take_lock()
            self.rows = {row["key"]: row for row in self._compact()}
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --out") from error

    def append(self, row: Row) -> None:
        """Write one whole line and wait until it is on the disk."""
        line = (json.dumps(row, allow_nan=False) + "\n").encode()
        assert os.write(self._file, line) == len(line)
        os.fsync(self._file)
        self.rows[row["key"]] = row

    def is_done(self, key: str) -> bool:
        """Whether the cell has a row without an error."""
        return key in self.rows and self.rows[key]["error"] is None

    def write(self, name: str, text: str) -> None:
        """Put a text file beside the rows, whole or not at all."""
        write_atomically(self.folder / name, text.encode())

    def close(self) -> None:
        """Let go of the file and the folder."""
        os.close(self._file)
        os.close(self._lock)

    def _take_lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"another run is writing to {self.folder}: wait for it, or choose another --out"
            ) from error

    def _compact(self) -> list[Row]:
        rows, left_out = read_rows(self.folder)
        if rows or left_out:
            whole = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode()
            if whole != self.path.read_bytes():
                write_atomically(self.path, whole)
        return rows
