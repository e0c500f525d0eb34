"""The verdict of speed is computed from the rows."""

from tests.speed.report.rows import speed_row, speed_rows, sweep_rows
from zoo.speed.report.verdict import speed_verdict


def test_verdict_names_the_fastest_and_by_how_much():
    times = {"linear": 0.001, "lstm": 0.004, "bilstm": 0.008, "stacked-lstm": 0.016}
    rows = [speed_row(name, batch=64, seconds=seconds) for name, seconds in times.items()]
    first, cost = speed_verdict(rows)
    assert first == (
        "Training at batch 64, lookback 24: linear is fastest with 64,000 windows/s, 4.00 times that of lstm. "
        "Of the variants that are not baselines, lstm is fastest with 16,000 windows/s, 2.00 times that of bilstm and "
        "4.00 times that of the slowest, stacked-lstm."
    )
    assert cost == (
        "A step of training at batch 64, lookback 24 holds 1.54 MB with each at its peak and reaches 25.0 % with each "
        "of the speed that the measured ceilings allow (baselines left out)."
    )


def test_verdict_calls_variants_level_whose_intervals_overlap():
    rows = [speed_row("lstm", seconds=0.00100), speed_row("bilstm", seconds=0.00101)]
    assert speed_verdict(rows)[0].endswith("64,000 windows/s, level with bilstm within their intervals.")


def test_verdict_tells_the_range_of_latency_and_of_memory():
    rows = [speed_row(name, "infer", 1, 24, seconds) for name, seconds in (("lstm", 4e-4), ("bilstm", 8e-4))]
    assert speed_verdict(rows)[-1] == (
        "One forecast at a time (batch 1, lookback 24) takes 0.400 ms with lstm to 0.800 ms with bilstm at the median."
    )
    rows = [speed_row("lstm", peak_memory_bytes=2_000_000), speed_row("bilstm", peak_memory_bytes=9_000_000)]
    assert "holds 2.00 MB with lstm to 9.00 MB with bilstm at its peak" in speed_verdict(rows)[1]


def test_verdict_compares_modes_cell_by_cell_and_leaves_out_fallbacks():
    rows = []
    for batch, times in ((64, 2), (512, 3), (4096, 4)):
        rows += [speed_row(batch=batch, seconds=0.012), speed_row(batch=batch, seconds=0.012 / times, mode="compile")]
    rows.append(speed_row("bilstm"))
    rows.append(speed_row("bilstm", mode="compile", fallback="compile: it broke; measured eager"))
    assert speed_verdict(rows)[-1] == (
        "compile against eager: training 3.00 times as fast at the median of 3 cells (2.00 to 4.00)."
    )


def test_verdict_compares_one_set_of_parameters_of_each_variant():
    first = speed_verdict([*sweep_rows(), speed_row(seconds=1e-4)])[0]
    assert "proj-lstm (hidden_size=192)" in first
    assert "hidden_size=64" not in first


def test_verdict_counts_failures_even_where_nothing_else_is_left():
    assert speed_verdict(speed_rows())[-1] == "1 cell failed, not counted."
    assert speed_verdict([speed_row(error="Boom: it broke")]) == ["1 cell failed, not counted."]
