"""zoo.speed: throughput from Python, with the rows of the command."""

import pytest

import zoo
from zoo.report.speed_compare import compare

FEW = {"phase": "infer", "batch_size": 8, "lookback": 7, "seconds": 0.05, "passes": 1}


@pytest.mark.process
def test_variants_are_timed_and_told_apart(tmp_path):
    run = zoo.speed(["lstm", "linear"], **FEW, params={"lstm": {"hidden_size": [8, 16]}}, out=tmp_path / "out")
    rows, table = run.rows, run.table
    assert sorted(table["variant"].unique()) == ["linear", "lstm (hidden_size=16)", "lstm (hidden_size=8)"]
    assert len(rows) == len(table) == 6 and set(table["batch_size"]) == {1, 8}  # one at a time gives the latency
    for _, line in table.iterrows():
        assert line["windows_per_second"] == pytest.approx(line["batch_size"] / line["step_seconds"], rel=1e-6)
    first = table[table["batch_size"] == 8].iloc[0]
    assert first["variant"] == "linear"  # the fastest stands first
    assert run.verdict.startswith("Inference at batch 8, lookback 7: lstm (hidden_size=")
    assert "batch 8" in repr(run) and run._repr_html_().count("<tr>") == 4
    run.plot().savefig(tmp_path / "speed.png")
    with pytest.raises(zoo.InputError, match="there is no picture 'scale' here: windows-per-second"):
        run.plot("scale")
    part = zoo.speed(["linear"], **FEW, out=tmp_path / "out")  # of the same folder its own rows alone
    assert part.keys < run.keys and set(part.table["variant"]) == {"linear"}
    again = zoo.speed("linear", **FEW)
    compared = zoo.compare(run, again)
    assert compared.verdict.splitlines()[-1].startswith("Only in OLD (4): lstm")
    assert list(compared.table["label"]) == [each.label for each in compare(run.folder, again.folder).changes]


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"models": ["ltsm"]}, "unknown variant 'ltsm'; did you mean 'lstm'"),
        ({"phase": "training"}, "speed.phase"),
        ({"batch_size": 0}, "batch_size"),
        ({"seconds": 0}, "seconds"),
        ({"params": {"lstm": {"hiden_size": 8}}}, "unknown parameter 'hiden_size' of variant 'lstm'"),
        ({"models": ["naive"], "phase": "train"}, "nothing to time: naive in phase train"),
    ],
    ids=str,
)
def test_a_wrong_request_leaves_nothing(settings, rule, tmp_path):
    with pytest.raises(zoo.InputError, match=rule):
        zoo.speed(**{"models": ["lstm"], **FEW, **settings}, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
