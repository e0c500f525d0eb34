"""Rows, and what an earlier version wrote, are checked whenever they are read."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zoo
from tests.rows import ACCURACY, METRICS, accuracy_row, merged
from zoo.cell import AccuracyRow, SpeedRow, best_from, row_from
from zoo.records import parse_json
from zoo.run.results import frame_of, results
from zoo.run.store import RowStore, read_rows
from zoo.run.tuned import read_tuned

OLD = Path(__file__).parent / "fixtures" / "schema-1"
OLD_LINES = [json.loads(text) for text in (OLD / "rows.jsonl").read_text().splitlines()]
DEEP = "[" * 5000 + "]" * 5000
REPLACEMENTS = ["null", '"text"', "3", "2.5", "-1", "1e999", "[]", '["text"]', "{}", '{"text": 1}', "true", DEEP]


def test_rows_of_schema_1_are_read():
    rows, left_out = read_rows(OLD)
    assert left_out == []
    assert [row.key for row in rows] == [line["key"] for line in OLD_LINES]
    for row, line in zip(rows, OLD_LINES, strict=True):
        assert isinstance(row, SpeedRow if line.get("kind") == "speed" else AccuracyRow)
        assert (row.variant, row.params, row.error) == (line["variant"], line["params"], line["error"])
        if isinstance(row, AccuracyRow) and row.metrics is not None:
            assert row.metrics.rmse == line["metrics"]["rmse"]
            assert list(row.problem.split) == line["problem"]["split"]
    plugin = next(row for row in rows if row.variant == "mine")
    assert plugin.code is not None and (plugin.code.kind, plugin.code.name) == ("file", "mine.py")
    tuned = next(row for row in rows if isinstance(row, AccuracyRow) and row.tuning is not None)
    assert tuned.tuning.cost.trials == 30


def test_rows_of_schema_1_are_measured_again_because_their_code_is_unknown():
    row = read_rows(OLD)[0][0]
    cell = row.model_copy(update={"code": zoo.variant(row.variant).code.portable}).keyed()
    assert cell.key != row.key


def test_rows_of_schema_1_stay_as_they_are_when_a_run_rewrites_the_file(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes((OLD / "rows.jsonl").read_bytes())
    before = read_rows(tmp_path)
    RowStore(tmp_path).close()
    assert read_rows(tmp_path) == before


def test_best_settings_of_format_1_are_read():
    best = read_tuned(OLD / "tune", ["lstm"])["lstm"]
    assert best == best_from(json.loads((OLD / "tune" / "best.json").read_text()))
    assert (best.params["hidden_size"], best.cost.trials, best.study.sampler) == (106, 30, "tpe")


def test_table_of_results_has_a_row_each_and_flat_columns():
    table = results(OLD)
    assert list(table["variant"]) == [line["variant"] for line in OLD_LINES]
    assert table["rmse"].dropna().tolist() == [line["metrics"]["rmse"] for line in OLD_LINES if line.get("metrics")]
    assert {"params.hidden_size", "fit.learning_rate", "lookback", "skill", "machine.cpu", "folder"} <= set(
        table.columns
    )
    assert (
        not table.drop(columns=["tuning.study.ranges", "tuning.study.settings"])
        .map(lambda x: isinstance(x, dict))
        .any(axis=None)
    )
    assert table.attrs["left_out"] == []


def test_results_name_the_folder_without_rows(tmp_path):
    with pytest.raises(zoo.InputError, match=r"no rows in .*rows.jsonl: run zoo bench"):
        zoo.results(tmp_path)


def test_several_targets_have_metrics_each():
    row = accuracy_row(metrics={"targets": {"open": METRICS, "close": METRICS}})
    assert row.metrics.targets["open"].rmse == 0.5


def places(content, place=()):
    """The path of every field in nested JSON."""
    for name, value in content.items():
        yield (*place, name)
        if isinstance(value, dict):
            yield from places(value, (*place, name))


def with_text(content, place, text):
    """The JSON text of content with the field at place replaced by a JSON text."""
    name, *rest = place
    inner = with_text(content[name], rest, text) if rest else text
    fields = [f"{json.dumps(key)}: {inner if key == name else json.dumps(value)}" for key, value in content.items()]
    return "{" + ", ".join(fields) + "}"


TUNED = next(line for line in OLD_LINES if line.get("tuning"))
SPEED = next(line for line in OLD_LINES if line.get("kind") == "speed")
BEST = json.loads((OLD / "tune" / "best.json").read_text())
EXAMPLES = {
    "a row": merged(ACCURACY, {"metrics": {"targets": {"close": METRICS}}}),
    "a tuned row of schema 1": TUNED,
    "a speed row of schema 1": SPEED,
}


@pytest.mark.slow
@pytest.mark.parametrize("what", EXAMPLES)
def test_any_field_of_a_row_may_be_damaged(what, tmp_path):
    content = EXAMPLES[what]
    texts = [(place, text, with_text(content, place, text)) for place in places(content) for text in REPLACEMENTS]
    for place, text, damaged in texts:
        (tmp_path / "rows.jsonl").write_text(damaged + "\n")
        rows, left_out = read_rows(tmp_path)
        assert len(rows) + len(left_out) == 1, (place, text[:20])
        for sentence in left_out:
            assert sentence.startswith("rows.jsonl line 1: ") and "\n" not in sentence and len(sentence) < 400
        if rows:
            assert row_from(parse_json(rows[0].model_dump_json())) == rows[0]
            assert len(frame_of([(tmp_path, rows[0])])) == 1


def test_any_field_of_best_settings_may_be_damaged(tmp_path):
    for place in places(BEST):
        for text in REPLACEMENTS:
            (tmp_path / "best.json").write_text(with_text(BEST, place, text))
            try:
                read_tuned(tmp_path, ["lstm"])
            except zoo.InputError as error:
                message = str(error)
                assert "best.json" in message and "\n" not in message and len(message) < 500, (place, text[:20])


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)
    | st.binary()
)
def test_no_line_stops_a_reader(tmp_path, value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    (tmp_path / "rows.jsonl").write_bytes(text + b"\n" + accuracy_row().model_dump_json().encode() + b"\n")
    rows, _ = read_rows(tmp_path)
    assert rows[-1] == accuracy_row()


def test_a_number_stays_a_column_where_other_rows_hold_an_object_of_that_name():
    """windows_per_second is a number of an accuracy row, and an object of percentiles of a speed row."""
    rows, _ = read_rows(OLD)
    table = results(OLD)
    speeds = [row.windows_per_second for row in rows if isinstance(row, AccuracyRow)]
    assert table.loc[table["kind"] == "accuracy", "windows_per_second"].dropna().tolist() == [s for s in speeds if s]
    medians = [row.windows_per_second.median for row in rows if isinstance(row, SpeedRow)]
    assert table.loc[table["kind"] == "speed", "windows_per_second.median"].tolist() == medians
