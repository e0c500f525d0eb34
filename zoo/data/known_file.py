"""KnownFile: a file that published figures belong to, which a user brings."""

import hashlib
from pathlib import Path

from zoo.data.table import Table
from zoo.errors import InputError
from zoo.records import Record


class KnownFile(Record):
    """rows, columns: of numbers, without the time; sha256: of the file, null where only its size is known; url: where
    it can be had."""

    rows: int
    columns: int
    sha256: str | None = None
    url: str


def check_there(source: str, file: KnownFile) -> None:
    """Raise InputError, with where to get it and how to name it, for a file that does not exist."""
    if not Path(source).exists():
        name, folder = Path(source).name, Path(source).parent
        raise InputError(
            f"no such file: {name}. Get it from {file.url}, and name where it lies (zoo bench: --data PATH/{name}) "
            f"or put it into {folder}"
        )


def check_same(source: str, table: Table, file: KnownFile) -> None:
    """Raise InputError, with what differs, for another file than the known one."""
    rows, columns = table.values.shape
    differs = f"has {rows:,} rows and {columns} columns of numbers, not {file.rows:,} and {file.columns}"
    if (rows, columns) == (file.rows, file.columns):
        actual = hashlib.sha256(Path(source).read_bytes()).hexdigest()
        if file.sha256 in (None, actual):
            return
        differs = f"has other values, or other line ends: its SHA-256 is {actual[:16]}..., not {file.sha256[:16]}..."
    raise InputError(f"{source} is not the file that the published figures belong to: it {differs} ({file.url})")
