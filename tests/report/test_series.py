"""Several series on one board: what counts once, and how each of them fares."""

import json

import numpy as np
import pandas as pd
import pytest

import zoo
from tests.conftest import price_frame, run_zoo_here
from tests.data.test_panel import panel_frame
from zoo.report.evidence import judged, stored_of
from zoo.report.series import skills_of
from zoo.run.store import read_rows

pytestmark = pytest.mark.process
HOW = ("--targets", "close", "--models", "naive,ridge,lstm", "--seeds", "2", "--set", "fit.max_epochs=3")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panel")
    panel_frame().to_csv(folder / "prices.csv", index=False)
    ended = run_zoo_here("bench", "prices.csv", "--series", "symbol", *HOW, "--out", "out", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert "note: 3 series of 200 to 300 rows" in ended.stderr
    return folder


def test_the_report_names_the_series_and_how_each_fares(run):
    (board,) = judged(zoo.results(run / "out"))
    assert board.series == 3 and ", 3 series by symbol: " in board.title
    ridge = next(line for line in board.lines if line.variant == "ridge")
    stored = stored_of(ridge.runs.iloc[0])
    skills = skills_of(ridge)
    for number in range(3):
        own = stored.of_series(number)
        errors = [np.sqrt(((each - own.truth) ** 2).mean()) for each in (own.forecast, own.last[:, None])]
        assert skills[number] == pytest.approx(1 - errors[0] / errors[1])
    text = (run / "out" / "report.md").read_text()
    assert "### Over the series" in text and "ahead of naive |" in text
    assert "training deviations of each series" in text and "0.7, 0.1, 0.2 of each series" in text


def test_a_run_is_repeated_from_its_rows(run):
    ended = run_zoo_here("bench", "prices.csv", "--series", "symbol", *HOW, "--out", "out", cwd=run)
    assert "4 of 4 cells already have rows" in ended.stderr
    rows, _ = read_rows(run / "out")
    assert rows[0].data.series == "symbol" and rows[0].data.series_count == 3
    assert rows[0].problem.split_of_each == (0.7, 0.1, 0.2)


def test_what_happens_to_many_series_at_one_time_counts_once(tmp_path):
    one = price_frame(400)
    many = pd.concat([one.assign(symbol=f"S{number}") for number in range(6)])
    for name, frame, extra in (("one", one, ()), ("many", many, ("--series", "symbol"))):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        arguments = ["--targets", "close", "--models", "naive,ridge,moving-average", *extra, "--out", name]
        assert run_zoo_here("bench", f"{name}.csv", *arguments, cwd=tmp_path).returncode == 0
    boards = [judged(zoo.results(tmp_path / name))[0] for name in ("one", "many")]
    for alone, copies in zip(*(board.lines for board in boards), strict=True):
        assert alone.label == copies.label
        assert alone.skill.mean == pytest.approx(copies.skill.mean, abs=1e-6)
        if alone.interval is not None:
            assert alone.interval == pytest.approx(copies.interval, abs=1e-6)


def test_what_does_not_work_on_several_series_says_so(run, tmp_path):
    suite = tmp_path / "panel.toml"
    suite.write_text(
        f'name = "panel"\n[data]\nsource = {json.dumps(str(run / "prices.csv"))}\ntargets = ["close"]\n'
        'series = "symbol"\n[run]\nmodels = ["ridge"]\n'
    )
    tuned = run_zoo_here("tune", "ridge", suite, "--trials", "2", "--out", tmp_path / "tune")
    assert tuned.returncode == 2 and "zoo tune works on one series" in tuned.stderr
    missing = run_zoo_here("bench", run / "prices.csv", "--series", "ticker", *HOW, "--out", tmp_path / "out")
    assert missing.returncode == 2 and "unknown column 'ticker'" in missing.stderr
    without = run_zoo_here("bench", run / "prices.csv", *HOW, "--out", tmp_path / "out")
    assert without.returncode == 2 and "name their column with --series" in without.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "tune").exists()


def test_a_model_of_several_series_is_kept_and_forecasts_each(run, tmp_path):
    whole = pd.read_csv(run / "prices.csv")
    ended = run_zoo_here(
        "fit", "ridge", run / "prices.csv", "--series", "symbol", "--targets", "close", "--horizon", "2",
        "--out", tmp_path / "model",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    new = pd.concat([whole[whole["symbol"] != "AAA"], whole[whole["symbol"] == "AAA"].assign(symbol="NEW")])
    new.to_csv(tmp_path / "new.csv", index=False)
    ended = run_zoo_here("predict", tmp_path / "model", tmp_path / "new.csv", "--out", tmp_path / "f.csv")
    assert ended.returncode == 0 and "not in the fit, so not forecast: NEW" in ended.stderr
    frame = pd.read_csv(tmp_path / "f.csv")
    assert list(frame.columns) == ["symbol", "step", "time", "close"]
    assert list(frame["symbol"]) == ["BBB", "BBB", "CCC", "CCC"]
    last = whole.sort_values("date").groupby("symbol")["close"].last()
    for name in ("BBB", "CCC"):
        assert (frame.loc[frame["symbol"] == name, "close"] / last[name]).between(0.8, 1.2).all()
    saved = zoo.load_model(tmp_path / "model")
    with pytest.raises(zoo.InputError, match="the model is of several series: name their column with --series symbol"):
        zoo.forecast_next(saved, zoo.load(whole[whole["symbol"] == "AAA"].drop(columns="symbol")))
    with pytest.raises(zoo.InputError, match="was in the fit, which had AAA"):
        zoo.forecast_next(saved, zoo.load(whole.assign(symbol="X" + whole["symbol"]), series="symbol"))
