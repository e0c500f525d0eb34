"""Whatever asks for a forecast gets the same bits, in full float32, in a process of any settings."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

import zoo
from tests.conftest import price_frame
from zoo.run.worker import measure, trained
from zoo.suite import expand, suite_of
from zoo.train.predict import predict, predict_windows, validation_loss
from zoo.tuning.trial import Point, TrialRequest, run_trial

has_bfloat16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this CPU has no bfloat16 recurrences"
)
NARROW = {"max_epochs": 3, "precision": "bfloat16", "device": "cpu"}


@contextmanager
def narrow_process():
    """A program of a user who asked for less than float32 in two ways."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.fixture
def fitted(data):
    model = zoo.create("lstm", data.problem, hidden_size=16)
    return model, zoo.fit(model, data.train, data.valid, zoo.FitConfig(**NARROW, patience=0))


@has_bfloat16
def test_forecasts_are_the_same_inside_a_callers_autocast(fitted, data):
    model, _ = fitted
    x = next(data.test.batches(1000))[0]
    outside = zoo.forecast(model, data.test)
    with narrow_process():
        assert not torch.equal(model(x).float(), predict(model, [x]))  # the settings do change a bare call
        np.testing.assert_array_equal(zoo.forecast(model, data.test), outside)


@has_bfloat16
def test_training_is_the_same_inside_a_callers_autocast(data):
    def weights():
        model = zoo.create("lstm", data.problem, hidden_size=16)
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=2, device="cpu"))
        return model.state_dict()

    outside = weights()
    with narrow_process():
        inside = weights()
    assert all(torch.equal(outside[name], inside[name]) for name in outside)


@has_bfloat16
def test_validation_is_in_float32_where_training_is_not(fitted, data):
    model, history = fitted
    assert history.best_epoch > 0  # it learned, so the loss of an epoch can be compared
    stored = history.epochs[history.best_epoch - 1].valid_loss
    error = predict_windows(model, data.valid) - data.valid.scaled_truth()
    assert stored == pytest.approx(error.abs().mean().item(), rel=1e-6)
    assert stored == validation_loss(model, data.valid, zoo.FitConfig())
    with narrow_process():
        assert stored == validation_loss(model, data.valid, zoo.FitConfig())


@has_bfloat16
def test_tuning_scores_what_fit_validates(fitted, data):
    _, history = fitted
    point = Point({"hidden_size": 16}, {**NARROW, "patience": 0}, data.problem.lookback)
    with narrow_process():
        outcome = run_trial(TrialRequest("lstm", point, (0,), "cpu", has_latency=True), data, lambda _: True)
    assert outcome["valid_loss"] == history.epochs[history.best_epoch - 1].valid_loss


@has_bfloat16
def test_forecast_of_new_rows_is_that_of_their_window(fitted, data, prices, tmp_path):
    model, _ = fitted
    zoo.save(model, tmp_path / "model", data, variant="lstm", params={"hidden_size": 16})
    saved, table = zoo.load_model(tmp_path / "model"), zoo.load(prices)
    outside = zoo.forecast_next(saved, table, device="cpu")
    last = data.test.values[-data.problem.lookback :][None]
    assert outside["close"].item() == data.test.units.restore(predict(model, [last]).numpy()).item()
    with narrow_process():
        assert outside.equals(zoo.forecast_next(saved, table, device="cpu"))


@has_bfloat16
def test_stored_predictions_are_those_of_the_model(tmp_path):
    price_frame().to_csv(tmp_path / "prices.csv", index=False)
    settings = {
        "name": "mine",
        "data": {"source": str(tmp_path / "prices.csv"), "targets": ["close"]},
        "run": {"models": ["lstm"], "seeds": 1},
        "fit": NARROW,
        "models": {"lstm": {"hidden_size": 16}},
    }
    (cell,), data = expand(suite_of(settings, "mine"), device="cpu")
    with narrow_process():
        (row,) = measure([cell], tmp_path, {"commit": None, "command": None}, lambda *_: None)
    assert row.error is None
    model, _ = trained(cell, data, None)
    with np.load(tmp_path / row.predictions) as arrays:
        np.testing.assert_array_equal(arrays["forecast"], zoo.forecast(model, data.test).astype(np.float32))


def test_scaled_truth_is_what_batches_yield(prices):
    data = zoo.prepare(zoo.load(prices), targets=["close", "open"], horizon=3)
    y = torch.cat([y for _, y in data.valid.batches(7)])
    assert torch.equal(data.valid.scaled_truth(), y)
