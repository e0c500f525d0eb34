"""zoo speed from the command line: rows that explain themselves, and failures that cost their own cell only."""

import json

import pytest

from tests.conftest import run_zoo_here
from tests.throughput.rows import MEASURED
from zoo.run.store import read_rows

pytestmark = pytest.mark.process

SUITE = """
name = "tiny"
[speed]
models = ["lstm", "naive"]
batch_size = [1, 8]
lookback = [5]
[method]
seconds = 0.3
passes = 2
alone = 1
"""


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """(folder, what the command printed) of one small run."""
    folder = tmp_path_factory.mktemp("speed")
    ended = speed(folder)
    assert ended.returncode == 0, ended.stderr
    return folder, ended


def speed(folder, *arguments, **how):
    """The tiny suite timed into `folder`, with what `arguments` change."""
    suite = folder.with_suffix(".toml")
    suite.write_text(SUITE)
    return run_zoo_here("speed", suite, "--device", "cpu", *arguments, "--out", folder, **how)


def test_each_cell_is_a_row_with_every_field(timed):
    rows, left_out = read_rows(timed[0])
    assert left_out == []
    cells = {(row.variant, row.phase, row.batch_size) for row in rows}
    assert cells == {("lstm", "infer", 1), ("lstm", "infer", 8), ("lstm", "train", 1), ("lstm", "train", 8),
                     ("naive", "infer", 1), ("naive", "infer", 8)}  # fmt: skip
    lines = [json.loads(line) for line in (timed[0] / "rows.jsonl").read_text().splitlines()]
    assert all(set(MEASURED) <= set(line) for line in lines) and len(lines) == len(rows)
    for row in rows:
        assert row.error is None
        step = row.step_seconds
        assert 0 < step.p5 <= step.median <= step.p95
        assert row.windows_per_second.median == pytest.approx(row.batch_size / step.median)
        assert sum(row.passes) == len(row.all_repeats) == len(row.repeats) + row.disturbed
        assert len(row.repeats) >= 6 and len(row.passes) in ((2, 3, 4) if row.is_calm else (4,))
        assert (row.latency_seconds is not None) == (row.phase == "infer" and row.batch_size == 1)
        assert row.peak_memory_bytes > 0 and row.kernels_seen
        assert row.ceilings.flops_per_second > 1e8 and row.ceilings.bytes_per_second > 1e8


def test_the_parts_of_a_training_step_make_the_step(timed):
    for row in read_rows(timed[0])[0]:
        if row.phase == "train":
            parts = row.part_seconds
            whole = parts.forward + parts.backward + parts.optimizer
            assert whole == pytest.approx(row.step_seconds.median, rel=0.8)
        else:
            assert row.part_seconds is None


def test_a_cell_is_repeated_alone(timed):
    (alone,) = [row.alone for row in read_rows(timed[0])[0] if row.alone is not None]
    assert 0.2 < alone.ratio < 5


def test_report_and_pictures_are_beside_the_rows(timed):
    assert (timed[0] / "report.md").exists() and list(timed[0].glob("*.png"))
    assert "windows/s" in timed[1].stdout


def test_a_second_run_times_nothing_and_report_says_the_same(timed):
    folder, _ = timed
    before, report = read_rows(folder), (folder / "report.md").read_text()
    ended = speed(folder)
    assert ended.returncode == 0 and "6 of 6 cells already have rows" in ended.stderr
    assert run_zoo_here("report", folder).returncode == 0
    assert (read_rows(folder), (folder / "report.md").read_text()) == (before, report)


def test_more_passes_add_to_the_rows_that_are_there(timed, tmp_path):
    before = {row.key: row for row in read_rows(timed[0])[0]}
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "rows.jsonl").write_bytes((timed[0] / "rows.jsonl").read_bytes())
    assert speed(folder, "--models", "naive", "--passes", "3").returncode == 0
    for row in read_rows(folder)[0]:
        old = before[row.key]
        if row.variant == "naive":
            assert len(row.passes) >= 3 and row.all_repeats[: len(old.all_repeats)] == old.all_repeats
            assert len(row.all_repeats) == sum(row.passes)
            assert row.latency_seconds is None or row.latency_seconds.p50 <= old.latency_seconds.p50
        else:
            assert row == old


def test_force_times_every_cell_anew(timed, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "rows.jsonl").write_bytes((timed[0] / "rows.jsonl").read_bytes())
    before = {row.key: row for row in read_rows(folder)[0]}
    ended = speed(folder, "--models", "naive", "--passes", "1", "--force")
    assert ended.returncode == 0 and "already have rows" not in ended.stderr
    for row in read_rows(folder)[0]:
        if row.variant == "naive":
            assert len(row.passes) <= 2 and row.all_repeats[:1] != before[row.key].all_repeats[:1]
        else:
            assert row == before[row.key]


def test_a_program_can_read_the_outcome(timed):
    ended = speed(timed[0], "--json")
    assert ended.returncode == 0 and json.loads(ended.stdout)[0]["kind"] == "speed"
    reported = json.loads(run_zoo_here("report", timed[0], "--json").stdout)
    by_key = {cell["key"]: cell for cell in json.loads(ended.stdout)}
    assert len(by_key) == len(reported) and all(by_key[cell["key"]] == cell for cell in reported)


def test_out_of_memory_is_a_row_and_the_rest_is_timed(tmp_path):
    ended = speed(
        tmp_path / "out", "--models", "naive", "--phase", "infer", "--batch-size", "8,2000000000", "--passes", "1"
    )
    assert ended.returncode == 1
    errors = {row.batch_size: row.error for row in read_rows(tmp_path / "out")[0]}
    assert errors[1] is None and errors[8] is None
    assert errors[2_000_000_000].startswith("out of memory")
    assert "out of memory" in (tmp_path / "out/report.md").read_text()


def test_max_finds_the_largest_batch_in_its_time(tmp_path):
    ended = speed(tmp_path / "out", "--models", "naive", "--phase", "infer", "--batch-size", "max", "--passes", "1")
    assert ended.returncode == 0, ended.stderr
    (row,) = [row for row in read_rows(tmp_path / "out")[0] if row.batch_size == "max"]
    assert row.search.limit in ("time", "out of memory")
    assert row.batch_measured in [entry.batch_size for entry in row.search.tried]
    assert row.search.largest >= 128


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch-size", "0"], "speed.batch_size.0 must be a whole number >= 1 or 'max', got 0"),
        (["--batch-size", "8,x"], "batch size must be whole numbers >= 1 or max, with commas between, got 'x'"),
        (["--lookback", "max"], "lookback must be whole numbers >= 1, with commas between, got 'max'"),
        (["--device", "cpu", "--dtype", "tf32"], "dtype tf32 is not supported on this cpu device"),
        (["--set", "lstm.hiden_size=3"], "unknown parameter 'hiden_size'"),
        (["missing.toml"], "no such suite file: missing.toml"),
    ],
)
def test_a_wrong_request_is_one_line_and_nothing_is_written(arguments, message, tmp_path):
    ended = run_zoo_here("speed", *arguments, "--out", tmp_path / "out", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1 and message in ended.stderr
    assert not (tmp_path / "out").exists()
