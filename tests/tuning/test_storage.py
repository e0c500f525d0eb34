"""Studies survive: killed workers, killed supervisors, damaged files, earlier versions, and company."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import optuna
import pytest

import zoo
from tests.conftest import hears_ctrl_c, run_zoo_here
from zoo.cell import best_from
from zoo.space import Int
from zoo.tuning.result import cost_of, earlier_runs
from zoo.tuning.storage import DATABASE, JOURNAL, opened_storage, queue_again, shown
from zoo.tuning.study import quiet

OLD_STUDY = Path(__file__).parent / "old_study"
QUICK = ["--fix", "max_epochs=3", "--fix", "hidden_size=4", "--fix", "batch_size=64", "--sampler", "random"]


@pytest.fixture(autouse=True)
def quiet_optuna():
    with quiet():
        yield


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


def states_in(out):
    """The states of the trials of a study that a process may be running, by number."""
    try:
        with closing(sqlite3.connect(f"file:{out / DATABASE}?mode=ro", uri=True)) as database:
            return [state for (state,) in database.execute("SELECT state FROM trials ORDER BY number")]
    except sqlite3.OperationalError:  # no file or no table yet
        return []


def until(condition, seconds=180):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def test_killed_worker_costs_its_trial_only_and_the_budget_is_met(data, tmp_path):
    killed = []

    def kill(event):
        if event.epoch == 1 and event.number == 1:
            for worker in workers():
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
    assert earlier_runs(again) == [1]
    assert [line.get("retry_of") for line in trials_of(tmp_path)] == [None, None, 1, None, None]
    assert (result.cost.trials, result.cost.lost, result.cost.failed) == (4, 1, 0)
    untouched = tuned(data)
    values = [trial.value for trial in result.study.trials if trial.number != 1]
    assert values == [trial.value for trial in untouched.study.trials]


def workers():
    """Processes that the fork server of this one started."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(name)] = int(fields[1])
    return [process for process, parent in parents.items() if parents.get(parent) == os.getpid()]


def test_trial_that_kills_its_worker_every_time_is_failed_in_the_end(data, tmp_path):
    def kill(event):
        if event.epoch == 1 and event.number in (1, 2):
            for worker in workers():
                os.kill(worker, signal.SIGKILL)

    result = tuned(data, jobs=1, out=tmp_path, on_event=kill)
    assert [trial.state.name for trial in result.study.trials] == ["COMPLETE", "FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert (result.cost.trials, result.cost.lost, result.cost.failed) == (4, 1, 1)


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["alone", "with its workers"])
def test_killed_command_goes_on_and_ends_as_if_it_had_not_been(kill, prices_csv, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    untouched = started(prices_csv, whole, "--trials", 8)
    first = started(prices_csv, broken, "--trials", 8)
    until(lambda: len(states_in(broken)) >= 3)
    kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert not (broken / "best.json").exists()
    again = started(prices_csv, broken, "--trials", 8)
    for process in (untouched, again):
        output, _ = process.communicate(timeout=300)
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
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    trials = trials_of(out)
    assert len([trial for trial in trials if not trial.get("surplus")]) == 12
    assert len(trials) <= 13
    assert json.loads((out / "best.json").read_text())["cost"]["trials"] == 12


def test_ctrl_c_stops_with_130_and_queues_the_trial_again(prices_csv, tmp_path):
    out = tmp_path / "out"
    process = started(prices_csv, out, "--trials", 500)
    until(lambda: len(states_in(out)) >= 4)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 130, output
    assert "stopped after trials: lstm" in output
    assert "Traceback" not in output
    assert (out / "best.json").exists()
    assert "RUNNING" not in states_in(out)
    with opened_storage(None, out) as storage:
        cost = cost_of(optuna.load_study(study_name=None, storage=storage).trials)
    assert cost.failed == 0
    assert cost.complete + cost.pruned == cost.trials >= 3


@pytest.mark.parametrize(
    "damage", [lambda _: b"not a database\nat all\n", lambda content: content[: len(content) // 2]]
)
def test_damaged_database_is_refused_and_left_alone(damage, data, tmp_path):
    tuned(data, out=tmp_path, trials=1)
    path = tmp_path / DATABASE
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(
        zoo.InputError, match=r"study.db cannot be read \(.*\): choose another --out, or delete"
    ) as error:
        tuned(data, out=tmp_path, trials=2)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before


def test_damaged_database_is_one_line_and_exit_code_2(prices_csv, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / DATABASE).write_text("not a database\n" * 100)
    ended = run_zoo_here("tune", "lstm", prices_csv, "--targets", "close", "--trials", 1, "--out", out)
    assert ended.returncode == 2
    assert "study.db cannot be read (file is not a database)" in ended.stderr
    assert ended.stderr.count("\n") == 1


def old_study(folder, lines=None):
    """The study of an earlier version, three trials and one lost, or its first lines."""
    folder.mkdir()
    kept = (OLD_STUDY / JOURNAL).read_text().splitlines(keepends=True)[:lines]
    (folder / JOURNAL).write_text("".join(kept))
    return folder


def old_settings(**how):
    return {"ranges": {"hidden_size": Int(4, 12), "fit.batch_size": Int(64, 256)}, "seed": 0, **how}


def test_study_of_an_earlier_version_goes_on(data, tmp_path):
    out = old_study(tmp_path / "out")
    journal = (out / JOURNAL).read_bytes()
    kept = tuned(data, out=out, **old_settings(trials=3))
    assert (kept.cost.trials, kept.cost.lost) == (3, 1)
    assert kept.best_value == json.loads((OLD_STUDY / "best.json").read_text())["valid_loss"]
    assert [line["valid_loss"] for line in trials_of(out)] == [
        trial.values and trial.value for trial in kept.study.trials
    ]
    more = tuned(data, out=out, **old_settings(trials=5))
    assert (more.cost.trials, more.cost.lost) == (5, 1)
    whole = tuned(data, **old_settings(trials=5))
    assert [trial.params for trial in more.study.trials if trial.value is not None] == [
        trial.params for trial in whole.study.trials
    ]
    assert (out / JOURNAL).read_bytes() == journal
    with pytest.raises(zoo.InputError, match="differs from this request in its seed"):
        tuned(data, out=out, **old_settings(trials=5, seed=1))


def test_trial_that_an_earlier_version_was_running_is_run_again(data, tmp_path):
    lines = (OLD_STUDY / JOURNAL).read_text().splitlines()
    last = next(n for n, line in enumerate(lines) if '"trial_id":3' in line and '"op_code":7' in line)
    out = old_study(tmp_path / "out", last)
    with (out / JOURNAL).open("a") as file:
        file.write(lines[last][:30])  # it was killed in the middle of a line
    result = tuned(data, out=out, **old_settings(trials=3))
    assert [trial.state.name for trial in result.study.trials][2:] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert earlier_runs(result.study.trials[4]) == [3]
    assert result.study.trials[4].params == result.study.trials[3].params
    assert (result.cost.trials, result.cost.lost) == (3, 2)


@pytest.mark.parametrize("content", ["not json\nat all\n", "[]\n[]\n", '{"other": 1}\n{"other": 1}\n'])
def test_journal_that_is_something_else_is_refused(content, data, tmp_path):
    (tmp_path / JOURNAL).write_text(content)
    for _ in range(2):
        with pytest.raises(zoo.InputError, match="study.journal is damaged"):
            tuned(data, out=tmp_path)
    assert (tmp_path / JOURNAL).read_text() == content
    assert not (tmp_path / DATABASE).exists()


@pytest.mark.parametrize("line", ["[]", '{"other": 1}'])
def test_last_line_of_a_journal_that_is_no_studys_is_refused(line, data, tmp_path):
    out = old_study(tmp_path / "out")
    with (out / JOURNAL).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(zoo.InputError, match="study.journal is damaged"):
        tuned(data, out=out, **old_settings(trials=4))
    assert not (out / DATABASE).exists()


def test_best_settings_of_an_earlier_version_are_read():
    best = best_from(json.loads((OLD_STUDY / "best.json").read_text()))
    assert best.params == {"hidden_size": 12, "dropout": 0.0}
    assert (best.cost.trials, best.cost.lost, best.study.code) == (3, 1, None)


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_running_trial_is_queued_again_once_no_process_has_the_study_open(data, tmp_path):
    tuned(data, out=tmp_path, trials=2)
    with opened_storage(None, tmp_path) as storage:
        optuna.load_study(study_name=None, storage=storage).ask(
            {"hidden_size": optuna.distributions.IntDistribution(4, 8)}
        )
        with opened_storage(None, tmp_path) as other:
            trials = optuna.load_study(study_name=None, storage=other).trials
            assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE", "RUNNING"]
    with opened_storage(None, tmp_path) as storage:
        trials = optuna.load_study(study_name=None, storage=storage).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE", "FAIL", "WAITING"]
    assert earlier_runs(trials[3]) == [2]


def test_lost_trial_is_queued_as_often_as_it_may_be():
    study = optuna.create_study()
    study.ask().set_user_attr("start", {"x": 1})
    study.tell(0, state=optuna.trial.TrialState.FAIL)
    queue_again(study, study.trials[0], 1)
    assert study.trials[1].user_attrs == {"start": {"x": 1}}
    assert earlier_runs(study.trials[1]) == [0]
    queue_again(study, study.trials[1], 1)
    assert len(study.trials) == 2
    queue_again(study, study.trials[1], None)
    assert study.trials[2].user_attrs == {"start": {"x": 1}}
    assert earlier_runs(study.trials[2]) == [0, 1]


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
    assert shown("postgresql://me:secret@host/db", None) == "postgresql://me:***@host/db"
    assert "secret" not in shown("no url me:secret@host/db", None)
