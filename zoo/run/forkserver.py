"""The fork server: imports once what workers need, and forks each worker from itself, so that none waits for imports.

`python -m zoo.run.forkserver`, started by zoo.run.process with a socket as its standard input. A request is a JSON
object (module, arguments, folder, environment) with four open files: the worker's standard input, output and error,
and a pipe that gets the worker's process id when it begins and its wait status when it has ended.
"""

import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import Any

# What every worker needs; optimizers import torch._dynamo when they are first used. Nothing here may run a tensor
# operation: it would start threads, which do not survive a fork.
import torch._dynamo  # noqa: F401

import zoo.models
import zoo.run.serving

LARGEST = 2**20  # bytes of a request


def main() -> None:
    """Fork a worker for each request until the other end of the socket is closed."""
    requests = socket.socket(fileno=os.dup(0))
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    reports: dict[int, int] = {}  # by process id: the pipe that gets the status
    while True:
        ready, _, _ = select.select([requests.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report_ended(reports)
        if requests.fileno() in ready:
            message, files, _, _ = socket.recv_fds(requests, LARGEST, 4)
            if not message:
                return
            request = json.loads(message)
            with suppress(Exception):  # the worker will meet the same error and report it
                importlib.import_module(request["module"])
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for file in (requests.fileno(), woken, wake, files[3], *reports.values()):
                    os.close(file)
                _work(request, files)
            for file in files[:3]:
                os.close(file)
            reports[pid] = files[3]
            os.write(files[3], f"{pid}\n".encode())


def _report_ended(reports: dict[int, int]) -> None:
    while reports:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        file = reports.pop(pid)
        with suppress(BrokenPipeError):  # nobody asks any more
            os.write(file, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os.close(file)


def _work(request: dict[str, Any], files: list[int]) -> None:
    """Become the worker; never returns."""
    code = 1
    try:
        for place, file in enumerate(files[:3]):
            os.dup2(file, place)
            os.close(file)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        zoo.run.serving.serve(request["module"], request["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
