"""Where studies are kept: damaged files, earlier versions, other databases."""

import json
from pathlib import Path

import optuna
import pytest

import zoo
from tests.conftest import run_zoo_here
from tests.tuning.studies import trials_of, tuned
from zoo.cell import best_from
from zoo.space import Int
from zoo.tuning.result import earlier_runs
from zoo.tuning.storage import DATABASE, JOURNAL, opened_storage, storage_name
from zoo.tuning.study import quiet

pytestmark = pytest.mark.process

OLD_STUDY = Path(__file__).parent / "old_study"


@pytest.fixture(autouse=True)
def quiet_optuna():
    with quiet():
        yield


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
    journal = (OLD_STUDY / JOURNAL).read_text().splitlines(keepends=True)[:lines]
    (folder / JOURNAL).write_text("".join(journal))
    return folder


def old_settings(**how):
    return {"ranges": {"hidden_size": Int(4, 12), "fit.batch_size": Int(64, 256)}, "seed": 0, **how}


def test_study_of_an_earlier_version_goes_on(data, tmp_path):
    out = old_study(tmp_path / "out")
    journal = (out / JOURNAL).read_bytes()
    before = tuned(data, out=out, **old_settings(trials=3))
    assert (before.cost.trials, before.cost.lost) == (3, 1)
    assert before.best_value == json.loads((OLD_STUDY / "best.json").read_text())["valid_loss"]
    assert [line["valid_loss"] for line in trials_of(out)] == [
        trial.values and trial.value for trial in before.study.trials
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
    assert storage_name("postgresql://me:secret@host/db", None) == "postgresql://me:***@host/db"
    assert "secret" not in storage_name("no url me:secret@host/db", None)
