"""Writing a file whole or not at all."""

import os
from pathlib import Path

from zoo.errors import InputError


def write_text(path: Path, text: str) -> None:
    """Write text to path, whole or not at all; raises InputError where that is not possible."""
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write content to path and sync it to the disk; an interruption leaves the old file."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
