"""Commands in the background, and machines of a cluster that are lost while they work."""

import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.conftest import hears_ctrl_c


def in_background(*arguments, **how):
    command = [sys.executable, "-m", "zoo.cli", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes, preexec_fn=hears_ctrl_c, **how)


def lines_of(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def wait_until(is_true, process):
    deadline = time.monotonic() + 90
    while not is_true():
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


def processes_of(machine):
    raylets = [psutil.Process(each.process.pid) for each in machine.all_processes["raylet"]]
    return [*raylets, *(child for raylet in raylets for child in raylet.children(recursive=True))]


def is_busy(machine, task):
    """Whether a worker of the machine runs this task, whose name it has as its title."""
    return any(task in " ".join(process.cmdline()) for process in processes_of(machine))


def kill(cluster, machine):
    """All its processes at once, as when the power fails."""
    for process in processes_of(machine):
        process.kill()
    cluster.remove_node(machine, allow_graceful=False)
