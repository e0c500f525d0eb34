"""The folder of an explanation: tables, pictures and a page, all or nothing."""

import os
import shutil
from pathlib import Path

from zoo.errors import InputError
from zoo.explanation.explain import Explanation
from zoo.explanation.pictures import charts_of
from zoo.explanation.section import section_of
from zoo.files import write_text
from zoo.report.chart import png
from zoo.report.html.page import rendered


def write_folder(explained: Explanation, folder: Path, command: str = "") -> list[Path]:
    """Write tables, pictures and explain.html into a new folder, all or nothing; returns their paths.

    Raises InputError for a folder that is not empty, or that cannot be written.
    """
    check_new(folder)
    page = rendered(f"{explained.name} explained", [section_of(explained, command)])
    folder = folder.absolute()
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
        for name, frame in explained.frames.items():
            write_text(draft / f"{name}.csv", frame.to_csv(index=False, float_format="%.7g"))
        for name, chart in charts_of(explained).items():
            png([[chart]], draft / f"{name}.png")
        write_text(draft / "explain.html", page)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}; choose another --out") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sorted(folder.iterdir())


def check_new(folder: Path) -> None:
    """Raise InputError for a folder that exists and is not empty."""
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise InputError(f"{folder} exists and is not empty: choose another --out")
