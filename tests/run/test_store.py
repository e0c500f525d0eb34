import json

import pytest

from tests.conftest import run_zoo
from zoo.errors import InputError
from zoo.run.store import FIELDS, RowStore, read_rows


def row(key, **fields):
    return dict.fromkeys(FIELDS) | {"key": key} | fields


def test_last_line_of_a_key_wins_and_broken_lines_are_cut(tmp_path):
    lines = [
        json.dumps(row("a", n=1)),
        '{"key": "b", "n": NaN}',
        json.dumps(row("b")),
        json.dumps(row("a", n=2)),
        '{"key": "c", "er',
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines))
    rows, left_out = read_rows(tmp_path)
    assert rows == [row("a", n=2), row("b")]
    assert left_out == ["line 2 of rows.jsonl is not a row: left out", "line 5 of rows.jsonl is not a row: left out"]
    store = RowStore(tmp_path)
    store.append(row("d"))
    store.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [row("a", n=2), row("b"), row("d")]


def test_failed_rows_are_not_done(tmp_path):
    store = RowStore(tmp_path / "new" / "folder")
    store.append(row("a"))
    store.append({"key": "b", "error": "lost"})
    assert [store.is_done(key) for key in "abc"] == [True, False, False]
    store.close()


def test_nan_is_never_written(tmp_path):
    store = RowStore(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.append(row("a", metric=float("nan")))
    store.close()
    assert read_rows(tmp_path) == ([], [])


def test_two_runs_do_not_share_a_folder(tmp_path):
    pytest.importorskip("fcntl")
    first = RowStore(tmp_path)
    with pytest.raises(InputError, match="another run is writing to"):
        RowStore(tmp_path)
    first.close()
    RowStore(tmp_path).close()


def test_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot write to .*file.*; choose another --out"):
        RowStore(tmp_path / "file" / "out")


def test_row_of_another_version_stays_in_the_file_but_not_in_the_report(tmp_path):
    old = {"key": "old", "error": None}
    (tmp_path / "rows.jsonl").write_text(json.dumps(old) + "\n" + json.dumps(row("a")) + "\n")
    rows, left_out = read_rows(tmp_path)
    assert [found["key"] for found in rows] == ["a"]
    assert left_out[0].startswith("row old lacks suite, variant")
    RowStore(tmp_path).close()
    assert json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[0]) == old


def test_a_run_that_is_forced_leaves_each_key_once(prices_csv, tmp_path):
    command = ("bench", prices_csv, "--targets", "close", "--models", "naive,drift", "--out", tmp_path / "out")
    for more in ((), ("--force",)):
        assert run_zoo(*command, *more).returncode == 0
    keys = [json.loads(line)["key"] for line in (tmp_path / "out/rows.jsonl").read_text().splitlines()]
    assert len(set(keys)) == len(keys) == 2
