"""The environment of a row: versions, machine, commit."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("lstm-zoo", "torch", "numpy", "pandas", "scikit-learn")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape a result."""
    values = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            values[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            values[package] = "unknown"
    return values


def machine(device: str) -> dict[str, Any]:
    """The processor, its usable cores, the system, and the accelerator where the device is one."""
    values = {"cpu": _processor(), "cores": usable_cores(), "system": f"{platform.system()} {platform.machine()}"}
    if device == "cuda":
        import torch

        values["gpu"] = torch.cuda.get_device_name()
    return values


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit() -> str | None:
    """The commit of the source tree that zoo is imported from, `-dirty` where files differ; None outside git."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        head, changes = (
            subprocess.run(
                ["git", *command.split()], cwd=here, capture_output=True, text=True, check=True
            ).stdout.strip()
            for command in ("rev-parse HEAD", "status --porcelain -- zoo")
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + "-dirty" * bool(changes)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
