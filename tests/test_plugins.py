"""Variants from outside: a file that the user names, or an installed package; neither is ever silent or fatal."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import run_zoo, run_zoo_here
from zoo import registry
from zoo.errors import InputError, PluginWarning
from zoo.plugins import _package_hash
from zoo.registry import from_file, list_models
from zoo.run.store import read_rows
from zoo.suite import RunSettings, chosen_models
from zoo.throughput.cells import SpeedSuite, expand_speed, read_speed_suite

FILE = """
from typing import Annotated

from torch import nn

import zoo
from zoo.layers.head import Head


@zoo.register("{name}", summary="a gate before an LSTM", source="here", tags=("lstm",))
class Mine(nn.Module):
    def __init__(self, problem, *, hidden_size: Annotated[int, zoo.Int(8, 16)] = 8):
        super().__init__()
        self.lstm = nn.LSTM(problem.channels, hidden_size, batch_first=True)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])
"""
SHORT = ("--seeds", 1, "--set", "fit.max_epochs=1", "--jobs", 1)


def written(folder, name="mine", text=FILE):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mine.py"
    path.write_text(text.replace("{name}", name))
    return path


def package(folder, name="my-lstm-variants", module="my_lstm_variants", text=FILE, variant="packaged", points=None):
    """What pip would have put there."""
    about = folder / f"{module}-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(f"[zoo.variants]\n{points or f'{variant} = {module}'}\n")
    if text is not None:
        (folder / f"{module}.py").write_text(text.replace("{name}", variant))
    return {"env": {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}}


def old_format(model, file):
    """Rewrite model.json as format 1 wrote it, with a hash of the whole file."""
    content = json.loads((model / "model.json").read_text())
    del content["checksum"], content["code"]
    plugin = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    content |= {"format": 1, "plugin": plugin}
    checksum = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    (model / "model.json").write_text(json.dumps({**content, "checksum": checksum}))


@pytest.mark.process
def test_a_file_is_all_it_takes(tmp_path, prices_csv):
    """new, list, show, check, bench, speed and report on one new file, and nothing else is touched."""
    assert "gated-lstm" not in run_zoo_here("list").stdout
    begun = run_zoo_here("new", "gated-lstm", "--out", "own", cwd=tmp_path)
    assert begun.returncode == 0 and "zoo check ./own/gated_lstm.py" in begun.stdout
    file = tmp_path / "own/gated_lstm.py"
    before = file.read_bytes()
    listed = run_zoo_here("list", file)
    assert [line for line in listed.stdout.splitlines() if line.startswith("  gated-lstm ") and "gated_lstm.py" in line]
    shown = run_zoo_here("show", file)
    assert shown.returncode == 0 and "hidden_size = 64" in shown.stdout
    checked = run_zoo_here("check", file, "--only", "corners,batch,seeds,weights,learning")
    assert checked.returncode == 0 and " 0 fail" in checked.stdout, checked.stdout
    models = f"{file},naive"
    arguments = (prices_csv, "--targets", "close", "--models", models, *SHORT, "--out", tmp_path / "out")
    ended = run_zoo_here("bench", *arguments)
    assert ended.returncode == 0, ended.stderr
    rows, _ = read_rows(tmp_path / "out")
    (row,) = [row for row in rows if row.variant == "gated-lstm"]
    assert row.error is None and (row.code.kind, row.code.name) == ("file", "gated_lstm.py")
    assert "2 of 2 cells already have rows" in run_zoo_here("bench", *arguments).stderr
    reported = run_zoo_here("report", tmp_path / "out")
    assert "gated-lstm" in reported.stdout and "gated_lstm.py" in (tmp_path / "out/report.md").read_text()
    file.write_bytes(before + b"# a comment\n")
    assert "2 of 2 cells already have rows" in run_zoo_here("bench", *arguments).stderr
    file.write_bytes(before + b"class Other:\n    def __repr__(self) -> str:\n        return 'shown'\n")
    assert "1 of 2 cells already have rows" in run_zoo_here("bench", *arguments).stderr
    file.write_bytes(before + b"class Other:\n    def __repr__(self) -> str:\n        return 'other'\n")
    assert "2 of 2 cells already have rows" in run_zoo_here("bench", *arguments).stderr
    file.write_bytes(before + b"changed = True\n")
    assert "1 of 2 cells already have rows" in run_zoo_here("bench", *arguments).stderr
    assert file.read_bytes().startswith(before) and sorted(p.name for p in file.parent.glob("*.py")) == [
        "gated_lstm.py",
        "test_gated_lstm.py",
    ]


@pytest.mark.process
def test_the_test_that_comes_with_a_new_variant_passes(tmp_path):
    assert run_zoo_here("new", "gated-gru", "--out", tmp_path).returncode == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "batch or seeds", tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 0 and "2 passed" in ended.stdout, ended.stdout


def test_a_model_of_a_file_is_saved_and_used_with_that_file_alone(tmp_path, prices_csv):
    file, model = written(tmp_path), tmp_path / "model"
    fitted = run_zoo_here("fit", file, prices_csv, "--targets", "close", "--set", "fit.max_epochs=1", "--out", model)
    assert fitted.returncode == 0 and fitted.stdout.startswith("mine: weights of epoch"), fitted.stderr
    del registry._variants["mine"]
    bare = run_zoo_here("predict", model, prices_csv)
    assert (bare.returncode, bare.stderr.count("\n")) == (2, 1) and "--variants mine.py" in bare.stderr
    assert run_zoo_here("predict", model, prices_csv, "--variants", file).returncode == 0
    old_format(model, file)
    assert run_zoo_here("predict", model, prices_csv, "--variants", file).returncode == 0
    file.write_text(file.read_text() + "other = True\n")
    changed = run_zoo_here("predict", model, prices_csv, "--variants", file)
    assert changed.returncode == 2 and "has changed; fit again" in changed.stderr


@pytest.mark.process
def test_a_file_is_tuned_by_worker_processes(tmp_path, prices_csv):
    how = ("--trials", 2, "--fix", "fit.max_epochs=1", "--jobs", 2, "--out", tmp_path / "out")
    ended = run_zoo_here("tune", written(tmp_path), prices_csv, "--targets", "close", *how)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((tmp_path / "out/best.json").read_text())["params"]["hidden_size"] in range(8, 17)


@pytest.mark.process
def test_a_suite_names_a_file_from_its_own_folder(tmp_path, prices_csv):
    written(tmp_path / "suites")
    suite = tmp_path / "suites/own.toml"
    suite.write_text(
        f'name = "own"\n[data]\nsource = "{prices_csv}"\ntargets = ["close"]\n'
        '[run]\nmodels = ["./mine.py", "naive"]\nseeds = 1\n[fit]\nmax_epochs = 1\n[models.mine]\nhidden_size = 9\n'
    )
    ended = run_zoo_here("bench", suite, "--jobs", 1, "--out", tmp_path / "out", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert {(row.variant, row.params.get("hidden_size")) for row in read_rows(tmp_path / "out")[0]} == {
        ("mine", 9),
        ("naive", None),
    }


def test_cells_of_a_file_are_keyed_by_its_source(tmp_path):
    file, keys = written(tmp_path), []
    suite = SpeedSuite(name="own", speed={"models": [str(file)], "batch_size": [8], "lookback": [4]})
    for text in ("", "other = True\n"):
        file.write_text(file.read_text() + text)
        cells, _ = expand_speed(suite, device="cpu")
        assert {cell.code.name for cell in cells} == {"mine.py"}
        keys.append({cell.key for cell in cells})
    assert len(keys[0]) == len(keys[1]) == 3 and not keys[0] & keys[1]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (None, "no such file: .*mine.py"),
        ("x = (", r"mine.py cannot be loaded: SyntaxError: '\(' was never closed \(line 1\)"),
        ("x = 1\0", "mine.py cannot be loaded: .*null bytes"),
        ("x = " + 5000 * "(", "mine.py cannot be loaded: .*too many nested parentheses"),
        ("x = " + 100_000 * "-" + "1", "mine.py cannot be loaded: (RecursionError|MemoryError)"),
        ("\nx = 1 / 0\n", r"mine.py cannot be loaded: ZeroDivisionError: division by zero \(line 2\)"),
        ("x = 1\n", "mine.py registers no variant"),
        ("import sys\nsys.exit(0)\n", r"mine.py cannot be loaded: SystemExit: 0 \(line 2\)"),
        (2 * FILE.replace("{name}", "twice"), "variant 'twice' is already registered by file .*mine.py"),
        (FILE.replace("{name}", "lstm"), "mine.py: variant 'lstm' is already registered by zoo.models.lstm"),
    ],
)
def test_a_file_that_brings_no_variant_is_refused_with_the_reason(tmp_path, text, rule):
    path = tmp_path / "mine.py" if text is None else written(tmp_path, text=text)
    with pytest.raises(InputError, match=rule):
        from_file(path)
    assert "mine" not in list_models()


def test_a_file_that_is_no_text_and_a_folder_are_refused(tmp_path):
    (tmp_path / "mine.py").write_bytes(b"x = '\xff'")
    with pytest.raises(InputError, match="mine.py is not UTF-8 text: save it as UTF-8"):
        from_file(tmp_path / "mine.py")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(InputError, match="folder.py is a folder, not a file"):
        from_file(tmp_path / "folder.py")


def test_a_wrong_file_is_one_line_and_exit_code_2(tmp_path, prices_csv):
    path = written(tmp_path, text="x = 1 / 0\n")
    ended = run_zoo_here("bench", prices_csv, "--targets", "close", "--models", path, "--out", tmp_path / "out")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "mine.py cannot be loaded: ZeroDivisionError" in ended.stderr and not (tmp_path / "out").exists()


@pytest.mark.process
def test_an_installed_package_is_listed_with_its_name_and_runs_in_workers(tmp_path, prices_csv):
    how = package(tmp_path / "site")
    line = next(line for line in run_zoo("list", **how).stdout.splitlines() if line.startswith("  packaged "))
    assert line.endswith("(package my-lstm-variants 1.2)")
    arguments = (prices_csv, "--targets", "close", "--models", "packaged", *SHORT, "--out", tmp_path / "out")
    ended = run_zoo("bench", *arguments, **how)
    assert ended.returncode == 0, ended.stderr
    (row,) = read_rows(tmp_path / "out")[0]
    assert row.error is None and (row.code.kind, row.code.name) == ("package", "my-lstm-variants 1.2")


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ({"text": "raise RuntimeError('no GPU')"}, "RuntimeError: no GPU"),
        ({"text": None}, "No module named 'my_lstm_variants'"),
        ({"variant": "lstm"}, "variant 'lstm' is already registered by zoo.models.lstm"),
        ({"text": FILE + "\nraise ValueError('half way')"}, "ValueError: half way"),
    ],
)
def test_a_package_that_fails_is_named_and_skipped(tmp_path, monkeypatch, how, rule):
    package(tmp_path, **how)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_discovered", [])
    with pytest.warns(PluginWarning, match="variants of package my-lstm-variants 1.2 were skipped: .*") as caught:
        names = list_models()
    assert "lstm" in names and "packaged" not in names and rule in str(caught[0].message)
    sys.modules.pop("my_lstm_variants", None)


@pytest.mark.process
def test_a_skipped_package_is_one_line_to_the_user(tmp_path):
    ended = run_zoo("list", **package(tmp_path / "site", text="raise RuntimeError('no GPU')"))
    assert ended.returncode == 0 and "lstm" in ended.stdout
    (line,) = ended.stderr.splitlines()
    assert line == "zoo: variants of package my-lstm-variants 1.2 were skipped: RuntimeError: no GPU"


@pytest.mark.process
def test_two_packages_with_one_name_leave_it_to_the_first(tmp_path):
    how = package(tmp_path / "site")
    package(tmp_path / "site", name="other-variants", module="other_variants")
    ended = run_zoo("list", **how)
    assert ended.stdout.count("\n  packaged ") == 1
    assert "other-variants 1.2 were skipped" in ended.stderr
    assert "'packaged' is already registered by package my-lstm-variants 1.2" in ended.stderr


def test_the_hash_of_a_package_covers_all_its_files_and_its_version(tmp_path, monkeypatch):
    (tmp_path / "my_variants").mkdir()
    (tmp_path / "my_variants/__init__.py").write_text("")
    core = tmp_path / "my_variants/core.py"
    hashes = set()
    monkeypatch.syspath_prepend(tmp_path)
    for version, text in (("1.0", "x = 1"), ("1.0", "x = 2"), ("2.0", "x = 2")):
        core.write_text(text)
        hashes.add(_package_hash(f"my-variants {version}", "my_variants"))
    assert len(hashes) == 3


def test_a_loaded_variant_keeps_the_code_that_it_was_loaded_from(tmp_path):
    file = written(tmp_path, name="kept")
    from_file(file)
    before = registry.variant("kept").code
    file.write_text(file.read_text() + "later = True\n")
    assert registry.variant("kept").code == before
    file.unlink()
    assert registry.variant("kept").code == before


def test_all_and_a_file_are_all_and_the_file(tmp_path):
    file = written(tmp_path)
    before = list_models()
    assert chosen_models(RunSettings(models=["all", str(file), "lstm"])) == [*before, "mine"]


def test_a_speed_suite_names_a_file_from_its_own_folder(tmp_path, monkeypatch):
    file = written(tmp_path / "suites")
    suite = tmp_path / "suites/own.toml"
    suite.write_text('name = "own"\n[speed]\nmodels = ["./mine.py"]\n')
    monkeypatch.chdir(tmp_path)
    (model,) = read_speed_suite(suite).speed.models
    assert Path(model).samefile(file)


@pytest.mark.process
def test_settings_tuned_on_other_code_are_refused(tmp_path, prices_csv):
    file = written(tmp_path)
    arguments = ("--targets", "close", "--trials", 1, "--fix", "fit.max_epochs=1", "--out", tmp_path / "tuned")
    assert run_zoo_here("tune", file, prices_csv, *arguments).returncode == 0
    file.write_text(file.read_text() + "later = True\n")
    bench = ("bench", prices_csv, "--targets", "close", "--models", f"{file},naive", *SHORT)
    ended = run_zoo_here(*bench, "--tuned", tmp_path / "tuned", "--out", tmp_path / "out")
    assert ended.returncode == 2
    assert "the code of variant 'mine' has changed since it was tuned: tune it again" in ended.stderr


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Mine", "lower case with hyphens"),
        ("torch", "torch.py would hide the module torch"),
        ("lstm", "a variant 'lstm' exists already"),
        ("a_b", "lower case"),
    ],
)
def test_new_refuses_a_name_that_cannot_be_one(tmp_path, name, rule):
    ended = run_zoo_here("new", name, "--out", tmp_path / "own")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1) and rule in ended.stderr
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("name", ["none", "head"])
def test_a_name_that_python_needs_becomes_another_class(tmp_path, name):
    assert run_zoo_here("new", name, "--out", tmp_path).returncode == 0
    assert f"class {name.capitalize()}Variant(nn.Module)" in (tmp_path / f"{name}.py").read_text()
    assert from_file(tmp_path / f"{name}.py") == [name]


def test_new_overwrites_nothing(tmp_path):
    (tmp_path / "test_mine.py").write_text("mine")
    ended = run_zoo_here("new", "mine", "--out", tmp_path)
    assert ended.returncode == 2 and "exists already" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["test_mine.py"]


def test_check_of_a_wrong_variant_ends_with_1_and_says_why(tmp_path):
    file = written(tmp_path, text=FILE.replace("x)[0]", "x - x.mean(0))[0]"))
    ended = run_zoo_here("check", file, "--only", "batch,seeds", "--json")
    results = json.loads(ended.stdout)["mine"]
    assert ended.returncode == 1 and [result["status"] for result in results] == ["fails", "holds"]
    assert "a mean or softmax over the batch axis" in results[0]["text"]
