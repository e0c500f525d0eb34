"""The store: one JSON line for each row, appended the moment it ends; the last line of a key wins."""

import errno
import fcntl
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zoo.cell import AccuracyRow, Row, SpeedRow, row_from
from zoo.errors import InputError, plain
from zoo.files import check_folder, clear_drafts, read_input, write_atomically, write_text
from zoo.migration import SCHEMA
from zoo.records import parse_json, reason, without_collection

NAME = "rows.jsonl"
HIDING = re.compile(rb"\\[bfnrtu]|[^ -~]")  # what may stand for a sign that does not print
PRINTABLE = bytes(range(32, 127)).replace(b"\\", b"")


def read_rows(folder: Path) -> tuple[list[Row], list[str]]:
    """The rows of a folder, the last of each key in the order of their first line, and a sentence for each bad line.

    A folder without rows gives none. Raises InputError for a file that cannot be read.
    """
    with without_collection():
        keyed, faults = _read(folder / NAME)
    return list(keyed.values()), [f"{NAME} line {number}: {fault}; the line is left out" for number, fault in faults]


def _read(path: Path) -> tuple[dict[str, Row], list[tuple[int, str]]]:
    try:
        lines = read_input(path).splitlines()
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    keyed: dict[str, Row] = {}
    faults = []
    for number, line in enumerate(lines, start=1):
        if (row := _row_at_once(line)) is not None:
            keyed[row.key] = row
            continue
        try:
            row = row_from(_plain(parse_json(line)) if HIDING.search(line) else parse_json(line))
        except ValidationError as error:
            faults.append((number, reason(error, SpeedRow if error.title == "SpeedRow" else AccuracyRow)))
        except ValueError as error:
            faults.append((number, f"not a row ({error})"))
        else:
            keyed[row.key] = row
    return keyed, faults


def _row_at_once(line: bytes) -> Row | None:
    """The row of a line as this version writes it, parsed once; None for a line that needs a closer look."""
    if line.translate(None, PRINTABLE) or b'"schema_version":' not in line:
        return None
    kind = SpeedRow if b'"kind":"speed"' in line else AccuracyRow
    try:
        row: Row = kind.model_validate_json(line)
    except ValidationError:
        return None
    return row if row.schema_version == SCHEMA else None


def _plain(value: Any) -> Any:
    """JSON values with every text in one line of printable signs: it is shown in terminals."""
    if isinstance(value, dict):
        return {plain(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return plain(value) if isinstance(value, str) else value


def _lines(rows: Iterable[Row]) -> bytes:
    return "".join(row.model_dump_json() + "\n" for row in rows).encode()


class RowStore:
    """The rows of one output folder, which one run at a time may write.

    Opening it makes the folder, locks it and rewrites its file with one valid line for each key; lines that are not
    rows move to rows.rejected.jsonl, so nothing is lost. Raises InputError for a folder that cannot be written or
    that another run is writing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        check_folder(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for place in (folder, folder / "predictions", folder / "errors"):
                    clear_drafts(place)
                with without_collection():
                    self.rows, faults = _read(self.path)
                self._move_aside([number for number, _ in faults])
                self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            except BaseException:
                os.close(self._lock)
                raise
        except BlockingIOError as error:
            raise InputError(f"another run is writing to {folder}: wait for it, or choose another --out") from error
        except OSError as error:
            raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --out") from error
        self.notes = [
            f"{self.path} line {number}: {fault}; the line moves to rows.rejected.jsonl" for number, fault in faults
        ]

    def append(self, row: Row) -> None:
        """Write one whole line and wait until it is on the disk."""
        line = _lines([row])
        self.rows[row.key] = row  # before the file: an interruption must not let close() leave it out
        with self._safely():
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, "the disk is full")
            os.fsync(self._file)

    def is_done(self, key: str) -> bool:
        """Whether the cell has a row without an error."""
        return key in self.rows and self.rows[key].error is None

    def write(self, name: str, content: str) -> None:
        """Put a text file beside the rows, whole or not at all."""
        path = self.folder / name
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from error
        write_text(path, content)

    def close(self) -> None:
        """Rewrite the file with each key once, and unlock the folder."""
        os.close(self._file)
        try:
            with self._safely():
                write_atomically(self.path, _lines(self.rows.values()))
        finally:
            os.close(self._lock)

    @contextmanager
    def _safely(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"cannot write to {self.path}: {error.strerror}; the rows so far are safe") from error

    def _move_aside(self, numbers: Sequence[int]) -> None:
        """Move the lines of these numbers to rows.rejected.jsonl, and rewrite the file with each key once."""
        if numbers:
            lines = self.path.read_bytes().splitlines()
            with (self.folder / "rows.rejected.jsonl").open("ab") as file:
                file.write(b"".join(lines[number - 1] + b"\n" for number in numbers))
        if self.rows or numbers:
            write_atomically(self.path, _lines(self.rows.values()))
