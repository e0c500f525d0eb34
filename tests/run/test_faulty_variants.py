"""Whatever one variant does, it costs that variant its row and nobody else's."""

import pytest

from tests.conftest import run_zoo_here
from zoo.run.store import read_rows

pytestmark = pytest.mark.process

FILE = """
import os, sys, time
import zoo
from torch import nn

class Base(nn.Module):
    def __init__(self, problem):
        super().__init__()
        self.steps, self.layer = problem.output_shape[0], nn.Linear(problem.channels, 1)

    def forward(self, x):
        return self.layer(x[:, -1:]).repeat(1, self.steps, 1)
"""
FAULTS = {
    "key": ("__init__", "raise KeyError('absent')", "KeyError: 'absent'"),
    "attribute": ("forward", "return self.absent", "has no attribute 'absent'"),
    "assertion": ("forward", "assert not self.training; return Base.forward(self, x)", "AssertionError"),
    "exits": ("forward", "sys.exit(3)", "SystemExit: 3"),
    "dies": ("forward", "os._exit(7) if self.training else None; return Base.forward(self, x)", "exit code 7"),
    "shape": ("forward", "return Base.forward(self, x)[..., 0]", "must forecast shape [2, 2, 1]"),
    "nothing": ("forward", "return None", "got NoneType"),
    "loops": ("forward", "time.sleep(0.01)\n        while True: pass", "took longer than 10 s (--cell-timeout)"),
}


def source():
    parts = [FILE]
    for name, (method, body, _) in FAULTS.items():
        arguments = "self, problem" if method == "__init__" else "self, x"
        parts.append(
            f"@zoo.register('{name}', summary='', source='')\nclass {name.title()}(Base):\n"
            f"    def {method}({arguments}):\n        {body}\n"
        )
    return "\n".join(parts)


@pytest.fixture
def faulty(tmp_path):
    path = tmp_path / "faulty.py"
    path.write_text(source())
    return path


def test_each_fault_costs_its_variant_one_row_with_the_reason(prices_csv, faulty, tmp_path):
    ended = run_zoo_here(
        "bench", prices_csv, "--targets", "close", "--horizon", 2, "--models", f"{faulty},ridge,naive", "--seeds", 2,
        "--set", "fit.max_epochs=1", "--cell-timeout", 10, "--out", tmp_path / "out",
    )  # fmt: skip
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False), ended.stderr
    rows, left_out = read_rows(tmp_path / "out")
    assert left_out == []
    errors = {}
    for row in rows:
        errors.setdefault(row.variant, set()).add(row.error)
    assert errors.pop("ridge") == errors.pop("naive") == {None}
    assert set(errors) == set(FAULTS)
    for name, (_, _, reason) in FAULTS.items():
        assert all(reason in (error or "") for error in errors[name]), (name, errors[name])


def test_what_the_user_sets_wrong_is_refused_before_anything_runs(prices_csv, tmp_path):
    ended = run_zoo_here(
        "bench", prices_csv, "--targets", "close", "--models", "lstm,naive", "--set", "lstm.hidden_size=-3",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "variant 'lstm'" in ended.stderr and "hidden_size=-3" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_on_the_command_line_keeps_the_settings_of_the_suite(prices_csv, tmp_path):
    own = FILE.replace("def __init__(self, problem)", "def __init__(self, problem, *, width: int = 1)")
    (tmp_path / "own.py").write_text(
        own.replace("class Base", "@zoo.register('own', summary='', source='')\nclass Base")
    )
    (tmp_path / "suite.toml").write_text(
        f"name = 'mine'\n[data]\nsource = '{prices_csv}'\ntargets = ['close']\n[run]\nmodels = ['own.py', 'naive']\n"
        "seeds = 1\n[fit]\nmax_epochs = 1\n[models.own]\nwidth = 5\n"
    )
    out = tmp_path / "out"
    ended = run_zoo_here("bench", tmp_path / "suite.toml", "--models", tmp_path / "own.py", "--out", out)
    assert ended.returncode == 0, ended.stderr
    (row,) = read_rows(out)[0]
    assert row.params == {"width": 5}
