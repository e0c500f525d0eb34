"""Committed results are what their suites ask for, and reports are what their rows say."""

from pathlib import Path

import numpy as np
import pytest

from zoo.bench.rows import read_rows
from zoo.report.markdown import markdown
from zoo.suite import expand, read_suite

ROOT = Path(__file__).parents[1]
SUITES = ROOT / "benchmarks" / "suites"
# Of shipped suites only: a user's own results may lie beside them.
RESULTS = sorted(path for path in (ROOT / "results").glob("*") if (SUITES / f"{path.name}.toml").exists())


@pytest.fixture(params=RESULTS, ids=lambda path: path.name)
def folder(request):
    return request.param


def test_results_of_every_suite_but_smoke_are_there():
    assert {"sp500", "nasdaq", "nasdaq-volume", "tutorial"} <= {path.name for path in RESULTS}


def test_report_is_what_its_rows_say(folder):
    assert (folder / "report.md").read_text(encoding="utf-8") == markdown(*read_rows(folder))


def test_rows_are_the_cells_of_the_suite(folder):
    pytest.importorskip("arch")
    rows, left_out = read_rows(folder)
    cells, _ = expand(read_suite(SUITES / f"{folder.name}.toml"), device="cpu")
    assert left_out == []
    assert {row["key"] for row in rows} == {cell.key for cell in cells}
    assert [row["error"] for row in rows] == [None] * len(rows)
    assert not any("dirty" in (row["commit"] or "") for row in rows)


def test_predictions_give_the_rmse_of_their_rows(folder):
    for row in read_rows(folder)[0]:
        with np.load(folder / row["predictions"]) as kept, np.load(folder / row["truth"]) as truth:
            error = kept["forecast"].astype(float) - truth["truth"]
        assert np.sqrt(np.mean(error**2)) == pytest.approx(row["metrics"]["rmse"], rel=1e-5)
