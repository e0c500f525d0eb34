"""What the README tells a stranger to type exists and runs."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import run_zoo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line.split("#")[0].strip() for line in re.findall(r"^    \.venv/bin/(zoo .+)$", README, re.MULTILINE)]


def test_python_example_runs():
    pytest.importorskip("arch")
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    quick = example.replace("max_epochs=50", "max_epochs=1").replace("trials=50", "trials=1")
    assert "max_epochs=1)" in quick and "trials=1)" in quick
    ended = subprocess.run([sys.executable, "-c", quick], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ast.literal_eval(ended.stdout)["r2"] > 0.99


def test_commands_run_on_an_own_file(prices_csv, tmp_path):
    assert prices_csv == tmp_path / "prices.csv"
    for command in COMMANDS:
        arguments = shlex.split(command)[1:]
        if arguments[0] == "bench":
            if arguments[1].endswith(".toml"):
                assert (ROOT / arguments[1]).exists()
                continue
            arguments += ["--set", "fit.max_epochs=1", *(() if "--seeds" in arguments else ("--seeds", "1"))]
        if arguments[0] == "speed":
            if arguments[1].endswith(".toml"):
                continue
            arguments += ["--seconds", "0.05", "--passes", "1"]
        if arguments[0] == "tune":
            if arguments[2].endswith(".toml"):
                assert (ROOT / arguments[2]).exists()
                continue
            arguments += ["--trials", "2", "--fix", "max_epochs=1"]
        ended = run_zoo(*arguments, cwd=tmp_path)
        assert ended.returncode == 0, (command, ended.stderr)
    assert (tmp_path / "results/mine/report.md").exists()
    assert (tmp_path / "forecasts.csv").read_text().count("\n") == 6


def test_every_file_and_link_is_there():
    for path in re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r"`((?:benchmarks|results|zoo)/[\w./-]+)`", README):
        assert path.startswith("http") or (ROOT / path).exists(), path


def test_every_make_target_is_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
