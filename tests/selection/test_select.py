"""zoo select, from a file to a kept model."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import zoo
from tests.conftest import hears_ctrl_c, run_zoo_here
from zoo.cli.select import seconds_of

FEW = ("--models", "naive,drift,ridge,gru", "--jobs", "2")


@pytest.mark.process
def test_a_file_becomes_a_kept_model_within_the_time(prices_csv, tmp_path):
    out, started = tmp_path / "pick", time.monotonic()
    ended = run_zoo_here("select", prices_csv, "--targets", "close", "--budget", "20s", *FEW, "--out", out)
    assert ended.returncode == 0, ended.stderr
    # A slow machine runs other tests beside this one; benchmarks/select_families.py is stricter.
    assert time.monotonic() - started < 40
    about = json.loads((out / "selection.json").read_text())
    assert about["variant"] in ("ridge", "gru") and about["pick"] in ended.stdout  # the wave is not a random walk
    assert {"naive", "drift", "ridge"} <= {each["variant"] for each in about["candidates"]}
    assert about["test"]["skill"] > 0.3 and len(about["reasons"]) == 3
    rows = zoo.results(out)
    assert {about["variant"], "naive"} <= set(rows["variant"])
    (row,) = rows[rows["variant"] == about["variant"]].head(1).to_dict("records")
    assert row["rmse"] == about["test"]["rmse"]
    assert (out / "report.md").exists()
    forecasts = pd.read_csv(out / "forecasts.csv")
    saved = zoo.load_model(out / "model")
    assert saved.file.problem.normalise == about["normalise"] and saved.file.problem.lookback == about["lookback"]
    assert saved.file.about["rows"] == 300  # it has seen the rows of the test part too
    pd.testing.assert_frame_equal(
        forecasts, zoo.forecast_next(saved, zoo.load(prices_csv)).astype({"time": str}), check_dtype=False, rtol=1e-5
    )
    again = run_zoo_here("select", prices_csv, "--targets", "close", "--budget", "20s", *FEW, "--out", out)
    assert again.returncode == 2 and "not empty" in again.stderr


@pytest.mark.process
def test_later_rows_change_no_choice(prices, tmp_path):
    """With variants that nothing draws at random, the whole board is the same whatever the test part holds."""
    boards = []
    for number, factor in enumerate((1.0, 3.0)):
        prices.loc[240:, ["open", "high", "low", "close"]] *= factor
        prices.to_csv(tmp_path / f"{number}.csv", index=False)
        out = tmp_path / f"out{number}"
        arguments = ("--targets", "close", "--budget", "60s", "--models", "naive,drift,ridge", "--out", out)
        ended = run_zoo_here("select", tmp_path / f"{number}.csv", *arguments)
        assert ended.returncode == 0, ended.stderr
        about = json.loads((out / "selection.json").read_text())
        boards.append([(each["label"], each["lookback"], each["error_ratio"]) for each in about["candidates"]])
    assert boards[0] == boards[1]


@pytest.mark.process
def test_ctrl_c_keeps_the_best_so_far(prices_csv, tmp_path):
    out = tmp_path / "pick"
    command = [sys.executable, "-m", "zoo.cli", "select", prices_csv, "--targets", "close", "--budget", "10m", *FEW]
    process = subprocess.Popen(
        [*map(str, command), "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=hears_ctrl_c, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "halving" in line:
            break
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=100)
    assert process.returncode == 0, stderr
    assert "best so far" in stderr and "On the test part" in stdout
    assert (out / "model" / "model.json").exists() and json.loads((out / "selection.json").read_text())["is_stopped"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "0s"], "--budget takes a time such as 60s, 10m or 2h"),
        (["--budget", "soon"], "--budget takes a time such as 60s, 10m or 2h"),
        (["--budget", "3s"], "budget must be >= 10 seconds"),
        (["--jobs", "0"], "jobs must be >= 1"),
        (["--models", "lsmt"], "did you mean 'lstm'"),
        (["--split", "0.8,0.2,0"], "leaves no test rows"),
        (["--targets", "clos"], "did you mean 'close'"),
        (["--seed", "-1"], "seed must be >= 0, got -1"),
        (["--split", "0.8,0,0.2"], "split leaves no validation rows to stop training"),
    ],
)
def test_a_wrong_request_leaves_nothing(prices_csv, tmp_path, arguments, message):
    out = tmp_path / "out"
    ended = run_zoo_here(
        "select", prices_csv, "--targets", "close", "--models", "naive,ridge", *arguments, "--out", out
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr and ended.stderr.count("\n") == 1 and not out.exists()


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("10m", 600), ("1.5h", 5400), ("90", 90), ("2 min", 120)])
def test_times_are_read(text, seconds):
    assert seconds_of(text) == seconds


def test_a_random_walk_leaves_naive():
    from zoo.selection.board import Board
    from zoo.selection.score import Candidate, Score

    random = np.random.default_rng(0)
    naive = [random.normal(size=100) ** 2 for _ in range(3)]
    board = Board(naive, 1)
    keys = [board.enter(Candidate(name, 7), rank) for name, rank in (("naive", 0), ("ridge", 2), ("gru", 4))]
    for block, losses in enumerate(naive):
        for key, noise in zip(keys, (0.0, 0.02, 0.05), strict=True):
            board.add(key, block, Score(losses + noise * random.normal(size=100), 1.0))
    assert board.entries[board.pick()].candidate.variant == "naive"


@pytest.mark.process
def test_a_variant_that_fails_is_named_with_the_reason(prices_csv, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nfrom zoo.registry import register\n\n"
        "@register('mine', summary='fails', source='none')\nclass Mine(nn.Module):\n"
        "    def __init__(self, problem):\n        super().__init__()\n"
        "        self.map = nn.Linear(problem.channels, 1)\n"
        "    def forward(self, x):\n        raise RuntimeError('no forecast today')\n"
    )
    arguments = ("--targets", "close", "--budget", "60s", "--models", f"naive,{tmp_path / 'mine.py'}")
    ended = run_zoo_here("select", prices_csv, *arguments, "--out", tmp_path / "pick")
    assert ended.returncode == 0, ended.stderr
    assert "mine could not be used" in ended.stderr and "no forecast today" in ended.stderr


@pytest.mark.process
@pytest.mark.parametrize("models", ["naive", "naive,ridge"])
def test_few_rows_and_a_long_horizon_keep_a_model(tmp_path, models):
    """The newest tenth of the rows is shorter than the horizon, and a channel is constant in older rows."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"value": random.normal(size=100).cumsum(), "late": np.r_[np.zeros(45), random.normal(size=55)]}
    )
    frame.to_csv(tmp_path / "short.csv", index=False)
    arguments = (
        "--targets",
        "value",
        "--horizon",
        "12",
        "--split",
        "0.6,0.2,0.2",
        "--budget",
        "60s",
        "--models",
        models,
    )
    ended = run_zoo_here("select", tmp_path / "short.csv", *arguments, "--out", tmp_path / "pick")
    assert ended.returncode == 0, ended.stderr
    assert len(pd.read_csv(tmp_path / "pick" / "forecasts.csv")) == 12


def test_a_suite_with_settings_of_its_own_is_refused(tmp_path, prices_csv):
    suite = f'name = "mine"\n[data]\nsource = "{prices_csv}"\ntargets = ["close"]\n[fit]\nloss = "mse"\n'
    (tmp_path / "mine.toml").write_text(suite)
    ended = run_zoo_here("select", tmp_path / "mine.toml", "--out", tmp_path / "pick")
    assert ended.returncode == 2 and "leave [fit] and [models] out" in ended.stderr


@pytest.mark.process
def test_what_is_known_in_advance_is_used_and_must_be_in_the_file(prices, tmp_path):
    random = np.random.default_rng(0)
    prices["promo"] = random.integers(0, 2, len(prices))
    prices["close"] = 50 + 10 * prices["promo"] + random.normal(size=len(prices))
    prices[["date", "close", "promo"]].to_csv(tmp_path / "shop.csv", index=False)
    arguments = ("--targets", "close", "--known", "promo", "--budget", "60s", "--models", "naive,gradient-boosting")
    ended = run_zoo_here("select", tmp_path / "shop.csv", *arguments, "--out", tmp_path / "pick")
    assert ended.returncode == 0, ended.stderr
    about = json.loads((tmp_path / "pick" / "selection.json").read_text())
    assert about["variant"] == "gradient-boosting" and about["test"]["skill"] > 0.15
    assert "forecasts.csv was not written: promo must be known for the 1 steps" in ended.stderr
    assert (tmp_path / "pick" / "model" / "model.json").exists() and not (tmp_path / "pick" / "forecasts.csv").exists()


@pytest.mark.process
def test_from_python_with_data_in_memory(prices, tmp_path):
    out = tmp_path / "choice"
    series = prices.set_index(pd.to_datetime(prices["date"]))["close"]
    choice = zoo.select(series, budget_seconds=60, models=["naive", "ridge"], horizon=2, out=out, progress=False)
    assert choice.label == "ridge" and choice.row.metrics.skill > 0.2
    assert list(choice.forecasts["step"]) == [1, 2] and choice.model.targets == ("close",)
    assert choice.reasons[0] in str(choice) and set(choice.table["variant"]) == {"naive", "ridge"}
    with pytest.raises(zoo.InputError, match="not empty"):
        zoo.select(series, budget_seconds=60, models=["naive"], out=out)
    with pytest.raises(zoo.InputError, match="name at least one target column"):
        zoo.select(prices, budget_seconds=60, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()
