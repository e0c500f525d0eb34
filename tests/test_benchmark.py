"""A benchmark names suites; they are checked before anything runs, and only what is new is run."""

import json

import pytest

from tests.conftest import run_zoo_here
from zoo.benchmark import is_benchmark, read_benchmark, shipped
from zoo.cli.options import suites_from
from zoo.errors import InputError, UnknownName
from zoo.registry import list_models
from zoo.suite import expand

SUITE = """
name = "{name}"
[data]
source = "sine"
targets = ["value"]
[problem]
lookback = {lookback}
[run]
models = ["naive", "rnn"]
seeds = 5
[fit]
max_epochs = 9
[models.rnn]
hidden_size = 16
"""
BENCHMARK = """
name = "both"
seeds = 2
suites = ["one.toml", "two.toml"]
[fit]
max_epochs = 1
[presets.tiny]
suites = ["one.toml"]
models = ["naive"]
"""
NOTHING = {"data": {}, "problem": {}, "run": {}}


@pytest.fixture
def both(tmp_path):
    (tmp_path / "one.toml").write_text(SUITE.format(name="one", lookback=5))
    (tmp_path / "two.toml").write_text(SUITE.format(name="two", lookback=6))
    (tmp_path / "both.toml").write_text(BENCHMARK)
    return tmp_path / "both.toml"


def test_what_a_benchmark_says_takes_the_place_of_what_its_suites_say(both):
    suites, is_many = suites_from([str(both)], NOTHING, [], None)
    assert is_many and [suite.name for suite in suites] == ["one", "two"]
    assert all(suite.run.seeds == 2 and suite.fit["max_epochs"] == 1 for suite in suites)
    assert suites[1].problem.lookback == 6 and suites[0].models == {"rnn": {"hidden_size": 16}}


def test_a_preset_changes_the_benchmark_and_flags_change_both(both):
    (suite,), _ = suites_from([str(both)], NOTHING, [], "tiny")
    assert (suite.name, suite.run.models, suite.run.seeds) == ("one", ["naive"], 2)
    assert suite.models == {}  # the settings of a variant that does not run
    (suite,), _ = suites_from([str(both)], {**NOTHING, "run": {"seeds": 1}}, ["fit.max_epochs=3"], "tiny")
    assert suite.run.seeds == 1 and suite.fit["max_epochs"] == 3


def test_a_folder_is_all_its_suites_but_no_benchmark_and_a_single_suite_is_alone(both):
    suites, is_many = suites_from([str(both.parent)], NOTHING, [], None)
    assert is_many and [suite.name for suite in suites] == ["one", "two"]
    assert suites_from([str(both.parent / "one.toml")], NOTHING, [], None)[1] is False


def test_the_standard_benchmark_has_sixteen_problems_with_every_variant():
    path = shipped("standard")
    assert path is not None and is_benchmark(path) and shipped("sp500") is None and shipped("nothing") is None
    assert len(read_benchmark(path)) >= 16
    (_, changes), *_ = read_benchmark(path, "quick")
    assert changes["run"]["seeds"] == 1 and {"naive", "lstm", "ridge"} <= set(changes["run"]["models"])


def test_the_odyssey_takes_its_parts_from_the_lstm_with_all_of_them():
    (path, changes), *others = read_benchmark(shipped("odyssey"))
    models = changes["run"]["models"]
    assert len(models) == 9 and {"peephole-lstm", "no-forget-gate-lstm"} <= set(models) <= set(list_models())
    assert path.stem == "sp500" and len(others) == 5


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        (BENCHMARK.replace("two.toml", "three.toml"), InputError, "names a suite that does not exist: .*three.toml"),
        (BENCHMARK.replace("seeds = 2", "seads = 2"), InputError, "seads"),
        (BENCHMARK.replace('suites = ["one.toml", "two.toml"]', "suites = []"), InputError, "suites"),
    ],
)
def test_a_wrong_benchmark_is_refused(both, text, error, match):
    both.write_text(text)
    with pytest.raises(error, match=match):
        suites_from([str(both)], NOTHING, [], None)


def test_an_unknown_preset_is_refused_with_the_nearest(both):
    with pytest.raises(UnknownName, match="tiny"):
        suites_from([str(both)], NOTHING, [], "tny")
    both.write_text(BENCHMARK.partition("[presets")[0])
    with pytest.raises(InputError, match="has no presets"):
        suites_from([str(both)], NOTHING, [], "tiny")


def test_a_preset_without_a_benchmark_is_refused(both):
    with pytest.raises(InputError, match="--preset belongs to a benchmark"):
        suites_from([str(both.parent / "one.toml")], NOTHING, [], "quick")


def test_two_suites_of_one_name_are_refused_before_anything_is_written(both, tmp_path):
    ended = run_zoo_here("bench", both, both.parent / "one.toml", "--out", tmp_path / "out")
    assert ended.returncode == 2 and "two suites have the name 'one'" in ended.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.process
def test_a_benchmark_runs_resumes_and_ends_in_a_leaderboard(both, tmp_path):
    command = ("bench", both, "--models", "naive,rnn,ridge", "--out", out := tmp_path / "out")
    ended = run_zoo_here(*command)
    assert ended.returncode == 0, ended.stderr
    assert "2 suites, 3 variants, 8 cells: about " in ended.stderr
    assert "[8/8] " in ended.stderr and "] two: rnn seed 1: " in ended.stderr
    assert "Leaderboard" in ended.stdout and (out / "README.md").exists() and (out / "one/report.md").exists()
    (both.parent / "three.toml").write_text(SUITE.format(name="three", lookback=7))
    both.write_text(BENCHMARK.replace('"two.toml"]', '"two.toml", "three.toml"]', 1))
    ended = run_zoo_here(*command)
    assert ended.returncode == 0 and "3 suites, 3 variants, 12 cells, 4 of them to run: about " in ended.stderr
    rows = [json.loads(line) for line in (out / "three/rows.jsonl").read_text().splitlines()]
    assert {row["suite"] for row in rows} == {"three"} and len(rows) == 4


@pytest.mark.slow
@pytest.mark.parametrize("preset", [None, "quick"])
def test_every_suite_of_the_standard_benchmark_expands(preset):
    pytest.importorskip("arch")
    suites, _ = suites_from(["standard"], {**NOTHING, "run": {"models": ["naive", "lstm"]}}, [], preset)
    for suite in suites:
        assert expand(suite, device="cpu")[0]
    assert len({suite.name for suite in suites}) == len(suites)
