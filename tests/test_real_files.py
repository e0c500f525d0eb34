"""The page of four files that others use says what its commands print, where the files are at hand."""

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import run_zoo_here, shared

PAGE = (Path(__file__).parents[1] / "docs/real_files.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\nzoo bench (\S+) (.*?)\n```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(("file", "options", "printed"), BLOCKS, ids=[file for file, _, _ in BLOCKS])
def test_baselines_have_the_figures_of_the_page(tmp_path, file, options, printed):
    options = re.sub(r"--models \S+", "--models naive,ridge", options)
    ended = run_zoo_here("bench", shared(file), *shlex.split(options), "--jobs", "1", "--out", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    report = (tmp_path / "out/report.md").read_text(encoding="utf-8").replace("*", "")
    is_of_folds = "fold 1" in printed
    for name in ("naive (b)", "ridge (b)"):
        (line,) = [line for line in printed.splitlines() if line.strip().startswith(name)]
        rows = [line for line in report.splitlines() if line.startswith(f"| {name}")]
        figures = line.replace(name, "").split()
        expected = figures if is_of_folds else figures[:1]
        row = rows[-1] if is_of_folds else rows[0]
        assert [cell.strip() for cell in row.split("|")[2:-1]][: len(expected)] == expected


def test_the_page_has_four_files():
    assert len(BLOCKS) == 4
