"""A full disk and too little memory: one line, and what was measured before is safe."""

import resource
import subprocess
import sys

import pytest

from tests.conftest import run_zoo_here
from zoo.run.store import read_rows

pytestmark = pytest.mark.process

BENCH = ("bench", "prices.csv", "--targets", "close", "--models", "ridge,drift,naive", "--jobs", "1", "--out", "out")


def limited(folder, kilobytes):
    """zoo bench where no file may grow beyond a size: writing more fails as on a full disk."""

    def limit():
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the error then comes from the write itself
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * kilobytes, 1024 * kilobytes))

    command = [sys.executable, "-m", "zoo.cli", *BENCH]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, preexec_fn=limit
    )


@pytest.mark.parametrize("kilobytes", [1, 3, 12])
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(prices_csv, kilobytes):
    home = prices_csv.parent
    ended = limited(home, kilobytes)
    assert ended.returncode in (1, 2) and "Traceback" not in ended.stderr + ended.stdout
    if ended.returncode == 2:
        assert ended.stderr.splitlines()[-1].startswith("zoo: cannot write"), ended.stderr
    rows, left_out = read_rows(home / "out")
    assert left_out == [] or ended.returncode == 2  # a line that was cut is the last one
    assert run_zoo_here(*BENCH, cwd=home).returncode == 0
    again, left_out = read_rows(home / "out")
    assert left_out == [] and {row.error for row in again} == {None} and len(again) == 3
    done = {row.key: row.metrics for row in rows if row.error is None}
    assert done == {row.key: row.metrics for row in again if row.key in done}


def test_a_worker_without_memory_costs_its_cell_a_row(prices_csv, tmp_path):
    (tmp_path / "hungry.py").write_text(
        "import resource\nimport torch\nimport zoo\nfrom torch import nn\n"
        "@zoo.register('hungry', summary='', source='')\nclass Hungry(nn.Module):\n"
        "    def __init__(self, problem):\n        super().__init__()\n"
        "        self.layer = nn.Linear(problem.channels, 1)\n"
        "    def forward(self, x):\n"
        "        if self.training:\n"
        "            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "            resource.setrlimit(resource.RLIMIT_AS, (used + 2**33, used + 2**33))\n"
        "            torch.ones(2**40)\n"
        "        return self.layer(x[:, -1:])\n"
    )
    out = tmp_path / "out"
    ended = run_zoo_here(
        "bench",
        prices_csv,
        "--targets",
        "close",
        "--models",
        f"{tmp_path / 'hungry.py'},naive",
        "--seeds",
        1,
        "--out",
        out,
    )
    assert ended.returncode == 1
    errors = {row.variant: row.error for row in read_rows(out)[0]}
    assert errors["naive"] is None and "memory" in errors["hungry"]
