"""README and docs: every command and example runs, every link leads somewhere, and the site is whole.

A page's steps run in their order, in one folder: indented lines `zoo ...` or `.venv/bin/zoo ...` up to a `#`, and
blocks of python; a block whose first line is `# name.py` or `# name.toml` becomes that file. A line that ends in
`# exits with 1` does. The folder holds prices.csv, stocks.csv and motions.csv, copies of the suites with fewer variants
and seeds, and of committed results that a command reads. QUICK is added to a command, unless it runs a suite that the
page itself wrote, and the database of an example is SQLite; nothing else is changed.
"""

import ast
import io
import json
import re
import shlex
import shutil
import tomllib
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer

import zoo
from tests.conftest import price_frame, run_zoo_here
from zoo import registry
from zoo.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
STEP = re.compile(
    r"^    (?:\.venv/bin/)?zoo ([^#\n]+)(?:# exits with (\d))?|^```(python|toml)\n(.*?)^```", re.MULTILINE | re.DOTALL
)
QUICK = {
    "bench": ("--seeds", "1", "--set", "fit.max_epochs=1", "--jobs", "1"),
    "fit": ("--set", "fit.max_epochs=1"),
    "select": ("--budget", "20s", "--models", "naive,drift,ridge,linear"),
    "tune": ("--trials", "2", "--fix", "max_epochs=1", "--jobs", "1"),
    "speed": ("--batch-size", "8", "--lookback", "7", "--phase", "infer", "--seconds", "0.05", "--passes", "1"),
}
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def shortened(suite: str) -> str:
    """A suite with one seed of few variants, those that it has settings for among them, and two sizes of a sweep."""
    names = re.findall(r"^\[models\.([\w-]+)\]", suite, re.MULTILINE) or ["linear"]
    names += [] if "[speed]" in suite else ["naive", "ridge"]
    suite = re.sub(r"^models = .*", f"models = {json.dumps(names)}", suite, flags=re.MULTILINE)
    suite = re.sub(r"^hidden_size = \[(\d+, \d+).*", r"hidden_size = [\1]", suite, flags=re.MULTILINE)
    return re.sub(r"^seeds = .*", "seeds = 1", suite, flags=re.MULTILINE)


@pytest.fixture
def folder(tmp_path, prices_csv, monkeypatch):
    """Where the steps run."""
    assert prices_csv == tmp_path / "prices.csv"
    stocks = pd.concat([price_frame(120, seed=number).assign(symbol=f"S{number}") for number in range(3)])
    stocks.to_csv(tmp_path / "stocks.csv", index=False)
    steps = pd.DataFrame({"case": range(60)}).merge(pd.DataFrame({"step": range(12)}), how="cross")
    motion = np.where(steps["case"] % 2, "walk", "run")
    steps.assign(motion=motion, height=np.sin(steps["step"] * (1 + steps["case"] % 2))).drop(columns="step").to_csv(
        tmp_path / "motions.csv", index=False
    )
    (tmp_path / "benchmarks/suites").mkdir(parents=True)
    for suite in (ROOT / "benchmarks/suites").glob("*.toml"):
        (tmp_path / "benchmarks/suites" / suite.name).write_text(shortened(suite.read_text()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_ADDRESS", "local")  # a page on clusters starts one, whatever else runs here
    return tmp_path


def run_command(line: str, code: str) -> str:
    """Run a command of a page, which exits with this code if it names one; what it says it writes is there then."""
    name, *arguments = shlex.split(re.sub(r"postgresql://\S+", "sqlite:///shared.db", line))
    if name in ("report", "compare"):
        for results in (Path(argument) for argument in arguments if argument.startswith("results")):
            if not results.exists():
                # A page may name runs of its reader, as in `zoo compare results/before results/after`.
                shutil.copytree(ROOT / results if (ROOT / results).exists() else ROOT / "results/speed", results)
    is_whole = arguments[:1] in (["standard"], ["ucr"])
    if arguments[:1] == ["ucr"] and find_spec("aeon") is None:
        return ""
    models = "naive,minirocket,gru" if arguments[:1] == ["ucr"] else "naive,ridge,linear"
    first = Path(arguments[0] if arguments else "")
    is_own = first.parent == Path() and first.suffix == ".toml" and first.exists()
    few = ("--models", models) if name == "bench" and "--models" not in arguments and not is_own else ()
    if arguments[:1] == ["standard"] and "--preset" not in arguments:
        few += ("--preset", "quick")
    ended = run_zoo_here(name, *arguments, *few, *(() if is_own else QUICK.get(name, ())))
    undecided = {3} if "--fail-on" in line else set()  # what committed rows can answer is no matter here
    codes = {int(code)} if code else {0} | undecided
    assert ended.returncode in codes, (line, ended.returncode, ended.stdout, ended.stderr)
    if "--out" in arguments:
        out = Path(arguments[arguments.index("--out") + 1])
        written = ("README.md" if is_whole else "report.md") if name in ("bench", "speed") else "."
        assert (out / written).exists(), line
    return ended.stdout


def run_python(block: str) -> str:
    """Run an example, which may go on with `zoo` and with `data` as another example prepared it; what it prints."""
    data = zoo.prepare(zoo.load("prices.csv"), targets=["close"])
    if "from sktime" in block and find_spec("sktime") is None:
        return ""
    quick = re.sub(r"(max_epochs|trials|seeds)=\d+", r"\1=1", block)
    with redirect_stdout(io.StringIO()) as stdout:
        exec(compile(quick, "example", "exec"), {"zoo": zoo, "data": data})
    return stdout.getvalue()


@pages
@pytest.mark.process
def test_steps_of_a_page_run_in_their_order(page, folder):
    commands, printed = {}, []
    for line, code, kind, block in STEP.findall(page.read_text(encoding="utf-8")):
        if line:
            commands[line.split()[0]] = run_command(line, code)
            continue
        if kind == "toml":
            tomllib.loads(block)
        if named := re.match(r"# (\w+\.(?:py|toml))\n", block):
            (folder / named[1]).write_text(block)
        elif kind == "python":
            printed.append(run_python(block))
    if page.name == "README.md":
        assert {"data", "bench", "report"} & set(commands)
        assert "skill %" in printed[0]
        assert ast.literal_eval(printed[1].splitlines()[0])["r2"] > 0.99
    if page.name == "variants.md":
        assert list(commands) == ["new", "check", "show", "bench", "report", "speed"]
        assert " 0 fail" in commands["check"] and "4 * 64 * (5 + 64 + 2) = 18,176" in commands["show"]
        assert "open-gate-lstm" in commands["bench"] and "open-gate-lstm" in commands["speed"]
        assert (folder / "open-gate.html").stat().st_size > 1_000_000
        assert re.search(r"keep \d+% of", printed[0]) and "forget bias" in printed[0]


@pages
def test_commands_in_the_text_have_real_names_and_options(page):
    known = typer.main.get_command(app).commands
    for line in re.findall(r"`zoo ([^`]+)`", page.read_text(encoding="utf-8")):
        name, *arguments = line.split()
        assert name in known, line
        options = {option for parameter in known[name].params for option in parameter.opts} | {"--help"}
        assert {argument.split("=")[0] for argument in arguments if argument.startswith("--")} <= options, line


@pages
def test_links_and_files_are_there(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("http") or (page.parent / link).exists(), link
    for path in re.findall(r"`((?:benchmarks|results|zoo)/[\w./-]+\.\w+)`", text):
        assert (ROOT / path).exists(), path


def test_the_readme_counts_the_variants():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    baselines = len(zoo.list_models(tag="baseline"))
    assert f"trains {len(zoo.list_models()) - baselines} recurrent variants beside fourteen baselines" in text
    assert baselines + len(registry.absent()) == 14


@pages
def test_make_targets_are_there(page):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make ([\w-]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
