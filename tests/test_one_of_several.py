"""One series of a file of several is what a file of its own would be, and --local runs each so."""

import pandas as pd
import pytest

import zoo
from tests.conftest import price_frame, run_zoo_here
from zoo.errors import InputError

QUICK = ("--models", "naive,ridge,lstm", "--seeds", "1", "--set", "fit.max_epochs=2", "--jobs", "1")


@pytest.fixture
def stocks(tmp_path):
    parts = [price_frame(150, seed=number).assign(symbol=name) for number, name in enumerate(("AA", "B B"))]
    pd.concat(parts).sample(frac=1, random_state=0).to_csv(tmp_path / "stocks.csv", index=False)
    parts[1].drop(columns="symbol").to_csv(tmp_path / "own.csv", index=False)
    return tmp_path / "stocks.csv"


def test_one_series_is_the_table_of_its_rows(stocks):
    one = zoo.load(stocks, series="symbol", only="B B")
    own = zoo.load(stocks.with_name("own.csv"))
    assert one.series is None and (one.values == own.values).all() and (one.time == own.time).all()
    first, second = (zoo.prepare(table, targets="close") for table in (one, own))
    assert first.fingerprint == second.fingerprint and first.only == ("symbol", "B B")


def test_a_wrong_choice_is_named(stocks):
    with pytest.raises(InputError, match="unknown series 'BB' of series|unknown series 'BB'"):
        zoo.load(stocks, series="symbol", only="BB")
    with pytest.raises(InputError, match="only chooses the series 'AA': name the column"):
        zoo.load(stocks, only="AA")


@pytest.mark.process
def test_local_models_of_each_series_are_those_of_a_file_of_its_own(stocks, tmp_path):
    out, alone = tmp_path / "local", tmp_path / "alone"
    how = ("--series", "symbol", "--targets", "close", "--local")
    ended = run_zoo_here("bench", stocks, *how, *QUICK, "--out", out)
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["AA", "B-B"]
    assert "close of stocks.csv (B B)" in (out / "B-B" / "report.md").read_text()
    assert "Over 2 problems" in (out / "README.md").read_text()
    assert run_zoo_here("bench", tmp_path / "own.csv", "--targets", "close", *QUICK, "--out", alone).returncode == 0
    local, own = (zoo.results(path).set_index("variant")["rmse"] for path in (out / "B-B", alone))
    assert local.to_dict() == own.to_dict()
    refused = run_zoo_here("bench", tmp_path / "own.csv", "--targets", "close", "--local", "--out", out)
    assert refused.returncode == 2 and "--local trains models for each of several series" in refused.stderr


@pytest.mark.process
def test_a_model_of_one_series_finds_it_again(stocks, tmp_path):
    how = ("--series", "symbol", "--only", "B B", "--targets", "close", "--set", "fit.max_epochs=2")
    ended = run_zoo_here("fit", "lstm", stocks, *how, "--out", tmp_path / "model")
    assert ended.returncode == 0, ended.stderr
    assert run_zoo_here("predict", tmp_path / "model", stocks, "--out", tmp_path / "one.csv").returncode == 0
    own = zoo.forecast_next(zoo.load_model(tmp_path / "model"), zoo.load(tmp_path / "own.csv"))
    assert pd.read_csv(tmp_path / "one.csv")["close"].to_numpy() == pytest.approx(own["close"].to_numpy())
    refused = run_zoo_here("tune", "lstm", stocks, "--series", "symbol", "--targets", "close", "--out", tmp_path / "t")
    assert refused.returncode == 2 and "choose it with --only" in refused.stderr
