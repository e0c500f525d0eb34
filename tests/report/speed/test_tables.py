"""Tables of speed hold the figures of the rows, and name only what differs."""

import pytest

from tests.throughput.rows import GPU, bare_row, changed, frame, largest_row, many_rows, speed_row, tabled
from zoo.report.section import Captioned
from zoo.report.speed import cost_table, speed_section, throughput_table
from zoo.report.speed_verdict import short
from zoo.throughput.table import fullest, kernel_rows, labels, sheets, speed_rows, usual


def sheet(rows):
    return sheets(tabled(rows))[0]


def text_of(table):
    return [[cell.text for cell in cells] for cells in table.rows]


def blocks(rows):
    """The tables of the report with their captions, by heading."""
    return {block.title: block for block in speed_section(frame(rows)).blocks if isinstance(block, Captioned)}


def test_labels_name_only_what_differs():
    rows = [
        speed_row(params={"hidden_size": 32, "dropout": 0.0}),
        speed_row(params={"hidden_size": 64, "dropout": 0.0}, mode="compile"),
        speed_row("bilstm", dtype="bfloat16"),
    ]
    shown = tabled(rows)
    assert set(shown["label"]) == {"lstm (hidden_size=32)", "lstm (hidden_size=64), compile", "bilstm, bfloat16"}
    assert set(labels(shown, ["params.dropout"])) == {"lstm", "lstm, compile", "bilstm, bfloat16"}
    assert list(tabled(rows[:1])["label"]) == ["lstm"]


def test_sheets_are_by_phase_and_lookback_and_their_lines_fastest_first():
    shown = sheets(tabled(many_rows()))
    assert [each.title for each in shown] == [
        "Training, lookback 24", "Training, lookback 96", "Inference, lookback 24", "Inference, lookback 96",
    ]  # fmt: skip
    assert list(shown[0].rows["label"].unique()) == ["linear", "lstm", "bilstm", "stacked-lstm"]
    assert shown[0].common == [1, 64, 512]


def test_other_devices_and_machines_have_sheets_of_their_own():
    shown = sheets(tabled([speed_row(), speed_row(device="cuda", machine=GPU)]))
    assert [each.title for each in shown] == [
        "Training, lookback 24, machine a cpu, device cpu",
        "Training, lookback 24, machine a gpu, device cuda",
    ]


def test_lookbacks_of_few_rows_are_no_full_sheets():
    rows = tabled([*many_rows(), speed_row(lookback=7)])
    assert [each.where for each in fullest(sheets(rows)) if each.phase == "train"] == ["lookback 24", "lookback 96"]


def test_rows_of_earlier_code_are_left_out_and_counted():
    old = [speed_row(variant, code={"sha256": "b" * 64}, seconds=9.0) for variant in ("lstm", "bilstm")]
    new = speed_row(started="2026-02-01T00:00:00+00:00")
    oldest = changed(speed_row(key="none", started="2026-03-01T00:00:00+00:00"), code=None)
    rows = tabled([*old, oldest, new])
    assert dict(zip(rows["variant"], rows["step_seconds.median"], strict=True)) == {"lstm": 1e-3, "bilstm": 9.0}
    sentences = speed_section(frame([*old, oldest, new])).sentences
    assert sentences[-1] == "2 speed rows of earlier code of a variant left out."
    assert not any("left out" in sentence for sentence in speed_section(frame([new])).sentences)


def test_one_set_of_parameters_stands_for_a_variant():
    rows = tabled([speed_row(params={"hidden_size": size}, batch=batch) for size in (16, 32, 64) for batch in (1, 64)])
    assert set(usual(rows)["params.hidden_size"]) == {32}


def test_throughput_table_holds_the_medians_of_the_rows():
    rows = [speed_row(batch=64, seconds=0.001), speed_row(batch=512, seconds=0.004, is_settled=False),
            speed_row("bilstm", batch=64, seconds=0.002), speed_row("bilstm", batch=512, error="Boom: it broke"),
            speed_row("linear", batch=64, seconds=0.0001, fallback="compile: no; measured eager")]  # fmt: skip
    table = throughput_table(sheet(rows))
    assert table.header == ("variant", "parameters", "batch 64", "batch 512")
    shown = dict(
        zip([cells[0].text for cells in table.rows], zip(table.rows, table.baseline, strict=True), strict=True)
    )
    assert {tuple(line) for line in text_of(table)} == {
        ("linear", "6,400", "640,000†", "-"),
        ("lstm", "6,400", "64,000", "128,000~"),
        ("bilstm", "6,400", "32,000", "failed"),
    }
    best = {name: [cell.is_best for cell in cells][2:] for name, (cells, _) in shown.items()}
    assert best == {"linear": [False] * 2, "lstm": [True] * 2, "bilstm": [False] * 2}
    assert {name: is_baseline for name, (_, is_baseline) in shown.items()} == {
        "linear": True, "lstm": False, "bilstm": False,
    }  # fmt: skip


def test_many_batch_sizes_are_thinned_to_what_a_table_has_room_for():
    header = throughput_table(sheet([speed_row(batch=2**power) for power in range(12)])).header
    assert len(header) == 10
    assert (header[2], header[-1]) == ("batch 1", "batch 2,048")


def test_cost_table_of_training_has_the_parts_of_a_step_in_percent():
    row = speed_row(batch=64, seconds=0.002, peak_memory_bytes=12_300_000, flops_per_window=480_000,
                    flops_per_second=15.36e9, ceiling_share=0.256)  # fmt: skip
    table = cost_table(sheet([row]))
    assert dict(zip(table.header, text_of(table)[0], strict=True)) == {
        "variant": "lstm", "ms/step": "2.00", "± %": "1.00", "forward %": "30.0", "backward %": "60.0",
        "optimizer %": "10.0", "peak MB": "12.3", "kFLOP/window": "480", "GFLOP/s": "15.4", "ceiling %": "25.6",
    }  # fmt: skip


def test_cost_table_of_inference_has_the_latency_at_batch_1():
    rows = [speed_row(phase="infer", batch=1, seconds=0.0004), speed_row(phase="infer", batch=64, seconds=0.002)]
    table = cost_table(sheet(rows))
    shown = dict(zip(table.header, text_of(table)[0], strict=True))
    assert (shown["ms/step"], shown["p50 ms"], shown["p95 ms"], shown["p99 ms"]) == ("2.00", "0.400", "0.600", "0.800")
    assert "forward %" not in shown


def test_columns_that_no_row_has_a_value_for_are_left_out():
    assert cost_table(sheet([bare_row(speed_row())])).header == ("variant", "ms/step")


def test_the_largest_batch_and_what_limits_it_are_told():
    table = blocks([*many_rows(), largest_row()])["Largest batch"].table
    assert text_of(table) == [["lstm", "training", "24", "8,192", "out of memory", "8,192", "4,096", "98.3"]]
    assert "Largest batch" not in blocks(many_rows())


def test_at_most_three_kernels_of_the_largest_cell_are_shown():
    seen = [["cell", 0.5], ["gemm", 0.2], ["copy", 0.1], ["fill", 0.05]]
    rows = [speed_row(batch=512, kernels_seen=seen), speed_row(batch=64)]
    assert len(kernel_rows(tabled(rows))) == 1
    table = blocks(rows)["Where the time goes"].table
    assert text_of(table) == [["lstm", "training", "cell 50%, gemm 20%, copy 10%"]]


def test_the_same_rows_in_any_order_give_the_same_table():
    rows = [*many_rows(), largest_row()]
    assert speed_rows(frame(rows)).astype(str).equals(tabled(rows[::-1])[tabled(rows).columns].astype(str))


@pytest.mark.parametrize(
    ("number", "text"),
    [(float("nan"), "-"), (0.0, "0"), (0.00042, "0.000420"), (9.999, "10.0"), (1.0, "1.00"),
     (123.4, "123"), (1234567.0, "1,230,000")],
)  # fmt: skip
def test_numbers_have_three_digits_that_count(number, text):
    assert short(number).removesuffix(".00" if number == 0.0 else "") == text
