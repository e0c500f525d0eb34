"""zoo data says what its figures mean and suggests a benchmark that runs."""

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo.data.describe import describe, lines
from zoo.errors import InputError


def frame(freq="h", rows=400, **columns):
    time = pd.date_range("2021-03-01", periods=rows, freq=freq)
    series = np.random.default_rng(0).normal(size=rows).cumsum()
    return pd.DataFrame({"date": time, "load": series, **columns})


@pytest.mark.parametrize(
    ("freq", "lookback", "season"), [("h", 24, 24), ("D", 7, 7), ("B", 10, 5), ("MS", 12, 12), ("YS", 7, None)]
)
def test_spacing_suggests_season_and_lookback(freq, lookback, season):
    table = frame(freq, rows=150 if freq == "YS" else 400)
    table["load"] += 9 * np.sin(2 * np.pi * np.arange(len(table)) / season) if season else 0
    facts = describe(zoo.load(table))
    assert (facts["season"], facts["suggestion"]) == (season, {"targets": "load", "lookback": lookback})


def test_season_too_long_for_the_rows_is_no_lookback():
    facts = describe(zoo.load(frame("5min")))
    assert (facts["season"], facts["suggestion"]["lookback"]) == (288, 7)


def test_target_is_a_likely_name_or_the_last_column_that_is_a_number():
    onoff = np.arange(400) % 2
    assert describe(zoo.load(frame(on=onoff, flat=1.0)))["suggestion"]["targets"] == "load"
    assert describe(zoo.load(frame(Price=onoff + 0.5, more=np.arange(400.0))))["suggestion"]["targets"] == "Price"
    assert describe(zoo.load(frame().drop(columns="load").assign(flat=1.0)))["suggestion"] is None


def test_suggested_command_runs_on_a_table_with_text_gaps_and_constants():
    table = frame(place=["n/a?", *map(str, range(399))], flat=1.0)
    table.loc[7, "load"] = np.nan
    suggestion = describe(zoo.load(table))["suggestion"]
    assert suggestion == {"targets": "load", "lookback": 7, "channels": "load,flat", "missing": "ffill"}
    data = zoo.prepare(
        zoo.load(table), targets=["load"], channels=["load", "flat"], lookback=suggestion["lookback"], missing="ffill"
    )
    assert data.channels == ("load",)


def test_advice_is_on_the_target_that_is_named():
    table = frame(wave=np.sin(2 * np.pi * np.arange(400) / 24) + np.random.default_rng(1).normal(size=400))
    facts = describe(zoo.load(table), "WAVE")
    assert facts["suggestion"] == {"targets": "wave", "lookback": 24, "normalise": "none"}
    told = lines(facts)
    assert any(line.startswith("  --normalise none: it returns to its level (ADF p = 0.0") for line in told)
    assert told[-1].endswith("--targets wave --lookback 24 --normalise none")
    with pytest.raises(InputError, match="unknown column 'tide'"):
        describe(zoo.load(table), "tide")


def test_of_several_series_the_longest_is_advised_on_and_named():
    steps = np.random.default_rng(0).normal(size=(2, 400))
    calm = pd.DataFrame({"name": "calm", "y": steps[0, :390]})
    high = pd.DataFrame({"name": "high", "y": 1000 + steps[1]})  # end to end, the two would seem to drift
    facts = describe(zoo.load(pd.concat([calm, high]), series="name"), "y")
    alone = describe(zoo.load(high.drop(columns="name")), "y")
    assert facts["advice"] == alone["advice"] and facts["advised_series"] == "'high', the longest of 2"
    assert any("rows of series 'high', the longest of 2 before" in line for line in lines(facts))


def test_the_command_to_try_names_the_file_as_typed_and_infinite_values_are_told():
    table = frame()
    table.loc[3, "load"] = np.inf
    told = lines(describe(zoo.load(table)), ["--only", "b"], "my file.csv")
    assert told[-1].startswith("try: zoo bench 'my file.csv' ") and told[-1].endswith("--only b")
    assert told[-2] == "zoo bench refuses infinite values: correct or remove them first"


def test_channels_without_a_logarithm_are_left_out_where_growth_is_suggested():
    growth = 100 * np.exp(np.random.default_rng(0).normal(0.01, 0.02, size=1000).cumsum())
    facts = describe(zoo.load(pd.DataFrame({"close": growth, "volume": np.arange(1000.0)})))
    assert facts["suggestion"]["scaler"] == "log" and facts["suggestion"]["channels"] == "close"
    assert "  --channels close: volume cannot be read as logarithms (a value of 0 or below)" in lines(facts)


def test_figures_are_explained_once_and_jumps_only_where_there_are_some():
    plain = "\n".join(lines(describe(zoo.load(frame()))))
    assert "each column: least .. mean .. largest value" in plain and "jump" not in plain
    jumped = frame()
    jumped.loc[200:, "load"] += 1000
    told = lines(describe(zoo.load(jumped)))
    assert any("(1 jump)" in line for line in told)
    assert (
        sum(line.startswith("a jump: a step to the next row more than 10 interquartile ranges") for line in told) == 1
    )


def test_columns_that_are_constant_or_look_like_a_class_are_marked():
    told = lines(describe(zoo.load(frame(on=np.arange(400) % 2, flat=1.0))))
    assert any("on " in line and "looks like a class" in line for line in told)
    assert any("flat" in line and "constant: not an input" in line for line in told)
