"""The tutorial is run as it stands, with fewer epochs and on a small file."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import run_zoo_here
from zoo import registry

DOCS = Path(__file__).parents[1] / "docs"
STEPS = re.compile(r"^    (zoo [^\n]+)$|```(python|toml)\n(.*?)```", re.MULTILINE | re.DOTALL)
QUICK = {
    "bench": ("--seeds", "1", "--set", "fit.max_epochs=1", "--jobs", "1"),
    "speed": ("--batch-size", "8", "--lookback", "7", "--phase", "infer", "--seconds", "0.05", "--passes", "1"),
}


@pytest.mark.slow
def test_the_tutorial_goes_from_an_idea_to_a_report(tmp_path, prices_csv, monkeypatch):
    registry.list_models()
    monkeypatch.setattr(registry, "_variants", dict(registry._variants))
    monkeypatch.setattr(registry, "_files", {})
    steps = STEPS.findall((DOCS / "variants.md").read_text(encoding="utf-8"))
    assert [line.split()[1] for line, *_ in steps if line] == ["new", "check", "show", "bench", "report", "speed"]
    outputs = {}
    for command, kind, block in steps:
        if command:
            _, name, *arguments = command.replace("sp500 --targets Close", f"{prices_csv} --targets close").split()
            ended = run_zoo_here(name, *arguments, *QUICK.get(name, ()), cwd=tmp_path)
            assert ended.returncode == 0, (command, ended.stdout, ended.stderr)
            outputs[name] = ended.stdout
        elif kind == "toml":
            assert "zoo.variants" in tomllib.loads(block)["project"]["entry-points"]
        elif block.startswith("# "):
            (tmp_path / block.splitlines()[0].removeprefix("# ")).write_text(block)
        else:
            here = f'zoo.load({str(prices_csv)!r}), targets=["close"]'
            code = block.replace('zoo.load("sp500"), targets=["Close"]', here).replace("arange(256)", "arange(16)")
            ended = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
            )
            assert ended.returncode == 0, ended.stderr
            assert re.search(r"keep \d+% of", ended.stdout) and "forget bias" in ended.stdout
    assert " 0 fail" in outputs["check"] and "4 * 64 * (5 + 64 + 2) = 18,176" in outputs["show"]
    assert "open-gate-lstm" in outputs["bench"] and "open-gate-lstm" in outputs["speed"]
    assert (tmp_path / "open-gate.html").stat().st_size > 1_000_000


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert link.startswith("http") or (DOCS / link).exists(), link
