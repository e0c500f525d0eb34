"""`zoo tune` from the command line, the commands of docs/tuning.md, and suites that use the best settings."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

import zoo
from tests.conftest import price_frame, run_zoo_here
from zoo.errors import InputError
from zoo.run.store import read_rows
from zoo.run.tuned import read_tuned

pytestmark = pytest.mark.process

SUITE = """
name = "small"
[data]
source = "prices.csv"
targets = ["close"]
[run]
models = ["naive", "lstm", "linear", "moving-average"]
seeds = 2
[fit]
max_epochs = 3
patience = 2
[models.lstm]
hidden_size = 6
[tune]
trials = 3
[tune.fix]
batch_size = 64
[tune.range]
hidden_size = "4:12:log"
"""


@pytest.fixture
def suite(prices_csv):
    path = prices_csv.with_name("small.toml")
    path.write_text(SUITE)
    return path


def test_all_variants_are_tuned_and_run_again_beside_their_defaults(suite, tmp_path):
    ended = run_zoo_here("tune", "all", suite, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "note: nothing to tune in naive" in ended.stderr
    assert "[lstm 3/3] trial 2:" in ended.stderr
    folder = tmp_path / "results/tune"
    assert sorted(path.name for path in folder.iterdir()) == ["linear", "lstm", "moving-average"]
    assert {path.name for path in (folder / "lstm").iterdir()} >= {
        "best.json", "trials.jsonl", "history.png", "importances.png", "parallel.png", "study.db",
    }  # fmt: skip
    best = json.loads((folder / "lstm/best.json").read_text())
    assert best["budget"] == {
        "trials": 3, "timeout": None, "repeats": 1, "max_epochs": 3, "max_batches": None, "max_seconds": None
    }  # fmt: skip
    assert best["fit"]["patience"] == 2
    assert best["fit"]["batch_size"] == 64
    assert 4 <= best["params"]["hidden_size"] <= 12
    assert best["study"]["name"] == "small-lstm"
    assert best["command"].startswith("zoo tune all ")
    trials = [json.loads(line) for line in (folder / "lstm/trials.jsonl").read_text().splitlines()]
    assert trials[0]["params"]["hidden_size"] == 6
    assert min(trial["valid_loss"] for trial in trials) == best["valid_loss"]

    ended = run_zoo_here("bench", suite, "--tuned", "results/tune", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    out = tmp_path / "results/small-tuned"
    rows, left_out = read_rows(out)
    assert left_out == []
    cells = [(row.variant, row.seed, row.tuning is not None) for row in rows]
    assert sorted(cells) == sorted(
        [(name, seed, tuned) for name in ("lstm", "linear") for seed in (0, 1) for tuned in (False, True)]
        + [("naive", 0, False), ("moving-average", 0, False), ("moving-average", 0, True)]
    )
    (tuned,) = [row for row in rows if row.variant == "lstm" and row.seed == 0 and row.tuning]
    assert tuned.params == best["params"]
    assert tuned.fit["learning_rate"] == best["fit"]["learning_rate"]
    assert tuned.tuning.cost.trials == 3
    assert tuned.tuning.cost.seconds == best["cost"]["seconds"]
    report = (out / "report.md").read_text()
    assert "lstm (tuned)" in report
    assert "default skill %" in report and "tuning s" in report
    assert tuned.tuning.command in report
    again = run_zoo_here("bench", suite, "--tuned", "results/tune", cwd=tmp_path)
    assert "11 of 11 cells already have rows" in again.stderr


def test_single_variant_goes_straight_into_out_and_speaks_json(prices_csv, tmp_path):
    ended = run_zoo_here(
        "tune", "lstm", prices_csv, "--targets", "close", "--trials", 2, "--fix", "max_epochs=2", "--seed", 3,
        "--range", "hidden_size=4:8", "--range", "lookback=5:9", "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (best,) = json.loads(ended.stdout)
    assert best == json.loads((tmp_path / "out/best.json").read_text())
    assert 5 <= best["lookback"] <= 9
    assert best["study"]["seed"] == 3
    tuned = read_tuned(tmp_path / "out", ["lstm", "naive"])
    assert tuned["lstm"].lookback == best["lookback"]


def test_study_that_went_on_without_a_better_trial_trains_nothing_anew(tuned_folder, prices_csv, tmp_path):
    bench = ["bench", prices_csv, "--targets", "close", "--models", "moving-average,naive", "--tuned", tuned_folder,
             "--out", tmp_path / "out"]  # fmt: skip
    assert run_zoo_here(*bench).returncode == 0
    path = tuned_folder / "best.json"
    best = json.loads(path.read_text())
    path.write_text(json.dumps({**best, "cost": {**best["cost"], "trials": 77}}))
    ended = run_zoo_here(*bench)
    assert "3 of 3 cells already have rows" in ended.stderr
    (tuned,) = [row for row in read_rows(tmp_path / "out")[0] if row.tuning]
    assert tuned.tuning.cost.trials == 77


def test_what_is_typed_beats_the_suite(suite, tmp_path):
    ended = run_zoo_here("tune", "lstm", suite, "--trials", 2, "--fix", "hidden_size=5", "--range", "batch_size=32:64",
                    "--out", tmp_path / "out", cwd=tmp_path)  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    best = json.loads((tmp_path / "out/best.json").read_text())
    assert best["params"]["hidden_size"] == 5
    assert best["study"]["ranges"]["fit.batch_size"] == {"low": 32, "high": 64, "log": False}


def test_suite_may_speak_of_variants_that_are_not_tuned_now(suite, tmp_path):
    suite.write_text(SUITE + '"moving-average.window" = "2:4"\n')
    ended = run_zoo_here("tune", "linear", suite, "--trials", 1, "--out", tmp_path / "out", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr


def test_tuned_lookback_shares_the_board_of_the_suites_own(prices_csv, tmp_path):
    run_zoo_here(
        "tune", "moving-average", prices_csv, "--targets", "close", "--trials", 3, "--range", "lookback=10:12",
        "--out", tmp_path / "tune",
    )  # fmt: skip
    ended = run_zoo_here(
        "bench", prices_csv, "--targets", "close", "--models", "moving-average,naive", "--tuned", tmp_path / "tune",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    report = (tmp_path / "out/report.md").read_text()
    assert report.count("\n## ") == 1
    (line,) = [line for line in report.splitlines() if line.startswith("- moving-average (tuned): ")]
    assert ", lookback 1" in line


def test_objectives_are_shown_as_a_front(prices_csv, tmp_path):
    ended = run_zoo_here(
        "tune", "lstm", prices_csv, "--targets", "close", "--trials", 3, "--fix", "max_epochs=1",
        "--objectives", "valid_loss,parameter_count", "--out", tmp_path / "out",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    front = json.loads((tmp_path / "out/best.json").read_text())["front"]
    assert {"trial", "objectives", "params"} == set(front[0])
    assert all({"valid_loss", "parameter_count"} == set(point["objectives"]) for point in front)
    assert "Pareto front" in ended.stdout
    for point in front:
        assert f"{point['objectives']['parameter_count']:,.0f}" in ended.stdout


def test_study_without_a_single_value_ends_with_1(prices_csv, tmp_path):
    ended = run_zoo_here(
        "tune", "lstm", prices_csv, "--targets", "close", "--trials", 2, "--fix", "learning_rate=1e30",
        "--fix", "optimizer=sgd", "--fix", "clip_norm=0", "--out", tmp_path / "out",
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    assert "no trial is complete, so there is no best.json" in ended.stderr
    assert "failed: Diverged: training diverged in epoch" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out/best.json").exists()


@pytest.fixture(scope="module")
def study_of_prices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    price_frame().to_csv(folder / "prices.csv", index=False)
    arguments = ("moving-average", folder / "prices.csv", "--targets", "close", "--trials", 2, "--out", folder / "tune")
    ended = run_zoo_here("tune", *arguments)
    assert ended.returncode == 0, ended.stderr
    return folder / "tune"


@pytest.fixture
def tuned_folder(study_of_prices, tmp_path):
    """A study of the prices, for one test."""
    return shutil.copytree(study_of_prices, tmp_path / "tune")


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--split", "0.6,0.2,0.2"], "variant 'moving-average' was tuned with split [210, 30, 60], the suite has [180"),
        (["--horizon", "2"], "was tuned with horizon 1, the suite has 2"),
        (["--targets", "open"], "was tuned with targets ['close'], the suite has ['open']"),
        (["--models", "naive"], "holds no best.json of naive"),
        (["--tuned", "nowhere"], "no such folder: nowhere"),
    ],
)
def test_settings_that_were_found_on_something_else_are_refused(arguments, rule, tuned_folder, prices_csv, tmp_path):
    changes = dict(zip(arguments[::2], arguments[1::2], strict=True))
    options = {"--targets": "close", "--models": "moving-average,naive", "--tuned": tuned_folder, **changes}
    ended = run_zoo_here("bench", prices_csv, *[part for pair in options.items() for part in pair], cwd=tmp_path)
    assert ended.returncode == 2
    assert rule in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_settings_of_other_data_or_another_format_are_refused(tuned_folder, prices, tmp_path):
    other = tmp_path / "other.csv"
    prices.assign(close=prices["close"] + 1).to_csv(other, index=False)
    ended = run_zoo_here("bench", other, "--targets", "close", "--models", "moving-average", "--tuned", tuned_folder)
    assert ended.returncode == 2
    assert "was tuned on other data" in ended.stderr
    path = tuned_folder / "best.json"
    whole = json.loads(path.read_text())
    damaged = [
        ("{", "is not what zoo tune writes"),
        ('{"format": 99}', "is not what zoo tune writes: format must be 2, got 99"),
        (
            json.dumps({**whole, "fit": None}),
            "is not what zoo tune writes: fit must be a table of values, got None",
        ),
        (json.dumps({**whole, "study": {}}), "is not what zoo tune writes: key 'study.name' is missing"),
        (json.dumps({**whole, "cost": {}}), "is not what zoo tune writes: key 'cost.trials' is missing"),
    ]
    for content, rule in damaged:
        path.write_text(content)
        with pytest.raises(InputError, match=rule):
            read_tuned(tuned_folder, ["moving-average"])


@pytest.mark.slow
def test_commands_and_code_of_the_page_on_tuning_run(suite, prices_csv, data, tmp_path):
    page = (Path(__file__).parents[2] / "docs/tuning.md").read_text(encoding="utf-8")
    instead = {
        "benchmarks/suites/sp500.toml": str(suite),
        "sp500": str(prices_csv),
        "prices.csv": str(prices_csv),
        "postgresql://zoo:secret@db/zoo": f"sqlite:///{tmp_path / 'shared.db'}",
    }
    commands = re.findall(r"^    zoo (.+?)(?:  #.*)?$", page, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["tune", "tune", "bench", "tune"]
    for command in commands:
        arguments = [instead.get(argument, argument) for argument in shlex.split(command)]
        quick = ("--trials", 1, "--fix", "fit.max_epochs=1") if arguments[0] == "tune" else ("--seeds", 1)
        ended = run_zoo_here(*arguments, *quick, cwd=tmp_path)
        assert ended.returncode == 0, (command, ended.stderr)
    (tables,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    suite.write_text(SUITE.partition("[tune]")[0] + tables)
    ended = run_zoo_here("tune", "lstm", suite, "--trials", 1, "--fix", "max_epochs=1", "--out", "out", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    small = code.replace("trials=50", "trials=1, config=zoo.FitConfig(max_epochs=1)")
    exec(compile(small, "docs/tuning.md", "exec"), {"zoo": zoo, "data": data})
