"""Rows: one JSON line for each measured cell, appended the moment it ends; the last line of a key wins."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo.files import write_atomically

try:
    import fcntl
except ImportError:  # not on Windows: there two runs into one folder are not kept apart
    fcntl = None  # type: ignore[assignment]

Row = dict[str, Any]


FIELDS = (
    "key", "suite", "variant", "tags", "seed", "params", "metrics", "train_seconds", "windows_per_second", "epochs",
    "best_epoch", "stopped", "parameter_count", "device", "threads", "dtype", "problem", "data", "fit", "predictions",
    "truth", "machine", "versions", "commit", "command", "started", "error", "schema",
)  # fmt: skip

ADDED = ("tuning", "fallback", "plugin")  # since the first rows; absent: nothing was tuned, fell back, from outside


def read_rows(folder: Path) -> tuple[list[Row], list[str]]:
    """The rows of OUT/rows.jsonl, the last of each key in the order of their first line, and what was left out.

    A line that is not a JSON object with a key, or a row that lacks a field, is left out and named.
    """
    keyed, broken = _keyed_lines(folder / "rows.jsonl")
    left_out = [f"line {number} of rows.jsonl is not a row: left out" for number in broken]
    rows = []
    for key, row in keyed.items():
        lacking = [name for name in FIELDS if name not in row]
        if lacking:
            left_out.append(f"row {key[:16]} lacks {', '.join(lacking)} (another version wrote it): left out")
        else:
            rows.append(row)
    return rows, left_out


def read_all(folder: Path) -> tuple[list[Row], list[str]]:
    """As read_rows, but rows of every kind, whatever fields they have."""
    keyed, broken = _keyed_lines(folder / "rows.jsonl")
    return list(keyed.values()), [f"line {number} of rows.jsonl is not a row: left out" for number in broken]


def _keyed_lines(path: Path) -> tuple[dict[str, Row], list[int]]:
    """The last JSON object of each key, and the numbers of lines that are none."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    keyed: dict[str, Row] = {}
    broken = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line, parse_constant=_refused)
            keyed[str(row["key"])] = row
        except (ValueError, TypeError, KeyError):
            broken.append(number)
    return keyed, broken


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _lines(rows: Iterable[Row]) -> bytes:
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode()


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
            self.rows = self._compacted()
            self._file = self._opened()
        except OSError as error:
            raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --out") from error

    def append(self, row: Row) -> None:
        """Write one whole line and wait until it is on the disk."""
        line = (json.dumps(row, allow_nan=False) + "\n").encode()
        try:
            written = os.write(self._file, line)
            os.fsync(self._file)
        except OSError as error:
            raise InputError(f"cannot write to {self.path}: {error.strerror}; the rows so far are kept") from error
        if written < len(line):
            raise InputError(f"cannot write to {self.path}: the disk is full; the rows so far are kept")
        self.rows[row["key"]] = row

    def is_done(self, key: str) -> bool:
        """Whether the cell has a row without an error."""
        return key in self.rows and self.rows[key].get("error", "no field") is None

    def compact(self) -> None:
        """Rewrite the file with the rows as they are now, one line each."""
        os.close(self._file)
        write_atomically(self.path, _lines(self.rows.values()))
        self._file = self._opened()

    def write(self, name: str, text: str) -> None:
        """Put a text file beside the rows, whole or not at all."""
        try:
            write_atomically(self.folder / name, text.encode())
        except OSError as error:
            raise InputError(f"cannot write {self.folder / name}: {error.strerror}") from error

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

    def _opened(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def _compacted(self) -> dict[str, Row]:
        """Cut broken lines and earlier lines of a key; what another version wrote stays."""
        keyed, broken = _keyed_lines(self.path)
        if keyed or broken:
            whole = _lines(keyed.values())
            if whole != self.path.read_bytes():
                write_atomically(self.path, whole)
        return keyed
