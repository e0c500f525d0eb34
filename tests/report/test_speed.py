"""Reports of speed are functions of rows: made-up rows in, sentences and tables out."""

import copy
import io
import json

import pytest
from rich.console import Console

from zoo.report.markdown import escaped
from zoo.report.speed import (
    cliff_sentences,
    cliffs,
    cost_table,
    labels,
    scaling_table,
    scalings,
    sheets,
    short,
    speed_summary,
    speed_verdict,
    throughput_table,
)
from zoo.report.speed_markdown import largest_table, method, path_lines, speed_markdown, speed_provenance
from zoo.report.speed_terminal import show_speed

MEASURED = (
    "batch_measured", "repeats", "passes", "steps_per_block", "blocks_per_repeat", "is_settled", "step_seconds",
    "windows_per_second", "latency_seconds", "part_seconds", "peak_memory_bytes", "parameter_count",
    "flops_per_window", "flops_per_second", "bytes_per_step", "ceilings", "ceiling_share", "algorithm_expected",
    "kernels_seen", "graph_breaks", "fallback", "search", "alone", "load", "clocks",
)  # fmt: skip
# name: tags, seconds of a step whatever its size, seconds for each lookback step of each window
VARIANTS = {
    "linear": (("baseline",), 1e-4, 1e-9),
    "lstm": (("lstm",), 4e-4, 1e-7),
    "bilstm": (("lstm",), 6e-4, 2e-7),
    "stacked-lstm": (("lstm",), 7e-4, 2.5e-7),
}


def speed_row(variant="lstm", phase="train", batch=64, lookback=24, seconds=1e-3, *, error=None, **fields):
    """A row of the format that a speed run writes: intervals of ± 1 %, a middle part within them."""
    measured = batch if batch != "max" else 4096
    params = fields.pop("params", {"hidden_size": 64, "dropout": 0.0})
    row = {
        "kind": "speed", "suite": "speed", "variant": variant, "tags": list(VARIANTS.get(variant, (("lstm",),))[0]),
        "params": params, "phase": phase, "device": "cpu", "dtype": "float32", "batch_size": batch,
        "lookback": lookback, "channels": 5, "horizon": 1, "threads": 1, "normalise": "last", "mode": "eager",
        "batch_measured": measured, "repeats": [seconds] * 12, "passes": [6, 6], "steps_per_block": 10,
        "blocks_per_repeat": 3, "is_settled": True,
        "step_seconds": {"median": seconds, "p5": 0.97 * seconds, "p95": 1.05 * seconds, "low": 0.99 * seconds,
                         "high": 1.01 * seconds},
        "windows_per_second": {"median": measured / seconds, "p5": measured / (1.05 * seconds),
                               "p95": measured / (0.97 * seconds)},
        "latency_seconds": None, "part_seconds": None, "peak_memory_bytes": 1000 * measured * lookback,
        "parameter_count": 100 * params.get("hidden_size", 1), "flops_per_window": 20_000 * lookback,
        "flops_per_second": 20_000 * lookback * measured / seconds, "bytes_per_step": 40 * measured * lookback + 9999,
        "ceilings": {"flops_per_second": 6e10, "bytes_per_second": 1e10}, "ceiling_share": 0.25,
        "algorithm_expected": {"variant.lstm": {"forward": "onednn", "backward": "onednn-backward"}},
        "kernels_seen": [["aten::mkldnn_rnn_layer", 0.8], ["aten::addmm", 0.1]], "graph_breaks": None,
        "fallback": None, "search": None, "alone": None, "load": {"others": 0.03, "stolen": 0.001},
        "clocks": {"cpu_mhz": 2450.0},
        "machine": {"cpu": "a cpu", "cores": 2, "system": "an OS"}, "versions": {"torch": "2"}, "commit": "abc",
        "command": "zoo speed --out x", "started": "2026-01-01T00:00:00", "schema": 1, "error": error,
    }  # fmt: skip
    if phase == "infer" and batch == 1:
        row["latency_seconds"] = {"p50": seconds, "p95": 1.5 * seconds, "p99": 2 * seconds, "count": 1000}
    if phase == "train":
        row["part_seconds"] = {"forward": 0.3 * seconds, "backward": 0.6 * seconds, "optimizer": 0.1 * seconds}
    if error is not None:
        row |= dict.fromkeys(MEASURED)
    row.update(fields)
    names = ("variant", "params", "phase", "device", "dtype", "batch_size", "lookback", "mode", "machine")
    return {"key": json.dumps([row[name] for name in names]), **row}


def speed_rows():
    """Four variants at two lookbacks and three batches in both phases; one cell failed, one did not settle."""
    rows = []
    for variant, (_, fixed, each) in VARIANTS.items():
        for phase in ("train", "infer"):
            for lookback in (24, 96):
                for batch in (1, 64, 512):
                    seconds = (fixed + each * batch * lookback) * (3 if phase == "train" else 1)
                    rows.append(speed_row(variant, phase, batch, lookback, seconds))
    place = next(n for n, row in enumerate(rows) if named(row, "stacked-lstm", "train", 512, 96))
    rows[place] = speed_row("stacked-lstm", "train", 512, 96, error="RuntimeError: out of | memory")
    next(row for row in rows if named(row, "bilstm", "infer", 64, 96))["is_settled"] = False
    return rows


def largest_row():
    search = {"largest": 8192, "limit": "out of memory", "tried": []}
    return speed_row(batch="max", seconds=0.5, search=search)


def sweep_rows(ratio=0.8, at=200):
    """Step time grows with hidden_size, but at one size it falls to ratio of its smaller neighbour's."""
    rows = []
    for batch in (64, 512):
        before = 0.0
        for size in (64, 96, 128, 160, 192, 200, 224, 256):
            seconds = 1e-6 * batch * size
            if size == at and batch == 64:
                seconds = ratio * before
            before = seconds
            path = "small" if size < at else "large"
            expected = {"variant.lstm": {"forward": path, "backward": "standard"}}
            params = {"hidden_size": size, "dropout": 0.0}
            rows.append(speed_row("proj-lstm", "train", batch, 24, seconds, params=params, algorithm_expected=expected))
    return rows


def scaling_rows(exponent=0.7):
    """Step times that are powers of the batch size at lookback 48, and of the lookback at batch 128."""
    over_batch = [speed_row("lstm", "train", batch, 48, 1e-4 * batch**exponent) for batch in (16, 64, 256, 1024, 4096)]
    over_lookback = [speed_row("bilstm", "train", 128, steps, 1e-4 * steps**exponent) for steps in (12, 24, 48, 96)]
    return [*over_batch, *over_lookback]


def named(row, variant, phase, batch, lookback):
    return (row["variant"], row["phase"], row["batch_size"], row["lookback"]) == (variant, phase, batch, lookback)


def text_of(table):
    return [[cell.text for cell in cells] for cells in table.rows]


def bare_row(row):
    """The row with nothing measured but its time."""
    kept = ("batch_measured", "step_seconds", "windows_per_second")
    bare = row | dict.fromkeys(name for name in MEASURED if name not in kept)
    bare["step_seconds"] = row["step_seconds"] | {"low": None, "high": None}
    return bare


def test_sheets_are_by_phase_and_lookback_and_their_lines_fastest_first():
    found = sheets(speed_rows())
    assert [(sheet.phase, sheet.lookback) for sheet in found] == [
        ("train", 24), ("train", 96), ("infer", 24), ("infer", 96),
    ]  # fmt: skip
    assert [line.label for line in found[0].lines] == ["linear", "lstm", "bilstm", "stacked-lstm"]
    assert found[0].title == "Training, lookback 24"


def test_other_devices_and_machines_have_sheets_of_their_own():
    other = {"cpu": "a cpu", "cores": 2, "system": "an OS", "gpu": "a gpu"}
    found = sheets([speed_row(), speed_row(device="cuda", machine=other)])
    assert [sheet.title for sheet in found] == [
        "Training, lookback 24, machine a cpu, device cpu",
        "Training, lookback 24, machine a gpu, device cuda",
    ]


def test_labels_name_only_what_differs():
    rows = [
        speed_row(params={"hidden_size": 32, "dropout": 0.0}),
        speed_row(params={"hidden_size": 64, "dropout": 0.0}, mode="compile"),
        speed_row("bilstm", dtype="bfloat16"),
    ]
    assert list(labels(rows).values()) == [
        "lstm (hidden_size=32)",
        "lstm (hidden_size=64), compile",
        "bilstm, bfloat16",
    ]
    assert "lstm" in labels(rows, without="hidden_size").values()
    assert list(labels(rows[2:]).values()) == ["bilstm"]


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


def test_the_planted_cliff_is_found_and_no_other():
    (cliff,) = cliffs(sweep_rows(ratio=0.8))
    assert (cliff.smaller["params"]["hidden_size"], cliff.bigger["params"]["hidden_size"]) == (192, 200)
    assert cliff.bigger["batch_size"] == 64
    assert cliff.ratio == pytest.approx(0.8)
    assert cliff_sentences(sweep_rows(ratio=0.8)) == [
        "proj-lstm: hidden_size 200 takes 0.80 of the time of 192 (9.83 against 12.3 ms a step) in training at batch "
        "64, lookback 24; its forward path changes from small to large."
    ]


def test_without_a_planted_cliff_the_report_says_that_there_is_none():
    rows = sweep_rows(ratio=200 / 192)
    assert cliffs(rows) == []
    assert cliff_sentences(rows) == [
        "No cliff: over hidden_size 64-256 (8 values) no model is faster than its next smaller one beyond the "
        "intervals."
    ]
    assert cliff_sentences(speed_rows()) == []


def test_a_gain_within_the_intervals_is_no_cliff():
    assert cliffs(sweep_rows(ratio=0.985)) == []  # the intervals are ± 1 %
    unknown = sweep_rows(ratio=0.8)
    for row in unknown:
        row["step_seconds"] |= {"low": None, "high": None}
    assert cliffs(unknown) == []


def test_the_largest_cliffs_are_told_and_the_rest_counted():
    rows = [speed_row(seconds=1 / (size + 64 * number), params={"hidden_size": size}, lookback=7 + number)
            for number in range(4) for size in (16, 32, 64, 128)]  # fmt: skip
    sentences = cliff_sentences(rows)
    assert len(sentences) == 11
    assert sentences[0].startswith("lstm: hidden_size 32 takes 0.50 of the time of 16")
    assert sentences[-1] == "2 more with smaller gains are not listed."


@pytest.mark.parametrize("exponent", [0.4, 1.0, 1.3])
def test_the_exponent_of_a_power_law_is_recovered(exponent):
    over_batch, over_lookback = scalings(scaling_rows(exponent))
    for found in (over_batch, over_lookback):
        assert found.exponent == pytest.approx(exponent)
        assert found.exponent_of_half == pytest.approx(exponent)
    assert (over_batch.over, over_lookback.over) == ("batch_size", "lookback")
    table = scaling_table([over_batch, over_lookback], "batch_size")
    assert table.header == ("variant", "lookback", "training: k", "training: k, largest half")
    assert text_of(table) == [["lstm", "48", f"{exponent:.2f} (16-4096)", f"{exponent:.2f} (256-4096)"]]


def test_fixed_costs_lower_the_exponent_of_the_smaller_half_alone():
    rows = [speed_row(batch=batch, seconds=max(1e-3, 1e-5 * batch)) for batch in (1, 10, 100, 1000, 10_000)]
    (found,) = scalings(rows)
    assert found.exponent < 0.6
    assert found.exponent_of_half == pytest.approx(1.0)


def test_three_sizes_are_too_few_for_an_exponent():
    assert scalings(scaling_rows()[:3]) == []
    assert scaling_table([], "lookback") is None


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


def test_kernels_are_shown_under_short_names_and_at_most_three():
    seen = [
        ["void elemWiseRNNcell<float, (cudnnRNNMode_t)2>(int, float)", 0.4], ["void elemWiseRNNcell<half>(int)", 0.1],
        ["std::enable_if<!(false), void>::type internal::gemvx::kernel<int>(x)", 0.2],
        ["void at::native::(anonymous namespace)::copy<4>(int)", 0.1], ["Memcpy DtoD (Device -> Device)", 0.05],
    ]  # fmt: skip
    assert path_lines([speed_row(kernels_seen=seen)])[0][5] == (
        "elemWiseRNNcell 50 %, internal::gemvx::kernel 20 %, at::native::copy 10 %"
    )


def test_the_largest_batch_and_what_limits_it_are_told():
    table = largest_table([*speed_rows(), largest_row()])
    assert text_of(table) == [["lstm", "train", "24", "8,192", "out of memory", "8,192", "4,096", "98.3"]]
    assert largest_table(speed_rows()) is None


def test_method_tells_what_disturbed_the_measurement():
    rows = [speed_row("lstm", alone={"median": 1.1e-3, "ratio": 1.1}), speed_row("bilstm", is_settled=False),
            speed_row("stacked-lstm", load={"others": 0.25, "stolen": 0.0}, alone={"median": 9e-4, "ratio": 0.9}),
            speed_row("lstm", mode="compile", graph_breaks=2),
            speed_row("lstm", mode="cuda-graph", fallback="cuda-graph: no GPU; measured eager")]  # fmt: skip
    how, disturbed = method(rows)
    assert "the fastest of 3 consecutive blocks of 10 steps; a cell has 12 repeats, in 2 passes" in how
    assert "1 of 5 cells did not settle within ± 2 % (bilstm, training at batch 64, lookback 24)." in how
    for part in (
        "2 sampled cells measured once more and alone took 1.000 times as long at the median (0.900 to 1.100).",
        "other processes used at most 25.0 % and the hypervisor took at most 0.100 % of the machine's cores",
        "1 cell fell back: cuda-graph: no GPU; measured eager (lstm, cuda-graph, training at batch 64, lookback 24).",
        "Compilation broke the graph of lstm 2 times.",
    ):
        assert part in disturbed


def test_provenance_has_the_machine_its_ceilings_and_its_clocks():
    gpu = {"cpu": "a cpu", "cores": 2, "system": "an OS", "gpu": "a gpu"}
    clocks = {"cpu_mhz": 2450.0, "sm_mhz": "1980", "memory_mhz": "[N/A]", "temperature": 41, "throttle": "0x0000"}
    found = speed_provenance([speed_row(device="cuda", machine=gpu, clocks=clocks)])
    assert ("machine", "a gpu, a cpu, 2 cores, an OS") in found
    assert ("ceilings of cuda, float32, 1 thread", "60.0 GFLOP/s, 10.0 GB/s, measured") in found
    assert ("clocks", "CPU 2,450 MHz, GPU 1,980 MHz, GPU 41.0 °C") in found
    assert ("versions", "torch 2") in found
    assert ("commit", "abc") in found


def test_markdown_holds_every_section_in_order():
    pictures = ["windows-per-second.png", "roofline.png", "cliffs.png", "scaling.png"]
    text = speed_markdown([*speed_rows(), largest_row(), *sweep_rows(), *scaling_rows()], pictures)
    parts = [
        "# speed\n", "**Training at batch", "## Windows per second", "](windows-per-second.png)",
        "### Training, lookback 24", "### Inference, lookback 96", "### Training, other lookbacks", "## Cost of a step",
        "](roofline.png)", "can exceed 100 %", "## Why: the paths taken", "## Cliffs", "](cliffs.png)", "## Scaling",
        "](scaling.png)", "## Largest batch", "## Method", "Cells that failed:",
        "- stacked-lstm, training at batch 512, lookback 96: RuntimeError: out of \\| memory", "- machine: a cpu",
        "Run it again:\n\n    zoo speed --out x\n",
    ]  # fmt: skip
    places = [text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places)


def test_markdown_is_the_same_text_for_the_same_rows_in_any_order():
    rows = [*speed_rows(), largest_row(), *sweep_rows(), *scaling_rows()]
    before = copy.deepcopy(rows)
    assert speed_markdown(rows) == speed_markdown(rows[::-1])
    assert rows == before


def test_markdown_leaves_out_sections_without_rows():
    text = speed_markdown([speed_row(device="cuda")])
    for part in ("## Cliffs", "## Scaling", "## Largest batch", "Cells that failed", "can exceed 100 %", "!["):
        assert part not in text, part


def test_names_cannot_become_markup():
    odd = "<b>|*x*"
    text = speed_markdown([speed_row(odd), speed_row("lstm", error="a|b\n<i>")])
    assert "<b>" not in text and "<i>" not in text
    assert escaped(odd) in text
    bars = {line.count("|") - line.count("\\|") for line in text.splitlines()}
    assert bars == {0, 4, 7, 11}  # no table, and tables of 3, 6 and 10 columns


def test_rows_with_null_fields_or_errors_break_nothing():
    bare = [bare_row(row) if row["error"] is None else row for row in speed_rows()]
    failed = [speed_row(batch=batch, error="Boom: it broke") for batch in (64, "max")]
    for rows in (bare, failed, [*bare, *failed]):
        text = speed_markdown(rows)
        assert "None" not in text
        assert len(speed_summary(rows)) > 0
        show_speed(Console(file=io.StringIO()), rows)


def test_summary_is_plain_values_of_every_cell():
    found = json.loads(json.dumps(speed_summary([*speed_rows(), largest_row()])))
    assert [(sheet["phase"], sheet["lookback"]) for sheet in found] == [
        ("train", 24), ("train", 96), ("infer", 24), ("infer", 96),
    ]  # fmt: skip
    cells = {(cell["label"], cell["batch_size"]): cell for cell in found[0]["cells"]}
    assert cells["lstm", 64]["windows_per_second"]["median"] == pytest.approx(64 / (3 * (4e-4 + 1e-7 * 64 * 24)))
    assert cells["lstm", "max"]["search"]["largest"] == 8192
    broken = [cell for sheet in found for cell in sheet["cells"] if cell["error"]]
    assert [cell["label"] for cell in broken] == ["stacked-lstm"]


@pytest.mark.parametrize(
    ("width", "has_parameters", "has_middle"), [(120, True, True), (60, False, True), (45, False, False)]
)
def test_terminal_tables_fit_their_width(width, has_parameters, has_middle):
    console = Console(width=width, record=True, file=io.StringIO())
    show_speed(console, speed_rows())
    text = console.export_text()
    tables = text[: text.index("Windows per second at each")]
    assert ("parameters" in tables) == has_parameters
    assert ("batch 64" in tables) == has_middle
    assert "104,781" in tables and "failed" in tables
    assert max(len(line) for line in text.splitlines()) <= width
    assert ("A wider terminal shows more columns" in " ".join(text.split())) == (not has_parameters)


def test_terminal_shows_names_that_look_like_markup_as_they_are():
    console = Console(width=120, record=True, file=io.StringIO())
    show_speed(console, [speed_row("[red]odd"), speed_row(error="[bold]Boom")])
    text = console.export_text()
    assert "[red]odd" in text and "[bold]Boom" in text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.00042, "0.000420"),
        (9.999, "10.0"),
        (1.0, "1.00"),
        (123.4, "123"),
        (1234567.0, "1,230,000"),
    ],
)
def test_numbers_have_three_digits_that_count(number, text):
    assert short(number) == text
