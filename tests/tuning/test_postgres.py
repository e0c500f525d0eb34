"""A study on a real PostgreSQL server, shared by processes that come and go."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import run_zoo_here
from tests.tuning.studies import QUICK, started, trials_of
from zoo.tuning.storage import GRACE_SECONDS

pytestmark = pytest.mark.postgres


def program(name):
    """A PostgreSQL program: on the path, or where Debian keeps its versions."""
    path = shutil.which(name) or next(
        iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None
    )
    if path is None:
        pytest.skip(f"PostgreSQL's {name} is not installed")
    return str(path)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A private server on a free port, of an unprivileged user where the tests run as root."""
    pytest.importorskip("pg8000")
    initdb, postgres = program("initdb"), program("postgres")
    home = tmp_path_factory.mktemp("postgres")
    who = {}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        for parent in home.parents:
            if parent != Path("/tmp") and parent.owner() == "root" and str(parent).startswith("/tmp/"):
                parent.chmod(parent.stat().st_mode | 0o011)  # to be passed through, not read
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ended = subprocess.run(
        [initdb, "-D", home / "data", "-U", "zoo", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
        capture_output=True, text=True, check=False, cwd=home, **who,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    options = ["-p", str(port), "-k", str(home), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    with (home / "log").open("w") as log:
        server = subprocess.Popen([postgres, "-D", home / "data", *options], stdout=log, stderr=log, cwd=home, **who)
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert server.poll() is None and time.monotonic() < end, (home / "log").read_text()
            time.sleep(0.1)
    yield f"postgresql://zoo@127.0.0.1:{port}/postgres"
    server.send_signal(signal.SIGINT)
    server.wait(timeout=30)


def test_two_processes_share_one_study_and_its_budget(url, prices_csv, tmp_path):
    outs = [tmp_path / "here", tmp_path / "there"]
    both = [started(prices_csv, out, "--storage", url, "--study", "shared", "--trials", 16) for out in outs]
    for process in both:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    here, there = (json.loads((out / "best.json").read_text()) for out in outs)
    assert here["cost"]["trials"] == there["cost"]["trials"] == 16
    assert here["params"] == there["params"]
    assert not here["study"]["is_reproducible"]
    trials = trials_of(outs[0])
    assert len([trial for trial in trials if not trial.get("surplus")]) == 16


def test_trial_of_a_killed_process_is_found_by_its_heartbeat_and_the_budget_is_met(url, prices_csv, tmp_path):
    first = started(prices_csv, tmp_path / "first", "--storage", url, "--study", "killed", "--trials", 40)
    second = started(prices_csv, tmp_path / "second", "--storage", url, "--study", "killed", "--trials", 40)
    lines = [first.stdout.readline() for _ in range(3)]
    assert "trial" in lines[-1], lines
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=60)
    output, _ = second.communicate(timeout=300 + GRACE_SECONDS)
    assert second.returncode == 0, output
    best = json.loads((tmp_path / "second/best.json").read_text())
    assert best["cost"]["trials"] == 40
    assert best["cost"]["failed"] == 0
    assert best["cost"]["lost"] <= 1


def test_study_goes_on_in_the_database(url, prices_csv, tmp_path):
    for trials in (2, 3):
        ended = run_zoo_here(
            "tune", "lstm", prices_csv, "--targets", "close", "--storage", url, "--study", "later",
            "--trials", trials, "--out", tmp_path / "out", *QUICK,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
    assert len(trials_of(tmp_path / "out")) == 3
    other = run_zoo_here(
        "tune", "lstm", prices_csv, "--targets", "high", "--storage", url, "--study", "later", "--trials", 4,
        "--out", tmp_path / "other", *QUICK,
    )  # fmt: skip
    assert other.returncode == 2
    assert "study 'later-lstm' in this storage differs from this request in its problem:" in other.stderr


def test_missing_database_is_one_line(url, prices_csv, tmp_path):
    ended = run_zoo_here(
        "tune", "lstm", prices_csv, "--targets", "close", "--storage", url.replace("/postgres", "/none"),
        "--out", tmp_path,
    )  # fmt: skip
    assert ended.returncode == 2
    assert 'cannot be used: database "none" does not exist' in ended.stderr
    assert ended.stderr.count("\n") == 1
