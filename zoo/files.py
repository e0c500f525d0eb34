"""Files that users name: reading them within limits, and writing them whole or not at all."""

import os
import stat
from pathlib import Path

from zoo.errors import InputError

MARK = "lstm-zoo"  # in the pictures that the zoo writes
FILES = ("rows.jsonl", "rows.rejected.jsonl", "report.md", "best.json", "trials.jsonl", "study.db")
FOLDERS = ("predictions", "errors")
LARGEST = 2**29  # bytes of a file that is read, also once it is unpacked
KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}  # fmt: skip


def read_input(path: Path) -> bytes:
    """The content of a file; raises InputError, before anything is read, for what is no file or too large.

    Raises OSError as reading does: FileNotFoundError, PermissionError, ...
    """
    facts = path.stat()
    kind = KINDS.get(stat.S_IFMT(facts.st_mode))
    if kind is not None:
        raise InputError(f"{path} is {kind}, not a file: name a file")
    if facts.st_size > LARGEST:
        raise too_large(f"{path} has {facts.st_size / 2**20:,.0f} MiB")
    return path.read_bytes()


def too_large(found: str) -> InputError:
    """The error for an input of a size that is not read; found: what has which size."""
    return InputError(
        f"{found}, and zoo reads up to {LARGEST // 2**20} MiB: leave out rows or columns, or save an array as .npy"
    )


def write_text(path: Path, text: str) -> None:
    """Write text to path, whole or not at all; raises InputError where that is not possible."""
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write content to path and sync it to the disk; an interruption leaves the old file, whose mode stays.

    Raises InputError where something else than a file stands there, OSError as writing does.
    """
    check_free(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            draft.chmod(stat.S_IMODE(path.stat().st_mode))
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def remove_picture(path: Path) -> None:
    """Delete a picture of an earlier report; one that the zoo did not write stays."""
    if not path.is_file() or path.is_symlink():
        return
    with path.open("rb") as file:
        is_ours = MARK.encode() in file.read(4096)
    if is_ours:
        path.unlink()


def check_folder(folder: Path) -> None:
    """Raise InputError for an output folder that must not be one, or that holds something in the way of results.

    The working folder and the root are none: files of the user's must not mix with results.
    """
    if folder.resolve() in (Path.cwd(), Path(folder.resolve().anchor)):
        raise InputError(f"--out must be a folder of its own, such as results/mine, got '{folder}'")
    check_contents(folder)


def check_contents(folder: Path) -> None:
    """Raise InputError where a folder, a link or a device stands in the way of what results are written to."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a folder for --out")
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name in FILES or path.suffix == ".png":
            check_free(path)
        elif path.name in FOLDERS and (path.is_symlink() or not path.is_dir()):
            raise InputError(f"{path} must be a folder: remove it, or choose another --out")


def clear_drafts(folder: Path) -> None:
    """Delete what write_atomically left in a folder when its process was killed."""
    for path in folder.glob(".*.*"):
        name, _, process = path.name.rpartition(".")
        if (
            process.isdigit()
            and name.endswith((".jsonl", ".md", ".json", ".npz", ".png", ".txt"))
            and not is_alive(int(process))
        ):
            path.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def check_free(path: Path) -> None:
    """Raise InputError where something else than a file stands."""
    if path.is_symlink():
        kind: str | None = "a symbolic link"
    else:
        kind = KINDS.get(stat.S_IFMT(path.stat().st_mode)) if path.exists() else None
    if kind is not None:
        raise InputError(f"{path} is {kind}, in the way of a file: remove it, or choose another --out")
