"""Paths are told with the sizes at which they hold."""

from tests.speed.report.rows import speed_row, sweep_rows
from zoo.speed.report.paths import path_lines


def test_paths_are_told_with_the_sizes_at_which_they_hold():
    lines = [line[:5] for line in path_lines(sweep_rows())]
    assert lines == [
        ("proj-lstm", "train", "hidden_size 64-192", "small", "standard"),
        ("proj-lstm", "train", "hidden_size 200-256", "large", "standard"),
    ]
    assert path_lines([speed_row()])[0][2:] == (
        "all", "onednn", "onednn-backward", "aten::mkldnn_rnn_layer 80 %, aten::addmm 10 %",
    )  # fmt: skip


def test_paths_that_two_settings_decide_are_told_by_both():
    def path(batch, size):
        return {"variant.lstm": {"forward": "static" if batch == 64 and size <= 128 else "standard"}}

    rows = [
        speed_row("lstm", "train", batch, steps, params={"hidden_size": size}, algorithm_expected=path(batch, size))
        for batch in (64, 512)
        for size in (64, 128, 256)
        for steps in (24, 96)
    ]
    assert [line[2:4] for line in path_lines(rows)] == [
        ("hidden_size 64-128 at batch_size 64", "static"),
        ("hidden_size 256 at batch_size 64; hidden_size 64-256 at batch_size 512", "standard"),
    ]


def test_at_most_three_kernels_are_shown():
    seen = [["cell", 0.5], ["gemm", 0.2], ["copy", 0.1], ["fill", 0.05]]
    assert path_lines([speed_row(kernels_seen=seen)])[0][5] == "cell 50 %, gemm 20 %, copy 10 %"
