"""--outliers: inputs are cleaned by what was known at the time, and what is learned and scored stays as it is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from tests.conftest import run_zoo_here
from zoo.data import one_series, outliers
from zoo.data.origins import origins
from zoo.data.outliers import PAST, fit_outliers
from zoo.data.windows import Windows
from zoo.errors import InputError, UnknownName

HOW = {"targets": ["close"], "lookback": 5, "horizon": 2, "split": (200, 40, 60), "scaler": "none"}
ENDS = (200, 201, 233, 270)  # a later row may be anything


@pytest.fixture
def spiky(prices):
    """Spikes in the target and in another column, in every part."""
    frame = prices.astype({"volume": float})
    for row in (60, 150, 215, 260, 280):
        frame.loc[row, "close"] *= 30
        frame.loc[row + 3, "volume"] *= 50
    return frame


def prepared(frame, policy, **settings):
    return zoo.prepare(zoo.load(frame), **{**HOW, "outliers": policy, **settings})


def gathered(windows):
    return windows.gather(torch.arange(len(windows)))


def changed(frame, first):
    other = frame.astype({"volume": float})
    names = other.columns.drop("date")
    other.loc[first:, names] *= np.random.default_rng(1).uniform(20, 30, size=(len(other) - first, len(names)))
    return other


def check_the_future_is_unseen(frame, policy):
    """No input of a window that ends before a row depends on that row or on later ones."""
    before = prepared(frame, policy)
    for first in ENDS:
        after = prepared(changed(frame, first), policy)
        for old, new in ((before.train, after.train), (before.valid, after.valid), (before.test, after.test)):
            is_earlier = torch.from_numpy(old.target_rows() <= first)
            assert torch.equal(gathered(old)[0][is_earlier], gathered(new)[0][is_earlier])


def check_targets_are_raw(frame, policy):
    data = prepared(frame, policy)
    close = frame["close"].to_numpy()
    for part in (data.train, data.valid, data.test):
        rows = part.target_rows()[:, None] + np.arange(2)
        np.testing.assert_array_equal(gathered(part)[1][..., 0].numpy(), close[rows].astype(np.float32))
        np.testing.assert_array_equal(part.scaled_truth()[..., 0].numpy(), close[rows].astype(np.float32))
        np.testing.assert_array_equal(part.truth()[..., 0], close[rows])
        np.testing.assert_array_equal(part.last()[:, 0], close[rows[:, 0] - 1])


def test_clip_stops_at_three_interquartile_ranges_beyond_the_quartiles_of_the_training_rows():
    values = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [100.0], [-100.0]])
    clip = fit_outliers("clip", values[:5])  # quartiles 1 and 3
    np.testing.assert_array_equal(clip.cleaned(values)[:, 0], [0, 1, 2, 3, 4, 9, -5])
    rarely = np.array([[0.0], [0.0], [0.0], [0.0], [5.0]])
    np.testing.assert_array_equal(fit_outliers("clip", rarely).cleaned(rarely), rarely)  # no scale, so no limits


def test_hampel_takes_the_median_of_the_rows_before(monkeypatch):
    random = np.random.default_rng(0)
    values = random.normal(size=(200, 2))
    values[[50, 120], [0, 1]] = 40.0
    values[150:, 0] = 7.0  # a new level: strange at first, then usual
    expected = values.copy()
    for row in range(PAST, 200):
        for column in range(2):
            past = values[row - PAST : row, column]
            middle = np.median(past)
            deviation = 1.4826 * np.median(np.abs(past - middle))
            if deviation > 0 and abs(values[row, column] - middle) > 3 * deviation:
                expected[row, column] = middle
    assert expected[50, 0] != 40 and expected[120, 1] != 40
    assert (expected[150:155, 0] != 7).all() and (expected[180:, 0] == 7).all()
    cleaned = fit_outliers("hampel", values).cleaned(values)
    np.testing.assert_array_equal(cleaned, expected)
    monkeypatch.setattr(outliers, "PIECE", 7)
    np.testing.assert_array_equal(fit_outliers("hampel", values).cleaned(values), cleaned)


def test_an_unknown_policy_is_refused_with_the_nearest(prices):
    with pytest.raises(UnknownName, match="hampel"):
        prepared(prices, "hample")


@pytest.mark.parametrize("policy", ["clip", "hampel"])
def test_inputs_are_cleaned_and_nothing_else(spiky, policy):
    plain, data = prepared(spiky, "none"), prepared(spiky, policy)
    for raw, clean in ((plain.train, data.train), (plain.valid, data.valid), (plain.test, data.test)):
        assert gathered(clean)[0][..., 3].max() < 500 < gathered(raw)[0][..., 3].max()
    check_targets_are_raw(spiky, policy)
    assert data.fingerprint == plain.fingerprint and plain.train.inputs is None
    np.testing.assert_array_equal(data.train.units.deviation, plain.train.units.deviation)
    assert any(note.startswith(f"outliers {policy} changes") for note in data.notes)


@pytest.mark.parametrize("policy", ["clip", "hampel"])
def test_no_input_depends_on_a_later_row(spiky, policy):
    check_the_future_is_unseen(spiky, policy)


def broken_limits(monkeypatch):
    """Limits of all rows, not of training rows."""
    whole = one_series.clean
    seen = []
    monkeypatch.setattr(one_series, "clean", lambda values, *how: seen.append(values) or whole(values, *how))
    monkeypatch.setattr(one_series, "fit_outliers", lambda policy, _: fit_outliers(policy, seen[-1]))


def broken_window(monkeypatch):
    """The rows after a value say what is usual, not those before it."""
    honest = outliers.Outliers.cleaned
    monkeypatch.setattr(outliers.Outliers, "cleaned", lambda self, values: honest(self, values[::-1])[::-1])


def broken_targets(monkeypatch):
    """Actual values cleaned as well."""
    honest = Windows.gather
    monkeypatch.setattr(Windows, "gather", lambda self, index: honest(replace(self, values=self.inputs), index))


@pytest.mark.parametrize(
    ("breaks", "policy", "check"),
    [
        (broken_limits, "clip", check_the_future_is_unseen),
        (broken_window, "hampel", check_the_future_is_unseen),
        (broken_targets, "clip", check_targets_are_raw),
        (broken_targets, "hampel", check_targets_are_raw),
    ],
)
def test_each_check_fails_where_the_step_is_broken(spiky, monkeypatch, breaks, policy, check):
    breaks(monkeypatch)
    with pytest.raises(AssertionError):
        check(spiky, policy)


def test_the_scaler_is_of_cleaned_training_rows(spiky):
    data = prepared(spiky, "hampel", scaler="standard")
    values = spiky[list(data.channels)].to_numpy(dtype=float)
    cleaned = fit_outliers("hampel", values).cleaned(values)[:200]
    np.testing.assert_allclose(data.scaler.center, cleaned.mean(axis=0))
    np.testing.assert_allclose(data.scaler.scale, cleaned.std(axis=0))


def test_a_direction_is_that_of_measured_values(spiky):
    data, plain = (prepared(spiky, policy, direction=True) for policy in ("hampel", "none"))
    assert torch.equal(gathered(data.train)[1], gathered(plain.train)[1])
    np.testing.assert_array_equal(data.test.truth(), plain.test.truth())


def test_each_series_has_its_own_limits(spiky, prices):
    larger = prices.assign(**{name: 100.0 * prices[name] for name in prices.columns.drop("date")})
    both = pd.concat([spiky.assign(symbol="A"), larger.assign(symbol="B")])
    data = zoo.prepare(zoo.load(both, series="symbol"), **{**HOW, "outliers": "clip"})
    alone = [prepared(frame, "clip") for frame in (spiky, larger)]
    np.testing.assert_array_equal(data.outliers.high, [each.outliers.high for each in alone])
    assert torch.equal(gathered(data.test)[0], torch.cat([gathered(each.test)[0] for each in alone]))


def test_other_lookbacks_and_origins_keep_the_step(spiky):
    data = prepared(spiky, "clip")
    longer = data.with_lookback(9)
    assert torch.equal(gathered(longer.test)[0][:, -5:], gathered(data.test)[0])
    assert torch.equal(gathered(data.without_test().train)[0], gathered(data.train)[0])
    earlier = origins(data.without_test(), 2)[1]
    again = prepared(spiky[:200], "clip", split=(160, 40, 0))
    assert torch.equal(gathered(earlier.valid)[0], gathered(again.valid)[0])
    np.testing.assert_array_equal(earlier.outliers.low, again.outliers.low)


@pytest.mark.parametrize("policy", ["clip", "hampel"])
def test_a_saved_model_cleans_new_rows_as_the_fit_did(spiky, policy, tmp_path):
    data = prepared(spiky, policy, scaler="standard")
    model = zoo.create("ridge", data.problem)
    zoo.fit(model, data.train, data.valid)
    zoo.save(model, tmp_path / "model", data, variant="ridge")
    loaded, table = zoo.load_model(tmp_path / "model"), zoo.load(spiky)
    every = zoo.forecast_next(loaded, table, origin="all")
    expected = zoo.forecast(model, data.test)
    tested = every[every["origin"].isin(table.time[data.test.target_rows() - 1])]
    np.testing.assert_allclose(tested["close"].to_numpy().reshape(-1, 2), expected[..., 0], rtol=1e-5)
    actual = tested["close_actual"].to_numpy().reshape(-1, 2)
    np.testing.assert_array_equal(actual, data.test.truth()[..., 0])
    if policy == "hampel":
        with pytest.raises(InputError, match="too few rows.*outliers hampel looks at the 24 rows before it"):
            zoo.forecast_next(loaded, zoo.load(spiky[-28:]))
        enough = zoo.forecast_next(loaded, zoo.load(spiky[-29:]))
        assert enough["close"].tolist() == zoo.forecast_next(loaded, table)["close"].tolist()


@pytest.mark.parametrize("policy", ["clip", "hampel"])
def test_an_exported_model_reads_cleaned_values(spiky, tmp_path, policy):
    data = prepared(spiky, policy, scaler="standard")
    model = zoo.create("ridge", data.problem)
    zoo.fit(model, data.train, data.valid)
    zoo.save(model, tmp_path / policy, data, variant="ridge")
    saved = zoo.load_model(tmp_path / policy)
    zoo.export(saved, tmp_path / "model.onnx")
    exported, table = zoo.OnnxModel(tmp_path / "model.onnx"), zoo.load(spiky[:263])  # it ends near a spike
    assert exported.forecast_next(table)["close"].to_numpy() == pytest.approx(
        zoo.forecast_next(saved, table)["close"].to_numpy(), rel=1e-4
    )


def test_a_forecaster_looks_back_and_reloads_with_the_step(spiky, tmp_path):
    forecaster = zoo.Forecaster("ridge", targets="close", lookback=5, outliers="clip").fit(spiky, progress=False)
    data = zoo.prepare(zoo.load(spiky), targets=["close"], lookback=5, outliers="clip")
    model = zoo.create("ridge", data.problem)
    zoo.fit(model, data.train, data.valid)
    assert forecaster.scores["rmse"] == pytest.approx(zoo.evaluate(model, data.test)["rmse"])
    np.testing.assert_array_equal(forecaster.backtest().forecasts["actual"], data.test.truth().ravel())
    forecaster.save(tmp_path / "model")
    again = zoo.Forecaster.load(tmp_path / "model")
    assert again.data_settings["outliers"] == "clip"
    assert again.predict(spiky).equals(forecaster.predict())


def test_too_few_rows_for_hampel_and_cases_are_refused(prices):
    with pytest.raises(InputError, match="the train part needs 31, and has 30; choose --outliers clip"):
        prepared(prices, "hampel", split=(30, 40, 60))
    cases = pd.DataFrame({"case": np.repeat(range(6), 3), "x": range(18), "label": np.repeat(["a", "b"] * 3, 3)})
    with pytest.raises(InputError, match="outliers cannot be set"):
        zoo.prepare(zoo.load(cases, case="case", label="label"), outliers="clip")


@pytest.mark.process
def test_bench_records_the_policy_and_its_key_differs(spiky, tmp_path):
    spiky.to_csv(tmp_path / "spiky.csv", index=False)
    how = ("bench", tmp_path / "spiky.csv", "--targets", "close", "--models", "ridge,naive", "--out", tmp_path / "out")
    for further in ((), ("--outliers", "none"), ("--outliers", "hampel")):
        ended = run_zoo_here(*how, *further)
        assert ended.returncode == 0, ended.stderr
    assert "outliers hampel changes" in ended.stderr
    frame = zoo.results(tmp_path / "out")
    assert len(frame) == 4 and frame["key"].nunique() == 4
    assert frame["data.outliers"].isna().sum() == 2 and set(frame["data.outliers"].dropna()) == {"hampel"}
    ridge = frame[frame["variant"] == "ridge"]
    is_cleaned = ridge["data.outliers"].notna()
    assert ridge["rmse"][is_cleaned].item() < ridge["rmse"][~is_cleaned].item()
    best = run_zoo_here("fit", "best", "--from", tmp_path / "out", "--out", tmp_path / "model")
    assert best.returncode == 0, best.stderr
    assert zoo.load_model(tmp_path / "model").file.outliers.policy == "hampel"
    explained = run_zoo_here("explain", tmp_path / "model", tmp_path / "spiky.csv", "--out", tmp_path / "why")
    assert explained.returncode == 0, explained.stderr
    assert run_zoo_here(*how, "--outliers", "winsor").returncode == 2
