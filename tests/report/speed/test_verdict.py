"""The verdict, the cliffs and the scaling are computed from the rows; planted ones are found, and no others."""

import statistics

import pytest

from tests.report.speed.test_tables import blocks
from tests.throughput.rows import GPU, changed, many_rows, scaling_rows, speed_row, sweep_rows, tabled
from zoo.report.speed_verdict import cliff_sentence, failures, provenance, subject, verdict
from zoo.throughput.table import cliffs, exponents


def answers(rows):
    return verdict(tabled(rows))


def test_verdict_names_the_fastest_and_by_how_much():
    times = {"linear": 0.001, "lstm": 0.004, "bilstm": 0.008, "stacked-lstm": 0.016}
    rows = [speed_row(name, batch=64, seconds=seconds) for name, seconds in times.items()]
    assert answers(rows) == [
        "Training at batch 64, lookback 24: lstm is fastest with 16,000 windows/s, 2.00 times bilstm and 4.00 times "
        "the slowest, stacked-lstm (baseline linear: 64,000)."
    ]


def test_verdict_calls_variants_level_whose_passes_do_not_tell_them_apart():
    rows = [in_passes("lstm", 0.95e-3, 1.0e-3, 1.05e-3), in_passes("bilstm", 1.0e-3, 1.01e-3, 1.02e-3)]
    level = "Training at batch 64, lookback 24: no clear winner between lstm (64,000 windows/s) and bilstm."
    assert answers(rows) == [level]
    apart = [in_passes("lstm", 0.99e-3, 1.0e-3, 1.01e-3), in_passes("bilstm", 1.09e-3, 1.1e-3, 1.11e-3)]
    assert "no clear winner" not in answers(apart)[0]
    two = [in_passes("lstm", 0.99e-3, 1.01e-3), in_passes("bilstm", 1.09e-3, 1.11e-3)]
    assert "no clear winner" in answers(two)[0]


def in_passes(variant, *medians):
    repeats = [(seconds, 1e-4) for seconds in medians for _ in range(4)]
    row = speed_row(variant, seconds=statistics.median(medians))
    return changed(row, all_repeats=repeats, passes=[4] * len(medians))


def test_verdict_tells_the_range_of_latency():
    rows = [speed_row(name, "infer", 1, 24, seconds) for name, seconds in (("lstm", 4e-4), ("bilstm", 8e-4))]
    assert answers(rows)[-1].endswith("one forecast at a time takes 0.400 ms (lstm) to 0.800 ms (bilstm).")


def test_verdict_compares_modes_cell_by_cell_and_leaves_out_fallbacks():
    rows = []
    for batch, times in ((64, 2), (512, 3), (4096, 4)):
        rows += [speed_row(batch=batch, seconds=0.012), speed_row(batch=batch, seconds=0.012 / times, mode="compile")]
    rows.append(speed_row("bilstm"))
    rows.append(speed_row("bilstm", mode="compile", seconds=1e-9, fallback="compile: it broke; measured eager"))
    assert answers(rows)[-1] == "Median speed relative to eager float32: compile float32 3.00 in training."


def test_verdict_compares_one_set_of_parameters_of_each_variant():
    first = answers([*sweep_rows(), speed_row(seconds=1e-4)])[0]
    assert "hidden_size=64" not in first


def test_verdict_of_nothing_but_failures_counts_them():
    assert answers([speed_row(error="Boom: it broke")]) == ["No cell was measured: 1 cell failed."]
    assert len(answers(many_rows())) == 2


def test_verdict_says_that_the_machine_was_busy():
    rows = [changed(row, is_calm=row.error is not None) if row.batch_size == 64 else row for row in many_rows()]
    assert answers(rows)[-1] == (
        "The machine was busy whenever 16 of 47 cells ran: these times are too high by an unknown share."
    )


def test_failures_name_the_cell_the_error_and_the_traceback():
    rows = tabled([speed_row(), speed_row("bilstm", error="Boom: it broke", traceback="errors/aa.txt")])
    assert failures(rows) == ["bilstm, training at batch 64, lookback 24: Boom: it broke (see errors/aa.txt)"]


def test_the_planted_cliff_is_found_and_no_other():
    (cliff,) = cliffs(tabled(sweep_rows(ratio=0.8))).to_dict("records")
    assert (cliff["parameter"], cliff["smaller"], cliff["bigger"]) == ("hidden_size", 192, 200)
    assert (cliff["line"], cliff["variant"]) == ("proj-lstm", "proj-lstm")
    assert cliff["batch_size"] == 64
    assert cliff["ratio"] == pytest.approx(0.8)
    assert cliff_sentence(tabled(sweep_rows(ratio=0.8))) == (
        "A bigger model can be faster: proj-lstm with hidden_size 200 takes 0.80 of the time of 192 in training at "
        "batch 64, lookback 24."
    )


def test_without_a_planted_cliff_the_report_says_that_there_is_none():
    rows = tabled(sweep_rows(ratio=200 / 192))
    assert len(cliffs(rows)) == 0
    assert cliff_sentence(rows) == ("No model is clearly faster than the next smaller one, over hidden_size 64 to 256.")
    assert cliff_sentence(tabled(many_rows())) == ""


def test_a_gain_within_the_intervals_is_no_cliff():
    def count_of(ratio, **changes):
        return len(cliffs(tabled([changed(row, **changes) for row in sweep_rows(ratio=ratio)])))

    assert count_of(0.985) == 0  # the intervals are ± 1 %
    assert count_of(0.95) > 0
    assert count_of(0.95, is_settled=False) == 0  # then the 5th and 95th percentiles count: - 3 % and + 5 %
    assert count_of(0.8, is_settled=False) > 0
    assert count_of(0.8, is_calm=False) == 0
    assert count_of(0.8, step_seconds={"low": None, "high": None}) == 0


def test_the_largest_cliffs_are_told_and_the_rest_counted():
    rows = [speed_row(seconds=1 / (size + 64 * number), params={"hidden_size": size}, lookback=7 + number)
            for number in range(8) for size in (16, 32, 64, 128)]  # fmt: skip
    cliff_block = blocks(rows)["Cliffs"]
    table = cliff_block.table
    assert len(table.rows) == 20
    values = dict(zip(table.header, (cell.text for cell in table.rows[0]), strict=True))
    assert (values["smaller"], values["bigger"], values["ratio"], values["lookback"]) == ("16", "32", "0.50", "7")
    more = len(cliffs(tabled(rows))) - 20
    assert more > 0 and cliff_block.caption.endswith(f"{more} more with smaller gains are left out.")


@pytest.mark.parametrize("exponent", [0.4, 1.0, 1.3])
def test_the_exponent_of_a_power_law_is_recovered(exponent):
    values = exponents(tabled(scaling_rows(exponent)))
    assert list(values["over"]) == ["batch_size"] * 2 + ["lookback"] * 2
    assert list(values["part"]) == ["k", "k, largest half"] * 2
    assert list(values["k"]) == pytest.approx([exponent] * 4)
    table = blocks(scaling_rows(exponent))["Scaling: Step time over batch size"].table
    assert table.header == ("variant", "lookback", "training: k", "training: k, largest half")
    assert [[cell.text for cell in cells] for cells in table.rows] == [
        ["lstm", "48", f"{exponent:.2f} (16-4096)", f"{exponent:.2f} (256-4096)"]
    ]


def test_fixed_costs_lower_the_exponent_of_the_smaller_half_alone():
    rows = [speed_row(batch=batch, seconds=max(1e-3, 1e-5 * batch)) for batch in (1, 10, 100, 1000, 10_000)]
    whole, half = exponents(tabled(rows))["k"]
    assert whole < 0.6
    assert half == pytest.approx(1.0)


def test_three_sizes_are_too_few_for_an_exponent():
    assert len(exponents(tabled(scaling_rows()[:3]))) == 0


def test_provenance_tells_how_it_was_measured_and_what_disturbed_it():
    rows = [speed_row("lstm", alone={"median": 1.1e-3, "ratio": 1.1}), speed_row("bilstm", is_settled=False),
            speed_row("stacked-lstm", alone={"median": 9e-4, "ratio": 0.9}, passes=[6, 8], disturbed=2),
            speed_row("lstm", mode="compile", graph_breaks=2, is_calm=False),
            speed_row("lstm", mode="cuda-graph", fallback="cuda-graph: no GPU; measured eager")]  # fmt: skip
    values = dict(provenance(tabled(rows)))
    assert values["repeats"] == (
        "12 in a cell, each the fastest of its blocks (passes: 2 to 3; blocks in a repeat: 3; steps in a block: 10)"
    )
    assert values["settled"] == "4 of 5 cells"
    assert values["repeats set aside"].startswith("2 of 62: the machine was slower")
    assert values["busy machine in every pass"] == "1 cell"
    assert values["timed again alone"] == "2 cells: 1.000 of the time beside other cells (0.900 to 1.100)"
    assert values["measured in another mode"] == "1 cell: cuda-graph: no GPU; measured eager"
    assert values["graph breaks"] == "lstm: 2"


def test_provenance_has_the_machine_its_ceilings_and_its_clocks():
    clocks = {"cpu_mhz": 2450.0, "sm_mhz": "1980", "memory_mhz": "[N/A]", "temperature": 41, "throttle": "0x0000"}
    rows = tabled([speed_row(device="cuda", machine=GPU, clocks=clocks)])
    values = provenance(rows)
    assert ("machine", "cpu a cpu, cores 2, system an OS, gpu a gpu") in values
    assert ("ceilings of cuda, float32, 1 thread", "60.0 GFLOP/s, 10.0 GB/s") in values
    assert ("clocks", "cpu_mhz 2,450, sm_mhz 1,980, temperature 41") in values
    assert ("versions", "torch 2") in values
    assert ("commit", "abc") in values
    assert subject(rows) == ("1 variant in 1 cell on a gpu (cuda, float32, eager, threads 1, channels 5, horizon 1).")
