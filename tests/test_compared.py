"""zoo.compare: what zoo compare says of two runs, as a table and as text."""

import json

import pandas as pd
import pytest

import zoo
from tests.conftest import run_zoo_here
from tests.report.rows import entries, written
from zoo.notebook import Results


@pytest.fixture
def folders(tmp_path):
    old = written(tmp_path / "old", [*entries("lstm", 0.2, 0), *entries("bilstm", 0.5, 20), *entries("gru", 0.4, 40)])
    new = written(tmp_path / "new", [*entries("lstm", 0.5, 10), *entries("bilstm", 0.5, 30)])
    return old, new


def test_it_says_what_the_command_says(folders):
    own = zoo.compare(*folders)
    told = json.loads(run_zoo_here("compare", *folders, "--json").stdout)
    assert own.verdict.splitlines() == told["summary"]["sentences"]
    assert own.verdict.startswith("1 of 2 better in NEW, by more than chance: lstm.")
    pd.testing.assert_frame_equal(own.table, pd.DataFrame(told["rows"])[list(own.table)])
    assert list(own.table)[:7] == ["label", "old", "new", "gain", "low", "high", "verdict"]
    assert dict(zip(own.table["label"], own.table["verdict"], strict=True)) == {"lstm": "better", "bilstm": "unclear"}
    for _, line in own.table.iterrows():
        assert (
            line["gain"] == pytest.approx(1 - line["new"] / line["old"]) and line["low"] < line["gain"] < line["high"]
        )


def test_it_takes_results_and_a_threshold(folders):
    runs = [Results(folder, frozenset(zoo.results(folder)["key"])) for folder in folders]
    assert zoo.compare(*runs).verdict == zoo.compare(*folders).verdict
    assert set(zoo.compare(*folders, threshold=0.9).table["verdict"]) == {"within"}
    same = zoo.compare(folders[0], folders[0])
    assert same.table.empty and repr(same) == same.verdict == "The same rows in both (3): bilstm; gru; lstm."


def test_it_can_be_looked_at(folders):
    own = zoo.compare(*folders)
    assert own._repr_html_().count("<tr>") == 3 and "Only in OLD (1): gru." in own._repr_html_()
    lines = repr(own).splitlines()
    assert lines[1].split()[:5] == ["variant", "old", "error", "new", "error"] and lines[2].split()[0] == "lstm"


@pytest.mark.parametrize(
    ("old", "new", "how", "rule"),
    [
        (3, "nowhere", {}, "old must be a folder, or what zoo.bench or zoo.speed returns, got int"),
        ("nowhere", "nowhere", {}, "no rows in nowhere/rows.jsonl"),
        (None, None, {"threshold": 5}, "threshold must be a share from 0 to below 1, such as 0.05, got 5"),
    ],
)
def test_a_wrong_request_is_one_line(folders, old, new, how, rule):
    with pytest.raises(zoo.InputError, match=rule):
        zoo.compare(folders[0] if old is None else old, folders[1] if new is None else new, **how)
