import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import zoo
from tests.conftest import run_zoo_here
from tests.report.rows import entries, written
from zoo import cli
from zoo.cli.app import app
from zoo.cli.options import typed_line
from zoo.cli.progress import left_text
from zoo.run.server import PRELOADED

COMMANDS = [
    "list", "show", "data", "new", "check", "select", "bench", "tune", "speed", "report", "compare", "fit", "predict",
    "export", "explain",
]  # fmt: skip


@pytest.fixture
def zoo_command(monkeypatch, capsys):
    """The command in this process: (exit code, stdout, stderr)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["zoo", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call


def modules_of(*commands):
    """What a process that runs these commands one after the other prints: each ends with `code N ['torch', ...]`."""
    script = (
        "import sys; from zoo.cli import main\n"
        f"for command in {[list(map(str, command)) for command in commands]!r}:\n"
        "    sys.argv = ['zoo', *command]\n"
        "    try: main()\n"
        "    except SystemExit as end:\n"
        "        heavy = {'torch', 'pandas', 'numpy', 'optuna', 'matplotlib'} & set(sys.modules)\n"
        "        print('code', end.code, sorted(heavy))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout


@pytest.mark.process
def test_help_answers_without_torch_or_pandas():
    out = modules_of(["--help"], *([name, "--help"] for name in COMMANDS))
    assert re.findall("code .*", out) == ["code 0 []"] * (1 + len(COMMANDS))
    assert out.count("Usage: zoo") == 1 + len(COMMANDS)


@pytest.mark.process
def test_commands_without_models_leave_torch_alone(tmp_path):
    folder = written(tmp_path / "out", entries("lstm", 0.5, 0))
    data, report = re.findall("code .*", modules_of(["data", "sine"], ["report", folder]))
    assert data.startswith("code 0 [") and report.startswith("code 0 [") and "torch" not in data + report


@pytest.mark.process
def test_import_zoo_is_cheap():
    script = "import sys, zoo; print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.process
def test_commands_alone_change_how_often_garbage_is_looked_for():
    for line, is_seldom in (("zoo.Forecaster, zoo.bench, zoo.select", False), ("import zoo.cli", True)):
        script = f"import gc, zoo; {line}; print(gc.get_threshold()[0] >= 1_000_000)"
        ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert ended.stdout == f"{is_seldom}\n"
    assert PRELOADED[0] == "zoo.startup"  # before torch


def test_every_command_is_tested_here():
    assert [command.name or command.callback.__name__ for command in app.registered_commands] == COMMANDS


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_80_columns_and_has_examples_to_copy(zoo_command, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = zoo_command(*filter(None, [command]), "--help")
    assert code == 0 and max(map(len, out.splitlines())) <= 80
    _, _, examples = out.partition("Examples:")
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    assert len(lines) >= 2 and all(line.startswith(f"zoo {command}".strip()) for line in lines)


def test_time_left_follows_the_pace_and_ends_with_the_timeout():
    assert left_text(60.0, 0, 4) == ""
    assert left_text(60.0, 2, 6) == "about 2:00 left"
    assert left_text(60.0, 2, 6, 45.0) == "about 0:45 left"
    assert left_text(60.0, 2, 6, -3.0) == "about 0:00 left"
    assert left_text(59.8, 1, 3) == "about 2:00 left"


def test_list_and_show(zoo_command):
    code, out, _ = zoo_command("list")
    assert code == 0
    entries = [line for line in out.splitlines() if line.startswith("  ")]
    assert sorted(line.split()[0] for line in entries) == sorted(zoo.list_models(classifiers=True))
    groups = [text.partition(" ")[0] for text in out.splitlines() if text and not text.startswith(" ")]
    assert groups == ["Cells", "Architectures", "Baselines", str(len(zoo.list_models(classifiers=True)))]
    assert any(line.split()[:5] == ["gru", "Cho", "et", "al.", "2014"] for line in entries)
    code, out, _ = zoo_command("list", "--tag", "baseline", "--json")
    assert [entry["name"] for entry in json.loads(out)] == zoo.list_models(tag="baseline", classifiers=True)
    code, out, _ = zoo_command("show", "cnn-lstm")
    assert "kernel_size = 3  2 to 7" in out
    code, out, _ = zoo_command("show", "cnn-lstm", "--json")
    shown = json.loads(out)["parameters"]["hidden_size"]
    assert shown == {"default": 64, "range": {"kind": "Int", "low": 16, "high": 256, "log": True, "step": 1}}


def test_data_describes_a_file(zoo_command, prices, tmp_path):
    prices["open"] = prices["open"].where(prices.index != 7)
    prices["flat"] = 4
    prices = prices.drop(index=[20])
    path = tmp_path / "x.csv"
    prices.to_csv(path, index=False)
    code, out, _ = zoo_command("data", path, "--json")
    facts = json.loads(out)
    assert (code, facts["rows"], facts["spacing"], facts["gaps"]) == (0, 299, "business days", 1)
    assert facts["columns"]["open"]["missing"] == 1
    assert facts["columns"]["flat"]["constant"]
    assert facts["columns"]["close"]["max"] == prices["close"].max()
    code, out, _ = zoo_command("data", path)
    assert f"try: zoo bench {path} --targets close --lookback 14 --normalise none --missing ffill" in out
    code, out, _ = zoo_command("data")
    assert "sp500" in out


@pytest.mark.process
def test_bench_takes_the_settings_that_data_advises_where_no_flag_says(prices_csv, tmp_path):
    arguments = [
        "--targets",
        "close",
        "--advised",
        "--lookback",
        "5",
        "--models",
        "naive,ridge",
        "--out",
        tmp_path / "o",
    ]
    ended = run_zoo_here("bench", prices_csv, *arguments)
    assert ended.returncode == 0 and "note: --normalise none: it returns to its level" in ended.stderr
    assert "--lookback" not in ended.stderr
    rows = zoo.results(tmp_path / "o")
    assert set(rows["normalise"]) == {"none"} and set(rows["lookback"]) == {5}
    refused = run_zoo_here("bench", "benchmarks/suites/smoke.toml", "--advised")
    assert refused.returncode == 2 and "--advised is for data without a suite" in refused.stderr


@pytest.mark.process
def test_bench_report_and_json_on_an_own_file(prices_csv, tmp_path):
    out = tmp_path / "mine"
    arguments = ["bench", prices_csv, "--targets", "close", "--models", "lstm,bilstm,naive", "--seeds", "2"]
    settings = ["--set", "lstm.hidden_size=8", "--set", "bilstm.hidden_size=8", "--set", "fit.max_epochs=2"]
    ended = run_zoo_here(*arguments, *settings, "--out", out)
    assert ended.returncode == 0, ended.stderr
    for word in ("lstm", "bilstm", "naive (b)", "rmse", "skill"):
        assert word in ended.stdout
    assert "[5/5]" in ended.stderr
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    fields = (
        "key suite variant seed params metrics train_seconds windows_per_second epochs parameter_count device threads "
        "dtype problem data fit versions commit started error"
    )
    for row in rows:
        assert set(fields.split()) <= set(row)
        assert (row["error"], row["threads"], row["device"]) == (None, 1, "cpu")
        forecast = np.load(out / row["predictions"])["forecast"]
        truth = np.load(out / row["truth"])
        assert forecast.shape == truth["truth"].shape == (60, 1, 1)
        rmse = np.sqrt(np.mean((forecast - truth["truth"]) ** 2))
        assert rmse == pytest.approx(row["metrics"]["rmse"], rel=1e-5)
        assert str(truth["time"][-1])[:10] == row["data"]["last"]
    report = (out / "report.md").read_text()
    again = run_zoo_here("report", out)
    assert again.returncode == 0, again.stderr
    assert (out / "report.md").read_text() == report
    boards = json.loads(run_zoo_here("report", out, out, "--json").stdout)
    assert [len(board["lines"]) for board in boards] == [3]  # the same rows named twice count once


def test_fit_and_predict(zoo_command, prices_csv, tmp_path):
    model, out = tmp_path / "model", tmp_path / "next.csv"
    how = ["--targets", "close", "--horizon", "2", "--set", "lstm.hidden_size=8", "--set", "fit.max_epochs=2"]
    code, stdout, _ = zoo_command("fit", "lstm", prices_csv, *how, "--out", model)
    assert code == 0
    assert "skill over naive" in stdout
    code, stdout, _ = zoo_command("predict", model, prices_csv, "--out", out)
    assert (code, stdout) == (0, "")
    forecasts = pd.read_csv(out)
    assert list(forecasts.columns) == ["step", "time", "close"]
    assert len(forecasts) == 2
    code, stdout, _ = zoo_command("predict", model, prices_csv, "--json")
    assert json.loads(stdout)[0]["close"] == pytest.approx(forecasts["close"][0])
    code, stdout, _ = zoo_command(
        "fit", "naive", prices_csv, "--targets", "close", "--split", "0.9,0.1,0", "--out", model
    )
    assert code == 0
    last = pd.read_csv(prices_csv)["close"].iloc[-1]
    assert json.loads(zoo_command("predict", model, prices_csv, "--json")[1])[0]["close"] == pytest.approx(last)


def test_fit_that_diverges_is_one_line_and_exit_code_1(zoo_command, prices_csv, tmp_path):
    how = ["--set", "fit.learning_rate=1e30", "--set", "fit.optimizer=sgd", "--set", "fit.clip_norm=0"]
    code, out, err = zoo_command("fit", "lstm", prices_csv, "--targets", "close", *how, "--out", tmp_path / "m")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "zoo: training diverged in epoch" in err
    assert not (tmp_path / "m").exists()


@pytest.mark.process
def test_cell_that_fails_gives_exit_code_1(prices_csv, tmp_path):
    ended = run_zoo_here(
        "bench", prices_csv, "--targets", "close", "--models", "lstm,naive", "--seeds", "1", "--out", tmp_path / "o",
        "--set", "fit.learning_rate=1e30", "--set", "fit.optimizer=sgd", "--set", "fit.clip_norm=0",
    )  # fmt: skip
    assert ended.returncode == 1
    assert "diverged" in ended.stdout
    assert "Ranked last, because runs failed: lstm (1 of 1 run)." in ended.stdout


TUNE = ["tune", "lstm", "{csv}", "--targets", "close"]
BENCH = ["bench", "{csv}", "--targets", "close", "--models", "naive"]


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["bench", "absent.csv", "--targets", "close"], "no such file: absent.csv"),
        (["bench", "absent.toml"], "no such suite file: absent.toml"),
        (["bench", "{csv}"], r"prices.csv \(open, high, low, close, volume\): --targets close"),
        (["bench", "{csv}", "--targets", "clsoe"], "unknown column 'clsoe' of .*; did you mean 'close'"),
        (["bench", "{csv}", "--targets", ","], "a list must hold at least one name"),
        ([*BENCH[:-1], "lsmt"], "unknown variant 'lsmt'; did you mean 'lstm'"),
        ([*BENCH, "--split", "0.5,0.4"], "three shares, three row counts, or two dates"),
        ([*BENCH, "--lookback", "1000"], "too few rows"),
        ([*BENCH, "--lookback", "x"], "Invalid value for '--lookback'"),
        ([*BENCH, "--scaler", "max"], "unknown scaler 'max'; did you mean 'minmax'"),
        ([*BENCH, "--normalise", "first"], "unknown normalise 'first'"),
        ([*BENCH, "--missing", "guess"], "unknown missing policy 'guess'"),
        ([*BENCH, "--time", "when"], "unknown column 'when'"),
        ([*BENCH, "--channels", "open"], "'close' must be among the channels"),
        ([*BENCH, "--set", "naive.x=1"], "unknown parameter 'x' of variant 'naive'"),
        ([*BENCH, "--set", "fit.max_epochs=many"], "fit: max_epochs must be a whole number, got 'many'"),
        ([*BENCH, "--set", "hidden_size=5"], "--set takes VARIANT.PARAMETER=VALUE"),
        ([*BENCH, "--device", "gpu"], "device must be one of"),
        ([*BENCH, "--seeds", "0"], "seeds must be a count >= 1"),
        ([*BENCH, "--jobs", "0"], "jobs must be >= 1"),
        ([*BENCH, "--out", "{csv}"], "prices.csv is a file: choose a folder"),
        ([*BENCH, "--track", "tensorbord:x"], "unknown tracker 'tensorbord' of --track; did you mean 'tensorboard'"),
        ([*BENCH, "--track", "tensorboard:{csv}"], "prices.csv is a file: name a folder"),
        ([*TUNE, "--track", "mlflow:sqlite:///{csv}/x.db"], "prices.csv is a file: name a folder"),
        ([*BENCH, "--colums", "a"], "No such option '--colums'|No such option: --colums"),
        ([*TUNE, "--fix", "hiden_size=8"], "unknown parameter 'hiden_size' .*; did you mean 'hidden_size'"),
        ([*TUNE, "--fix", "hidden_size"], "--fix takes KEY=VALUE such as hidden_size=64, got 'hidden_size'"),
        ([*TUNE, "--fix", "hidden_size=small"], "fix hidden_size: hidden_size must be a whole number, got 'small'"),
        ([*TUNE, "--fix", "seed=1"], "the random seed is never a hyperparameter"),
        ([*TUNE, "--range", "hidden_size=64:32"], "range of hidden_size is empty: low must be <= high, got 64:32"),
        ([*TUNE, "--range", "hidden_size="], "--range takes KEY=VALUE such as hidden_size=32:512:log"),
        ([*TUNE, "--range", "dropout=a:b"], "range of dropout: low and high must be numbers"),
        ([*TUNE, "--range", "dropot=0:1"], "unknown parameter 'dropot' of variant 'lstm'; did you mean 'dropout'"),
        ([*TUNE, "--sampler", "tep"], "unknown sampler 'tep'; did you mean 'tpe'"),
        ([*TUNE, "--pruner", "halving"], "unknown pruner 'halving'"),
        ([*TUNE, "--objectives", "valid_loss,latency_ms", "--pruner", "median"], "valid_loss as the only objective"),
        ([*TUNE, "--objectives", "loss"], "unknown objective 'loss'"),
        ([*TUNE, "--trials", "0"], "trials must be >= 1, got 0"),
        ([*TUNE, "--jobs", "0"], "jobs must be >= 1"),
        ([*TUNE, "--split", "0.8,0,0.2"], "the split leaves none: change --split"),
        ([*TUNE, "--out", "{csv}"], "prices.csv is a file: choose a folder"),
        (["tune", "naive", "{csv}", "--targets", "close"], "nothing to tune in naive: no range is declared"),
        ([*TUNE, "--storage", "postgresql://u:secret@host:abc/db"], "is not a storage URL"),
        (["tune", "lstm,naive", "{csv}", "--targets", "close"], "nothing to tune in naive"),
        ([*TUNE, "--fix", "cnn-lstm.kernel_size=5"], "belongs to a variant that is not tuned here"),
        ([*TUNE, "--range", "max_epochs=1:4", "--fix", "max_epochs=2"], "fit.max_epochs is the training budget"),
        (["tune", "ltsm", "{csv}", "--targets", "close"], "unknown variant 'ltsm'; did you mean 'lstm'"),
        (["tune", "lstm", "{csv}"], "name at least one target column of"),
        (["bnch"], "No such command 'bnch'"),
        (["report", ".", "--format", "markdown"], "Invalid value for '--format': 'markdown' is not one of 'md'"),
        (["show", "ltsm"], "unknown variant 'ltsm'; did you mean 'lstm'"),
        (["data", "absent.csv"], "no such file"),
        (["report", "nowhere"], "no rows in nowhere"),
        (["fit", "lstm", "{csv}", "--targets", "close", "--out", "{csv}"], "is a file: choose a folder"),
        (["fit", "ltsm", "{csv}", "--targets", "close", "--out", "model"], "unknown variant 'ltsm'"),
        (["predict", "nowhere", "{csv}"], "no model in nowhere: model.json is missing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_bad_request_is_one_line_and_exit_code_2(zoo_command, prices_csv, tmp_path, monkeypatch, arguments, rule):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, out, err = zoo_command(*(argument.format(csv=prices_csv) for argument in arguments))
    assert code == 2, err
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("zoo: ")
    assert re.search(rule, err), err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda f: f.assign(close=f["close"].where(f.index != 5)), "missing values in .*: close 1; choose --missing"),
        (lambda f: f.assign(high=f["high"].where(f.index != 5, np.inf)), "infinite values in .*: high 1"),
        (lambda f: f.astype({"close": object}).replace({"close": {f["close"][5]: "n.a."}}), "text: 'n.a.' in line 7"),
        (lambda f: f.assign(date=f["date"].where(f.index != 5, f["date"][4])), "1 duplicate timestamps"),
        (lambda f: f.assign(close=5), "target 'close' of .* is constant"),
        (lambda f: f.head(8), "too few rows"),
        (lambda f: f.head(0), "is empty"),
    ],
)  # fmt: skip
def test_bad_data_is_one_line_and_exit_code_2(zoo_command, prices, tmp_path, spoil, rule):
    path, out = tmp_path / "x.csv", tmp_path / "out"
    spoil(prices).to_csv(path, index=False)
    code, stdout, err = zoo_command("bench", path, "--targets", "close", "--models", "naive", "--out", out)
    assert (code, stdout, err.count("\n")) == (2, "", 1)
    assert re.search(rule, err), err
    assert not out.exists()


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (["--out", "/home/me/runs/mine"], "--out mine"),
        (["--out=/home/me/runs/mine"], "--out=mine"),
        (["--out", "results/mine", "--force"], "--out results/mine"),
    ],
)
def test_the_line_that_rows_keep_does_not_tell_where_a_home_lies(monkeypatch, typed, stored):
    monkeypatch.setattr(sys, "argv", ["zoo", "bench", "sp500", *typed])
    assert typed_line() == f"zoo bench sp500 {stored}"


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["zoo", "show", "ltsm", "--debug"])
    with pytest.raises(zoo.InputError):
        cli.main()
