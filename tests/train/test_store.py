import json

import numpy as np
import pandas as pd
import pytest

import zoo

FAST = zoo.FitConfig(max_epochs=2)


@pytest.fixture
def kept(prices, tmp_path):
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


def test_forecast_follows_the_last_row_in_the_datas_units(kept, prices):
    model, _, folder = kept
    saved = zoo.load_model(folder)
    found = zoo.forecast_next(saved, zoo.load(prices))
    assert list(found.columns) == ["step", "time", "close", "open"]
    assert list(found["time"]) == list(pd.bdate_range(prices["date"].iloc[-1], periods=4)[1:])
    longer = pd.concat([prices, prices.tail(3).assign(date=found["time"].astype(str).to_numpy())])
    data = zoo.prepare(zoo.load(longer), targets=["close", "open"], lookback=12, horizon=3, split=(210, 90, 3))
    np.testing.assert_allclose(found[["close", "open"]], zoo.forecast(model, data.test)[0], rtol=1e-5)


def test_columns_may_come_in_another_order_and_case(kept, prices):
    _, _, folder = kept
    saved = zoo.load_model(folder)
    other = prices[["volume", "close", "date", "low", "high", "open"]].rename(columns=str.upper)
    pd.testing.assert_frame_equal(zoo.forecast_next(saved, zoo.load(prices)), zoo.forecast_next(saved, zoo.load(other)))


def test_data_that_does_not_fit_is_refused(kept, prices):
    saved = zoo.load_model(kept[2])
    with pytest.raises(zoo.InputError, match="unknown column 'open' of DataFrame"):
        zoo.forecast_next(saved, zoo.load(prices.drop(columns="open")))
    with pytest.raises(zoo.InputError, match="too few rows: DataFrame has 11, the model's lookback is 12"):
        zoo.forecast_next(saved, zoo.load(prices.head(11)))


def test_damage_and_tampering_are_refused(kept):
    folder = kept[2]
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
    refused("model.json is damaged or was changed by hand")
    about.write_text("[]")
    refused("model.json is damaged")
    about.unlink()
    refused("no model in .*model.json is missing")
    about.write_text(text)
    assert zoo.load_model(folder).targets == ("close", "open")


def test_model_folder_does_not_swallow_other_files(kept, tmp_path):
    model, data, folder = kept
    zoo.save(model, folder, data, variant="lstm", params={"hidden_size": 8})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(zoo.InputError, match="holds other files than a model"):
        zoo.save(model, tmp_path / "other", data, variant="lstm")
    with pytest.raises(zoo.InputError, match="is a file"):
        zoo.save(model, tmp_path / "other" / "notes.txt", data, variant="lstm")
