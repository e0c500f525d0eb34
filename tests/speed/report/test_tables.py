"""Tables of speed hold the figures of the rows."""

from tests.speed.report.rows import bare_row, largest_row, speed_row, speed_rows, text_of
from zoo.speed.report.sheets import sheets
from zoo.speed.report.tables import cost_table, largest_table, throughput_table


def test_throughput_table_holds_the_medians_of_the_rows():
    rows = [speed_row(batch=64, seconds=0.001), speed_row(batch=512, seconds=0.004, is_settled=False),
            speed_row("bilstm", batch=64, seconds=0.002), speed_row("bilstm", batch=512, error="Boom: it broke"),
            speed_row("linear", batch=64, seconds=0.0001, fallback="compile: no; measured eager")]  # fmt: skip
    table = throughput_table(sheets(rows)[0])
    assert table.header == ("variant", "parameters", "batch 64", "batch 512")
    assert text_of(table) == [
        ["linear", "6,400", "640,000†", "-"],
        ["lstm", "6,400", "64,000", "128,000~"],
        ["bilstm", "6,400", "32,000", "failed"],
    ]
    assert [[cell.is_best for cell in cells][2:] for cells in table.rows] == [[False] * 2, [True] * 2, [False] * 2]
    assert table.baseline == (True, False, False)


def test_many_batch_sizes_are_thinned_to_what_a_table_has_room_for():
    rows = [speed_row(batch=2**power) for power in range(12)]
    header = throughput_table(sheets(rows)[0]).header
    assert len(header) == 10
    assert (header[2], header[-1]) == ("batch 1", "batch 2,048")


def test_cost_table_of_training_has_the_parts_of_a_step_in_percent():
    row = speed_row(batch=64, seconds=0.002, peak_memory_bytes=12_300_000, flops_per_window=480_000,
                    flops_per_second=15.36e9, ceiling_share=0.256)  # fmt: skip
    table = cost_table(sheets([row])[0], 64)
    assert dict(zip(table.header, text_of(table)[0], strict=True)) == {
        "variant": "lstm", "ms/step": "2.00", "± %": "1.00", "forward %": "30.0", "backward %": "60.0",
        "optimizer %": "10.0", "peak MB": "12.3", "kFLOP/window": "480", "GFLOP/s": "15.4", "ceiling %": "25.6",
    }  # fmt: skip


def test_cost_table_of_inference_has_the_latency_at_batch_1():
    rows = [speed_row(phase="infer", batch=1, seconds=0.0004), speed_row(phase="infer", batch=64, seconds=0.002)]
    table = cost_table(sheets(rows)[0], 64)
    found = dict(zip(table.header, text_of(table)[0], strict=True))
    assert (found["ms/step"], found["p50 ms"], found["p95 ms"], found["p99 ms"]) == ("2.00", "0.400", "0.600", "0.800")
    assert "forward %" not in found


def test_columns_that_no_row_has_a_value_for_are_left_out():
    table = cost_table(sheets([bare_row(speed_row())])[0], 64)
    assert table.header == ("variant", "ms/step")


def test_the_largest_batch_and_what_limits_it_are_told():
    table = largest_table([*speed_rows(), largest_row()])
    assert text_of(table) == [["lstm", "train", "24", "8,192", "out of memory", "8,192", "4,096", "98.3"]]
    assert largest_table(speed_rows()) is None
