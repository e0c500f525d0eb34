import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zoo

FAST = zoo.FitConfig(max_epochs=2)


@pytest.fixture
def saved_lstm(prices, tmp_path):
    data = zoo.prepare(zoo.load(prices), targets=["close", "open"], lookback=12, horizon=3)
    model = zoo.create("lstm", data.problem, hidden_size=8)
    zoo.fit(model, data.train, data.valid, FAST)
    zoo.save(model, tmp_path / "model", data, variant="lstm", params={"hidden_size": 8})
    return model, data, tmp_path / "model"


@pytest.mark.parametrize("name", zoo.list_models())
def test_reloaded_model_forecasts_bit_for_bit_the_same(name, prices, tmp_path):
    data = zoo.prepare(zoo.load(prices), targets=["close"], lookback=12, horizon=3, normalise="instance")
    model = zoo.create(name, data.problem)
    zoo.fit(model, data.train, data.valid, FAST)
    zoo.save(model, tmp_path / "m", data, variant=name)
    saved = zoo.load_model(tmp_path / "m")
    np.testing.assert_array_equal(zoo.forecast(saved.model, data.test), zoo.forecast(model, data.test))


def test_forecast_follows_the_last_row_in_the_datas_units(saved_lstm, prices):
    model, _, folder = saved_lstm
    saved = zoo.load_model(folder)
    forecasts = zoo.forecast_next(saved, zoo.load(prices))
    assert list(forecasts.columns) == ["step", "time", "close", "open"]
    assert list(forecasts["time"]) == list(pd.bdate_range(prices["date"].iloc[-1], periods=4)[1:])
    longer = pd.concat([prices, prices.tail(3).assign(date=forecasts["time"].astype(str).to_numpy())])
    data = zoo.prepare(zoo.load(longer), targets=["close", "open"], lookback=12, horizon=3, split=(210, 90, 3))
    np.testing.assert_allclose(forecasts[["close", "open"]], zoo.forecast(model, data.test)[0], rtol=1e-5)


def test_columns_may_come_in_another_order_and_case(saved_lstm, prices):
    _, _, folder = saved_lstm
    saved = zoo.load_model(folder)
    other = prices[["volume", "close", "date", "low", "high", "open"]].rename(columns=str.upper)
    pd.testing.assert_frame_equal(zoo.forecast_next(saved, zoo.load(prices)), zoo.forecast_next(saved, zoo.load(other)))


def test_data_that_does_not_fit_is_refused(saved_lstm, prices):
    saved = zoo.load_model(saved_lstm[2])
    with pytest.raises(zoo.InputError, match="unknown column 'open' of DataFrame"):
        zoo.forecast_next(saved, zoo.load(prices.drop(columns="open")))
    with pytest.raises(zoo.InputError, match="too few rows: DataFrame has 11, the model's lookback is 12"):
        zoo.forecast_next(saved, zoo.load(prices.head(11)))


FIXTURE = Path(__file__).parents[1] / "fixtures" / "model-format-1"


def signed(content):
    """The same content with its checksum, as an attacker could write it."""
    bare = {name: value for name, value in content.items() if name != "checksum"}
    return {**bare, "checksum": hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()}


def places(value, at=()):
    """The path of each value in nested JSON."""
    yield at
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*at, key))


def replaced(value, at, new):
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = replaced(value[at[0]], at[1:], new)
    return copy


def refusal(folder, table):
    """The message that a folder is refused with, None where its model forecasts; any other error fails the test."""
    try:
        zoo.forecast_next(zoo.load_model(folder), table)
    except (zoo.InputError, zoo.Diverged) as error:
        return str(error)
    return None


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("version", [1, 2])
def test_any_field_of_model_json_may_hold_anything_and_ends_in_one_line(saved_lstm, prices, version):
    """Each value, at every depth, is replaced in turn; the content is signed again, so that reading gets that far."""
    folder = saved_lstm[2]
    path = folder / "model.json"
    whole = json.loads(path.read_text())
    if version == 1:
        whole = {**whole, "format": 1, "plugin": {"file": "mine.py", "sha256": "0" * 64}}
        del whole["code"]
    table, refused = zoo.load(prices), 0
    for at in places(whole):
        for new in (None, "x", "", -1, 0, 0.5, 10**30, True, [], [1], {}, {"x": 1}, nested(150)):
            content = replaced(whole, at, new)
            if at != ("checksum",) and isinstance(content, dict):
                content = signed(content)
            path.write_text(json.dumps(content))
            message = refusal(folder, table)
            refused += message is not None
            assert message is None or ("\n" not in message and len(message) < 1000), (at, new)
    assert refused > 500


def test_nesting_too_deep_for_a_parser_is_refused(saved_lstm):
    path = saved_lstm[2] / "model.json"
    path.write_text('{"format": 2, "about": ' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(zoo.InputError, match="model.json is damaged"):
        zoo.load_model(saved_lstm[2])


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("channels", ["a"], "model.json: problem.channels and scaler must have one entry for each of the 1 channels"),
        ("targets", ["open", "close"], "model.json: targets must be the channels at the positions problem.targets"),
        (
            "missing",
            "guess",
            "model.json: unknown missing policy 'guess'",
        ),
        ("sorce", "here", "model.json: unknown key 'sorce'; did you mean 'source'"),
        ("format", 3, "model.json: format must be 1 or 2, got 3"),
        ("variant", "lsmt", "holds variant 'lsmt' of zoo.models.lstm: fit the model again"),
        ("params", {"hiden_size": 8}, "unknown parameter 'hiden_size' of variant 'lstm'"),
        ("params", {"name": "x"}, "unknown parameter 'name' of variant 'lstm'"),
        ("params", {"hidden_size": 9}, "do not fit this version's variant 'lstm': fit the model again"),
    ],
)
def test_a_wrong_field_is_named_with_its_rule(saved_lstm, field, value, rule):
    path = saved_lstm[2] / "model.json"
    path.write_text(json.dumps(signed({**json.loads(path.read_text()), field: value})))
    with pytest.raises(zoo.InputError, match=re.escape(rule)):
        zoo.load_model(saved_lstm[2])


def test_a_model_of_format_1_forecasts_what_it_did(monkeypatch):
    """The fixture was fitted, and its forecast written, by the version before format 2."""
    monkeypatch.chdir(FIXTURE)
    saved = zoo.load_model("model")
    assert (saved.file.format, saved.file.code, saved.file.about["best_epoch"], saved.notes) == (2, None, 3, ())
    forecasts = zoo.forecast_next(saved, zoo.load("prices.csv"), device="cpu")
    expected = pd.read_csv("forecast.csv", parse_dates=["time"])
    pd.testing.assert_frame_equal(forecasts, expected, rtol=1e-6, check_dtype=False)


def test_a_changed_source_of_the_zoos_own_variant_is_noted(saved_lstm):
    path = saved_lstm[2] / "model.json"
    content = json.loads(path.read_text())
    assert zoo.load_model(saved_lstm[2]).notes == ()
    content["code"]["sha256"] = "0" * 64
    path.write_text(json.dumps(signed(content)))
    (note,) = zoo.load_model(saved_lstm[2]).notes
    assert note == "the source of variant 'lstm' has changed since this model was fitted: its forecasts may differ"


def test_damage_and_tampering_are_refused(saved_lstm):
    folder = saved_lstm[2]
    weights, about = folder / "weights.safetensors", folder / "model.json"
    whole, text = weights.read_bytes(), about.read_text()

    def refused(rule):
        with pytest.raises(zoo.InputError, match=rule):
            zoo.load_model(folder)

    weights.write_bytes(whole[:-7])
    refused("weights.safetensors is damaged or belongs to another model")
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused("weights.safetensors is damaged or belongs to another model")
    weights.write_bytes(whole)
    about.write_text(text[: len(text) // 2])
    refused("model.json is damaged")
    about.write_text(json.dumps({**json.loads(text), "variant": "bilstm"}))
    refused("model.json was changed after it was written")
    about.write_text("[]")
    refused("model.json is damaged")
    about.unlink()
    refused("no model in .*model.json is missing")
    about.write_text(text)
    assert zoo.load_model(folder).targets == ("close", "open")


def test_model_folder_does_not_swallow_other_files(saved_lstm, tmp_path):
    model, data, folder = saved_lstm
    zoo.save(model, folder, data, variant="lstm", params={"hidden_size": 8})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(zoo.InputError, match="holds other files than a model"):
        zoo.save(model, tmp_path / "other", data, variant="lstm")
    with pytest.raises(zoo.InputError, match="is a file"):
        zoo.save(model, tmp_path / "other" / "notes.txt", data, variant="lstm")
