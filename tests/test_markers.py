"""A test that may start no process cannot start one: what `make test-fast` relies on."""

import os
import socket
import subprocess
import sys

import pytest

from tests import conftest


def ask_the_fork_server():
    ours, its = socket.socketpair()
    with ours, its:
        socket.send_fds(ours, [b"a worker"], [0])


@pytest.mark.parametrize(
    "start", [lambda: subprocess.run([sys.executable, "-c", ""]), os.fork, ask_the_fork_server]
)  # fmt: skip
def test_a_process_needs_the_marker(start):
    with pytest.raises(RuntimeError, match="mark it with @pytest.mark.process"):
        start()
    conftest._refused.clear()


@pytest.mark.process
def test_the_marker_allows_a_process():
    assert subprocess.run([sys.executable, "-c", ""]).returncode == 0
