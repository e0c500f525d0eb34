"""zoo.bench: what a notebook needs, from data in memory to a table, forecasts and pictures."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import zoo
from tests.cases import made_cases
from tests.conftest import price_frame
from zoo.errors import InputError
from zoo.run.results import results

pytestmark = pytest.mark.process
FEW = {"models": ["naive", "ridge", "lstm"], "seeds": 2, "fit": {"max_epochs": 3}, "jobs": 1}


@pytest.fixture(scope="module")
def run():
    return zoo.bench(price_frame().set_index("date").rename_axis(None).set_axis(
        pd.DatetimeIndex(price_frame()["date"]), axis=0), "close", **FEW)  # fmt: skip


def test_the_table_is_what_was_measured(run):
    rows = run.rows
    assert set(run.table.index) == {"naive", "ridge", "lstm"} and run.table.index[0] == run.best
    for name in ("rmse", "mae", "skill"):
        expected = rows.groupby("variant")[name].mean()
        assert run.table[name].to_dict() == pytest.approx(expected.to_dict())
    assert run.table.loc["lstm", "seeds"] == 2
    assert run.table.loc["ridge", "skill_interval_low"] < run.table.loc["ridge", "skill"]
    assert run.verdict.startswith(("No", "Yes", "Unclear"))


def test_forecasts_have_times_and_give_the_metrics(run):
    forecasts = run.forecasts()
    assert list(forecasts.columns) == ["variant", "seed", "row", "time", "step", "target", "actual", "forecast"]
    frame = price_frame()
    own = forecasts[(forecasts["variant"] == "lstm") & (forecasts["seed"] == 1)]
    assert len(own) == 60
    np.testing.assert_allclose(own["actual"], frame["close"].to_numpy()[own["row"]])
    assert list(own["time"]) == list(pd.DatetimeIndex(frame["date"])[own["row"]])
    rmse = float(np.sqrt(((own["actual"] - own["forecast"]) ** 2).mean()))
    rows = run.rows
    assert rmse == pytest.approx(
        float(rows[(rows["variant"] == "lstm") & (rows["seed"] == 1)]["rmse"].iloc[0]), rel=1e-5
    )


def test_it_can_be_looked_at(run, tmp_path):
    assert "lstm" in repr(run) and "skill %" in repr(run)
    assert run._repr_html_().count("<tr>") == 4
    for name in ("forecast", "skill"):
        run.plot(name).savefig(tmp_path / f"{name}.png")
        assert run.plot(name)._repr_png_().startswith(b"\x89PNG")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
    assert run.report(tmp_path / "r.md").read_text().startswith("# ")
    assert "<html" in run.report(tmp_path / "r.html").read_text()[:300]
    with pytest.raises(InputError, match="there is no picture 'skil' here: skill, forecast"):
        run.plot("skil")
    with pytest.raises(InputError, match=r"a report ends in \.html"):
        run.report(tmp_path / "r.pdf")


def test_paths_series_and_arrays_give_the_same(prices_csv):
    frame = pd.read_csv(prices_csv)
    how = {"models": ["naive", "ridge"], "seeds": 1, "channels": ["close"]}
    skills = [
        zoo.bench(prices_csv, "close", **how).table.loc["ridge", "skill"],
        zoo.bench(frame, "close", **how).table.loc["ridge", "skill"],
    ]
    series = frame.set_index(pd.DatetimeIndex(frame["date"]))["close"]
    for data in (series, frame["close"].to_numpy()):
        skills.append(zoo.bench(data, models=["naive", "ridge"], seeds=1).table.loc["ridge", "skill"])
    assert skills == pytest.approx([skills[0]] * 4, abs=1e-9)


def test_a_named_folder_is_gone_on_from(prices, tmp_path):
    first = zoo.bench(prices, "close", **FEW, out=tmp_path / "out")
    started = results(tmp_path / "out")["started"]
    more = zoo.bench(prices, "close", **{**FEW, "models": ["naive", "ridge", "lstm", "linear"]}, out=tmp_path / "out")
    assert set(first.table.index) == {"naive", "ridge", "lstm"} and len(more.table) == 4
    again = results(tmp_path / "out")
    assert again.loc[again["variant"] != "linear", "started"].tolist() == started.tolist()


def test_events_tell_epochs_and_rows(prices):
    events = []
    run = zoo.bench(prices, "close", **{**FEW, "models": ["ridge", "lstm"]}, on_event=events.append)
    epochs = [event for event in events if event.epoch is not None]
    assert [(event.cell.seed, event.epoch["epoch"]) for event in epochs] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 1),
        (1, 2),
        (1, 3),
    ]
    assert all(event.cell.variant == "lstm" and event.epoch["valid_loss"] > 0 for event in epochs)
    assert {event.row.key for event in events if event.row is not None} == run.keys
    assert sum(event.epoch is None and event.row is None for event in events) == 3  # each run began once


def test_tasks_and_folds_are_settings(prices):
    few = {"models": ["naive", "ridge"], "seeds": 1}
    assert "q90" in zoo.bench(prices, "close", **few, quantiles=(0.1, 0.5, 0.9)).forecasts()
    assert zoo.bench(prices, "close", **few, direction=True).table.loc["ridge", "brier"] < 0.3
    assert zoo.bench(prices, "close", **few, folds=2).board.folds == 2
    stocks = pd.concat([prices.assign(symbol=name) for name in "AB"])
    assert set(zoo.bench(stocks, "close", **few, series="symbol").forecasts()["series"]) == {"A", "B"}


def test_a_program_needs_no_guard_of_its_main_module(tmp_path):
    (tmp_path / "program.py").write_text(
        "import numpy as np, zoo\n"
        "walk = np.random.default_rng(0).normal(size=300).cumsum()\n"
        "print(zoo.bench(walk, models=['naive', 'ridge'], seeds=1).best)\n"
    )
    ended = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0 and ended.stdout.strip() in ("naive", "ridge"), ended.stderr


def test_targets_may_be_an_index(prices):
    table = zoo.bench(prices, prices.columns[-2:-1], models="naive", jobs=1).table
    assert list(table.index) == ["naive"]


def test_a_wrong_request_is_refused_before_anything_runs(prices, tmp_path):
    for data, targets, settings, message in (
        (prices, None, {}, "name at least one target column of .*open, high"),
        (prices, "closing", {}, "unknown column 'closing'"),
        (prices, "close", {"lookbak": 3}, "lookbak"),
        (prices, "close", {"models": ["lstmm"]}, "unknown variant 'lstmm'"),
        (np.zeros((2, 2, 2)), "x", {}, r"an array must have the shape \[rows\]"),
        ([1, 2, 3], "x", {}, "data must be a path, a name, a DataFrame or an array"),
    ):
        with pytest.raises(InputError, match=message):
            zoo.bench(data, targets, **settings, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_sequences_in_memory_are_classified():
    made = made_cases(60, (6, 9))
    found = zoo.bench(made, models=["naive", "minirocket"], seeds=1, jobs=1)
    assert found.table.loc["minirocket", "accuracy"] > found.table.loc["naive", "accuracy"]
    forecasts = found.forecasts()
    assert list(forecasts.columns) == [
        "variant",
        "seed",
        "case",
        "actual",
        "forecast",
        "p_falling",
        "p_flat",
        "p_rising",
    ]
    own = forecasts[forecasts["variant"] == "minirocket"].set_index("case")
    labels = dict(zip(made.names, made.labels, strict=True))
    assert own["actual"].to_dict() == {name: labels[name] for name in own.index}
    assert (own["actual"] == own["forecast"]).mean() == pytest.approx(found.table.loc["minirocket", "accuracy"])
    assert found.plot() is not None and "classes" in repr(found)
