"""Cliffs and exponents planted in made-up rows are found, and no others."""

import pytest

from tests.speed.report.rows import scaling_rows, speed_row, speed_rows, sweep_rows, text_of
from zoo.speed.report.trends import cliff_sentences, cliffs, scaling_table, scalings


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
    unsettled, busy = sweep_rows(ratio=0.95), sweep_rows(ratio=0.8)
    assert cliffs(unsettled) != []
    for row in unsettled:
        row["is_settled"] = False  # then the 5th and 95th percentiles count: - 3 % and + 5 %
    assert cliffs(unsettled) == []
    for row in busy:
        row["is_calm"] = False
    assert cliffs(busy) == []
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
