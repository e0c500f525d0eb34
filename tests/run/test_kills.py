"""Runs that are killed at random moments and started again end with what an undisturbed run has: no row lost, none
doubled, every metric bit for bit.

make test kills a few times; ZOO_KILLS=50 (make kill) many times.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from zoo.run.store import read_rows

pytestmark = pytest.mark.process

KILLS = int(os.environ.get("ZOO_KILLS", "3"))
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
BENCH = (
    "bench", "prices.csv", "--targets", "close", "--models", "lstm,linear,ridge,naive", "--seeds", "3", "--jobs", "2",
    "--set", "lstm.hidden_size=8", "--set", "fit.max_epochs=8", "--set", "fit.patience=0",
)  # fmt: skip
TUNE = (
    "tune", "lstm", "prices.csv", "--targets", "close", "--trials", "8", "--jobs", "1",
    "--fix", "fit.max_epochs=4", "--range", "hidden_size=8:16",
)  # fmt: skip


def start(arguments, out, folder):
    command = [sys.executable, "-m", "zoo.cli", *arguments, "--out", out]
    # A group of its own, so that it can be found whether anything of it is left.
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            start_new_session=True, preexec_fn=_hears_all)  # fmt: skip


def _hears_all():
    for number in set(SIGNALS) - {signal.SIGKILL}:
        signal.signal(number, signal.SIG_DFL)


def processes_of(group):
    """The processes of a group that still run."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    lines = (line.split() for line in listed.splitlines())
    return [int(pid) for pid, own, state in lines if int(own) == group and not state.startswith("Z")]


def killed_often(arguments, out, folder, seconds, seed, check):
    """Start the command again and again and kill it at random moments, KILLS times in all; nothing of a killed run is
    left five seconds later. A run that ends, as the last one does, is checked; then its folder goes."""
    draw, kills = random.Random(seed), 0
    while kills <= KILLS:
        process = start(arguments, out, folder)
        patience, began = draw.uniform(0.1, 1.0) * seconds if kills < KILLS else 300, time.monotonic()
        try:
            _, errors = process.communicate(timeout=patience)
            assert process.returncode == 0, errors
            check()
            kills += kills == KILLS
            seconds = min(seconds, time.monotonic() - began)  # the first run had to compile, or shared the machine
            shutil.rmtree(folder / out)
            continue
        except subprocess.TimeoutExpired:
            process.send_signal(draw.choice(SIGNALS))
            kills += 1
        _, errors = process.communicate(timeout=30)
        assert "Traceback" not in errors, errors
        deadline = time.monotonic() + 5
        while (left := processes_of(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == [], f"after {kills} kills processes are left"


@pytest.fixture
def undisturbed(prices_csv):
    """Runs a command in peace; returns how many seconds it took."""

    def run(arguments):
        began = time.monotonic()
        process = start(arguments, "peace", prices_csv.parent)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return time.monotonic() - began

    return run


def metrics_of(folder):
    rows, left_out = read_rows(folder)
    assert left_out == []
    return {row.key: (row.error, row.metrics) for row in rows}


def test_bench_loses_and_doubles_nothing(prices_csv, undisturbed):
    home, seconds = prices_csv.parent, undisturbed(BENCH)
    peace = metrics_of(home / "peace")
    assert len(peace) == 8
    arrays = {path.name: path.read_bytes() for path in (home / "peace" / "predictions").iterdir()}

    def check():
        assert metrics_of(home / "killed") == peace
        assert len((home / "killed" / "rows.jsonl").read_text().splitlines()) == len(peace)
        predictions = (home / "killed" / "predictions").iterdir()
        assert {path.name: path.read_bytes() for path in predictions} == arrays
        assert list((home / "killed").glob(".*")) == []

    killed_often(BENCH, "killed", home, seconds, 1, check)


def test_tune_loses_and_doubles_no_trial(prices_csv, undisturbed):
    home, seconds = prices_csv.parent, undisturbed(TUNE)

    def study(name):
        best = json.loads((home / name / "best.json").read_text())
        trials = [json.loads(line) for line in (home / name / "trials.jsonl").read_text().splitlines()]
        complete = [(trial["params"], trial["valid_loss"]) for trial in trials if trial["state"] == "complete"]
        return [best[field] for field in ("params", "fit", "valid_loss")], complete

    peace = study("peace")
    assert len(peace[1]) == 8

    def check():
        assert study("killed") == peace

    killed_often(TUNE, "killed", home, seconds, 2, check)
