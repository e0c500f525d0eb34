import gc
import json

import pytest

from tests.conftest import run_zoo_here
from tests.rows import accuracy_row, failed_row
from zoo.errors import InputError
from zoo.run.store import RowStore, read_rows


def line(row):
    return row.model_dump_json()


def test_last_line_of_a_key_wins_and_bad_lines_move_aside(tmp_path):
    old, new, other = accuracy_row(key="a"), accuracy_row(key="a", epochs=3), accuracy_row(key="b")
    not_a_number = line(other).replace('"train_seconds":1.5', '"train_seconds":NaN')
    half = '{"key": "c", "er'
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([line(old), not_a_number, line(other), line(new), half]))
    rows, left_out = read_rows(tmp_path)
    assert rows == [new, other]
    assert [sentence.split(":")[0] for sentence in left_out] == ["rows.jsonl line 2", "rows.jsonl line 5"]
    assert all("not a row" in sentence and "the line is left out" in sentence for sentence in left_out)
    store = RowStore(tmp_path)
    store.append(accuracy_row(key="d"))
    store.close()
    assert [json.loads(text)["key"] for text in path.read_text().splitlines()] == ["a", "b", "d"]
    assert (tmp_path / "rows.rejected.jsonl").read_text().splitlines() == [not_a_number, half]
    assert all("rows.rejected.jsonl" in note for note in store.notes)


def test_failed_rows_are_not_done(tmp_path):
    store = RowStore(tmp_path / "new" / "folder")
    store.append(accuracy_row(key="a"))
    store.append(failed_row(key="b"))
    assert [store.is_done(key) for key in "abc"] == [True, False, False]
    store.close()


def test_closing_leaves_each_key_once(tmp_path):
    store = RowStore(tmp_path)
    for epochs in (1, 2, 3):
        store.append(accuracy_row(epochs=epochs))
    assert (tmp_path / "rows.jsonl").read_text().count("\n") == 3
    store.close()
    (row,) = [json.loads(text) for text in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert row["epochs"] == 3


def test_a_row_survives_an_interruption_while_it_is_written(tmp_path, monkeypatch):
    store = RowStore(tmp_path)

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.append(accuracy_row())
    monkeypatch.undo()
    store.close()
    assert read_rows(tmp_path)[0] == [accuracy_row()]


def test_two_runs_do_not_share_a_folder(tmp_path):
    first = RowStore(tmp_path)
    with pytest.raises(InputError, match="another run is writing to"):
        RowStore(tmp_path)
    first.close()
    RowStore(tmp_path).close()


def test_a_folder_that_cannot_be_read_is_not_left_locked(tmp_path):
    (tmp_path / "rows.jsonl").mkdir()
    for _ in range(2):
        with pytest.raises(InputError, match="rows.jsonl is a folder, in the way of a file"):
            RowStore(tmp_path)


def test_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"cannot write to .*file.*; choose another --out"):
        RowStore(tmp_path / "file" / "out")


def test_row_of_an_unknown_schema_is_named_and_moves_aside(tmp_path):
    newer = line(accuracy_row(key="new")).replace('"schema_version":2', '"schema_version":99')
    (tmp_path / "rows.jsonl").write_text(newer + "\n" + line(accuracy_row(key="a")) + "\n")
    rows, left_out = read_rows(tmp_path)
    assert [row.key for row in rows] == ["a"]
    assert "schema 99 is not one that this version reads (1 to 2)" in left_out[0]
    RowStore(tmp_path).close()
    assert (tmp_path / "rows.rejected.jsonl").read_text() == newer + "\n"


@pytest.mark.process
def test_a_run_that_is_forced_leaves_each_key_once(prices_csv, tmp_path):
    command = ("bench", prices_csv, "--targets", "close", "--models", "naive,drift", "--out", tmp_path / "out")
    for more in ((), ("--force",)):
        ended = run_zoo_here(*command, *more)
        assert ended.returncode == 0, ended.stderr
    keys = [json.loads(text)["key"] for text in (tmp_path / "out/rows.jsonl").read_text().splitlines()]
    assert len(set(keys)) == len(keys) == 2


def test_a_folder_in_the_way_of_rows_is_said_and_stays(tmp_path):
    (tmp_path / "out" / "rows.jsonl").mkdir(parents=True)
    with pytest.raises(InputError, match="rows.jsonl is a folder, in the way of a file"):
        RowStore(tmp_path / "out")


def test_rows_are_not_written_through_a_link(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "mine.jsonl").write_text("mine")
    (tmp_path / "out" / "rows.jsonl").symlink_to(tmp_path / "mine.jsonl")
    with pytest.raises(InputError, match="rows.jsonl is a symbolic link"):
        RowStore(tmp_path / "out")
    assert (tmp_path / "mine.jsonl").read_text() == "mine"


def test_a_run_with_force_that_was_killed_has_the_new_row_of_a_key_alone(tmp_path):
    old, new = accuracy_row(key="a"), accuracy_row(key="a", epochs=3)
    (tmp_path / "rows.jsonl").write_text(line(old) + "\n" + line(new) + "\n")
    assert read_rows(tmp_path) == ([new], [])


def test_drafts_of_a_killed_run_are_cleared(tmp_path):
    (tmp_path / "predictions").mkdir()
    drafts = [tmp_path / f".rows.jsonl.{2**22 + 1}", tmp_path / "predictions" / f".x.npz.{2**22 + 1}"]
    for path in drafts:
        path.write_text("half")
    RowStore(tmp_path).close()
    assert not any(path.exists() for path in drafts)


def test_a_line_parsed_at_once_is_the_row_of_a_closer_look(tmp_path):
    """Rows of this version are parsed once; what only looks like one gets the same closer look as before."""
    row = accuracy_row(key="a")
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([line(row), line(accuracy_row(key="b")).replace(":", ": ", 1)]))
    assert [each.key for each in read_rows(tmp_path)[0]] == ["a", "b"] and read_rows(tmp_path)[0][0] == row
    without = line(row).replace('"schema_version":2', '"commit":null', 1)
    for wrong in (line(row).replace('"schema_version":2', '"schema_version":3'), without):
        path.write_text(wrong)
        rows, (sentence,) = read_rows(tmp_path)
        assert rows == [] and "is not one that this version reads" in sentence


def test_python_looks_for_cycles_again_once_rows_are_read(tmp_path):
    (tmp_path / "rows.jsonl").write_text("no row\n")
    assert gc.isenabled() and len(read_rows(tmp_path)[1]) == 1 and gc.isenabled()
    gc.disable()
    try:
        read_rows(tmp_path)
        assert not gc.isenabled()
    finally:
        gc.enable()
