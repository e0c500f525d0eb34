"""Studies survive: killed workers, killed supervisors, half-written lines, and company."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

import zoo
from tests.conftest import hears_ctrl_c, run_zoo_here
from zoo.space import Int
from zoo.tuning.result import cost_of
from zoo.tuning.storage import shown

QUICK = ["--fix", "max_epochs=3", "--fix", "hidden_size=4", "--fix", "batch_size=64", "--sampler", "random"]


def tuned(data, **how):
    settings = {"trials": 4, "config": zoo.FitConfig(max_epochs=2), "ranges": {"hidden_size": Int(4, 8)}, **how}
    return zoo.tune("lstm", data, **settings)


def started(csv, out, *more):
    """A `zoo tune` of its own, in its own process group."""
    command = [sys.executable, "-m", "zoo.cli", "tune", "lstm", csv, "--targets", "close", "--out", out, *QUICK, *more]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=hears_ctrl_c,
    )  # fmt: skip


def trials_of(out):
    return [json.loads(line) for line in (out / "trials.jsonl").read_text().splitlines()]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def test_killed_worker_costs_its_trial_only_and_the_budget_is_met(data, tmp_path):
    killed = []

    def kill(event):
        if event.epoch == 1 and event.number == 1:
            for worker in children():
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)

    result = tuned(data, jobs=1, out=tmp_path, on_event=kill)
    assert len(killed) == 1
    assert [trial.state.name for trial in result.study.trials] == [
        "COMPLETE",
        "FAIL",
        "COMPLETE",
        "COMPLETE",
        "COMPLETE",
    ]
    lost, again = result.study.trials[1:3]
    assert lost.user_attrs["error"] == "the worker was killed by SIGKILL (out of memory?)"
    assert again.params == lost.params
    assert (result.cost.trials, result.cost.lost, result.cost.failed) == (4, 1, 0)
    untouched = tuned(data)
    values = [trial.value for trial in result.study.trials if trial.number != 1]
    assert values == [trial.value for trial in untouched.study.trials]


def children(parent=None):
    """Workers: on Linux they are children of the fork server, which this process started."""
    pids = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == (parent or os.getpid()):
                pids.append(int(name))
    return pids if parent is not None else [worker for server in pids for worker in children(server)]


def trials_begun(out):
    """How many trials the study in a folder has begun."""
    try:
        with sqlite3.connect(f"file:{out / 'study.db'}?mode=ro", uri=True) as database:
            return database.execute("select count(*) from trials where state != 'WAITING'").fetchone()[0]
    except sqlite3.OperationalError:  # not there yet
        return 0


def test_trial_that_kills_its_worker_every_time_is_failed_in_the_end(data, tmp_path):
    def kill(event):
        if event.epoch == 1 and event.number in (1, 2):
            for worker in children():
                os.kill(worker, signal.SIGKILL)

    result = tuned(data, jobs=1, out=tmp_path, on_event=kill)
    assert [trial.state.name for trial in result.study.trials] == ["COMPLETE", "FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert (result.cost.trials, result.cost.lost, result.cost.failed) == (4, 1, 1)


def test_killed_command_goes_on_and_ends_as_if_it_had_not_been(prices_csv, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    untouched = started(prices_csv, whole, "--trials", 8)
    first = started(prices_csv, broken, "--trials", 8)
    until(lambda: trials_begun(broken) >= 3)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert not (broken / "best.json").exists()
    again = started(prices_csv, broken, "--trials", 8)
    for process in (untouched, again):
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0, output
    assert len([trial for trial in trials_of(broken) if trial["state"] == "complete"]) == 8
    best = [json.loads((out / "best.json").read_text()) for out in (whole, broken)]
    assert best[0]["params"] == best[1]["params"]
    assert best[0]["valid_loss"] == best[1]["valid_loss"]
    assert best[1]["cost"]["trials"] == 8
    kept = [[t["valid_loss"] for t in trials_of(out) if t["state"] == "complete"] for out in (whole, broken)]
    assert kept[0] == kept[1]


def test_two_commands_share_one_study_and_its_budget(prices_csv, tmp_path):
    out = tmp_path / "out"
    both = [started(prices_csv, out, "--trials", 12) for _ in range(2)]
    for process in both:
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0, output
    trials = trials_of(out)
    assert len([trial for trial in trials if not trial.get("surplus")]) == 12
    assert len(trials) <= 13
    assert json.loads((out / "best.json").read_text())["cost"]["trials"] == 12


def test_ctrl_c_stops_with_130_and_queues_the_trial_again(prices_csv, tmp_path):
    out = tmp_path / "out"
    process = started(prices_csv, out, "--trials", 500)
    until(lambda: trials_begun(out) >= 4)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "stopped after trials: lstm" in output
    assert "Traceback" not in output
    assert (out / "best.json").exists()
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{out / 'study.db'}")
    cost = cost_of(study.trials)
    assert cost.failed == 0
    assert cost.complete + cost.pruned == cost.trials >= 3


def test_database_that_is_something_else_is_refused(data, tmp_path):
    (tmp_path / "study.db").write_text("not a database\n" * 100)
    with pytest.raises(zoo.InputError, match=r"study.db cannot be read .*choose another --out, or delete the file"):
        tuned(data, out=tmp_path)
    assert (tmp_path / "study.db").read_text() == "not a database\n" * 100


def test_sqlite_url_works_and_heartbeats(data, tmp_path):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    assert tuned(data, storage=url, trials=2).cost.trials == 2
    assert tuned(data, storage=url, trials=3, jobs=1).cost.trials == 3


def test_studies_may_make_the_tables_at_the_same_time(prices_csv, tmp_path):
    url = f"sqlite:///{tmp_path / 'new.db'}"
    ended = run_zoo_here(
        "tune", "lstm,linear", prices_csv, "--targets", "close", "--trials", 1, "--fix", "max_epochs=1", "--jobs", 2,
        "--storage", url, "--out", tmp_path / "out",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "postgresql://me:secret@127.0.0.1:1/db",
            "storage postgresql+pg8000://me:***@127.0.0.1:1/db cannot be used",
        ),
        ("sqlite:////no/such/folder/x.db", "storage sqlite:////no/such/folder/x.db cannot be used"),
        ("nonsense", "'nonsense' is not a storage URL such as postgresql://user@host/db"),
        ("mysql+nodriver://me:secret@h/db", "mysql+nodriver://me:***@h/db"),
    ],
)
def test_storage_that_cannot_be_reached_is_one_line_and_exit_code_2(url, message, prices_csv, tmp_path):
    out = tmp_path / "out"
    ended = run_zoo_here("tune", "lstm", prices_csv, "--targets", "close", "--storage", url, "--out", out)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "secret" not in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not out.exists()


def test_password_is_not_shown():
    assert shown("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"
    assert "secret" not in shown("no url me:secret@host/db")
